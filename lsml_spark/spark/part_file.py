"""One Parquet file that one partition writes: exact row groups, hashed while they are at hand, named by its
own content.

Knows pyarrow alone; `tables.write` opens one for each table inside a Spark task.
"""

import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsml_spark.core.manifest import describe

HASH = "__hash"  # the column of the rows that come, 8 bytes of each; no part of the file
LOOKED_AT = 4096  # rows that tell whether the values of a column repeat


@dataclass(frozen=True)
class Physical:
    """How files are laid out that are no plain tables: shards. The layout refuses lists that hold NULL.

    `lay_out` changes the form of a row group, not its rows (they are hashed before); `options` are those of
    pyarrow's writer for the schema that comes of it; `checksum` names the algorithm of the files' checksums.
    """

    lay_out: Callable[[pa.Table], pa.Table]
    options: Callable[[pa.Schema], Mapping[str, Any]]
    checksum: str


class PartFile:
    """One Parquet file in the making: exact row groups, then a name made of the partition and the content."""

    def __init__(
        self,
        folder: Path,
        part: int,
        columns: list[str],
        rows_per_group: int,
        physical: Physical | None,
        renamed: Mapping[str, str],
    ):
        self.folder, self.part, self.columns = folder, part, columns
        self.names = [renamed.get(name, name) for name in columns]
        self.rows_per_group, self.physical = rows_per_group, physical
        self.partial = folder / f".part-{part:05d}-{uuid.uuid4().hex}"  # a name of this attempt alone
        self.writer: pq.ParquetWriter | None = None
        self.pending: list[pa.RecordBatch] = []
        self.waiting = self.rows = self.hash = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.hash = (self.hash + int(batch.column(HASH).to_numpy().view("u8").sum(dtype="u8"))) % 2**64
        self.rows += batch.num_rows
        self.waiting += batch.num_rows
        self.pending.append(batch.select(self.columns).rename_columns(self.names))
        if self.waiting >= self.rows_per_group:
            self._flush(keep=self.waiting % self.rows_per_group)

    def _flush(self, keep: int) -> None:
        if not self.pending:
            return
        table = pa.Table.from_batches(self.pending)
        ready, rest = table.slice(0, table.num_rows - keep), table.slice(table.num_rows - keep)
        self.pending, self.waiting = rest.to_batches(), keep
        if not ready.num_rows:
            return
        ready = self.physical.lay_out(ready) if self.physical else ready
        if self.writer is None:
            if self.physical:
                options = self.physical.options(ready.schema)
            else:
                options = {
                    "compression": "lz4",
                    "use_dictionary": _worth_a_dictionary(ready),
                    "write_page_checksum": True,
                }
            self.writer = pq.ParquetWriter(self.partial, ready.schema, **options)
        self.writer.write_table(ready, row_group_size=self.rows_per_group)

    def finish(self) -> tuple[str, int, str, str]:
        """Name, rows, their hash, and what the manifest says of the file but its path, as JSON: the driver
        reads no data again.
        """
        self._flush(keep=0)
        assert self.writer is not None
        self.writer.close()
        file = describe(self.folder, self.partial, self.physical.checksum if self.physical else "sha256")
        footer = pq.read_metadata(self.partial)
        name = f"part-{self.part:05d}-{file.checksum.partition(':')[2][:16]}.parquet"
        os.replace(self.partial, self.folder / name)
        groups = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
        described = {
            "bytes": file.bytes,
            "checksum": file.checksum,
            "rows": footer.num_rows,
            "row_groups": groups,
        }
        return name, self.rows, f"{self.hash:016x}", json.dumps(described)

    def discard(self) -> None:
        self.partial.unlink(missing_ok=True)


def _worth_a_dictionary(table: pa.Table) -> list[str]:
    """Paths of the columns whose values repeat: a dictionary of ids that are all different costs a third of
    the writing.

    Nor do pictures and sounds repeat.
    """
    first = table.slice(0, LOOKED_AT)
    apart = {
        field.name
        for field in table.schema
        if not (pa.types.is_nested(field.type) or pa.types.is_null(field.type))
        and (
            pa.types.is_binary(field.type)
            or pc.count_distinct(first[field.name]).as_py() > 0.9 * first.num_rows
        )
    }
    empty = pa.BufferOutputStream()
    pq.write_metadata(table.schema, empty)
    leaves = pq.read_metadata(pa.BufferReader(empty.getvalue())).schema
    return [path for path in (leaves.column(i).path for i in range(len(leaves))) if path not in apart]
