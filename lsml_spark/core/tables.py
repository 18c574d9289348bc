"""Write a small table into a stage folder without Spark."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.config import canonical
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import File, Table, describe
from lsml_spark.core.work import Source

# The names that Spark gives these types, so that any table of any stage can be read with its manifest's
# schema.
TYPES = {
    "string": "string",
    "int32": "int",
    "int64": "bigint",
    "float": "float",
    "double": "double",
    "bool": "boolean",
    "date32[day]": "date",
}


def read_table(source: Source, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole table of a stage folder; IntegrityError names the file that cannot be read, or the table that
    has none.
    """
    parts = []
    for path in source.files(table):
        try:
            parts.append(pq.ParquetFile(path, page_checksum_verification=True).read(columns=columns))
        except (OSError, pa.ArrowException) as error:
            raise source.damaged(path, " ".join(str(error).split())) from error
    if not parts:
        raise IntegrityError(f"{source.folder}: its table '{table}' has no files")
    return pa.concat_tables(parts)


def table_of(folder: Path, name: str, table: pa.Table, rows_per_group: int = 65_536) -> Table:
    """Write `table` as one Parquet file, named by its rows, into `folder/name` and describe it for the
    manifest.
    """
    (folder / name).mkdir(parents=True, exist_ok=True)
    rows_hash = hash_rows(table)
    path = folder / name / f"part-00000-{rows_hash}.parquet"
    pq.write_table(table, path, row_group_size=rows_per_group, compression="lz4", write_page_checksum=True)
    groups = [
        min(rows_per_group, table.num_rows - start) for start in range(0, table.num_rows, rows_per_group)
    ]
    plain = describe(folder, path)
    columns = {field.name: TYPES[str(field.type)] for field in table.schema}
    return Table(
        columns,
        table.num_rows,
        rows_hash,
        [File(plain.path, plain.bytes, plain.checksum, table.num_rows, groups)],
    )


def hash_rows(table: pa.Table) -> str:
    """Σ over rows of the first 8 bytes of sha256(canonical JSON of the row), mod 2^64, in hex: the same in
    any order.
    """
    total = 0
    for i, field in enumerate(table.schema):
        if pa.types.is_date(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.string()))  # as JSON writes a day
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            total += int.from_bytes(hashlib.sha256(canonical(row)).digest()[:8], "little")
    return f"{total % 2**64:016x}"
