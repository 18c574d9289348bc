"""lsml_spark: shards in its own layout, read by `make_torch_dataset`."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loading.shapes import LONGEST, SIDE, Rows
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Manifest, Table
from lsml_spark.data.parquet.fields import Layout

REQUIREMENTS: list[str] = []
SHARDS = 8
GROUP_BYTES = 4 << 20


def write(folder: Path, rows: Rows) -> None:
    """A stage folder: rows in an order that is random already (the shapes' are), tensors as fixed-length
    bytes, numbers packed.
    """
    table = in_layout(rows)
    width = table.nbytes / len(table)
    group = max(1024, int(GROUP_BYTES / width) // 1024 * 1024)
    (folder / "train").mkdir()
    files = []
    for i in range(SHARDS):
        start, stop = (len(table) * edge // SHARDS for edge in (i, i + 1))
        path = folder / "train" / f"part-{i:05d}.parquet"
        write_shard(path, table.slice(start, stop - start), group)
        groups = [min(group, stop - at) for at in range(start, stop, group)]
        files.append(File(path.relative_to(folder).as_posix(), path.stat().st_size, "", stop - start, groups))
    finish(folder, table, files)


def finish(folder: Path, table: pa.Table, files: list[File]) -> None:
    count = sum(file.rows or 0 for file in files)
    tables = {"train": Table({field.name: str(field.type) for field in table.schema}, count, "0", files)}
    Manifest("shard", "loading", "2026-01-01", 0, {}, "", {}, tables, [], Ledger(count, count), {}, {}).write(
        folder
    )


def write_shard(path: Path, table: pa.Table, group: int) -> None:
    """As the shard stage writes: fixed-width columns plain and in one page, the rest lz4, nothing twice
    compressed.
    """
    varied = {field.name: "lz4" for field in table.schema if pa.types.is_string(field.type)}
    compression = {field.name: varied.get(field.name, "none") for field in table.schema}
    options = {
        "use_dictionary": False,
        "data_page_size": 1 << 30,
        "write_page_checksum": True,
        "compression": compression,
    }
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=group)


def in_layout(rows: Rows) -> pa.Table:
    columns: dict[str, tuple[pa.Array, Layout]] = {}
    for name, values in rows.fields.items():
        if isinstance(values, np.ndarray):
            packed = rows.shape == "tabular"
            told = Layout(
                "record", str(values.dtype), columns=tuple(f"{name}{i}" for i in range(values.shape[1]))
            )
            layout = told if packed else Layout("tensor", str(values.dtype), values.shape[1:])
            raw = pa.py_buffer(np.ascontiguousarray(values))
            columns[name] = (
                pa.FixedSizeBinaryArray.from_buffers(pa.binary(layout.width), len(values), [None, raw]),
                layout,
            )
        elif rows.shape == "ragged":
            columns[name] = (
                pa.array([row.tobytes() for row in values], pa.binary()),
                Layout("ragged", str(values[0].dtype)),
            )
        elif rows.shape == "jpeg":
            columns[name] = pa.array(values, pa.binary()), Layout("bytes")
        else:
            columns[name] = pa.array(values, pa.string()), Layout("text")
    columns["label"] = pa.array(rows.label), Layout("scalar")
    fields = [
        pa.field(name, array.type, nullable=False, metadata=layout.metadata())
        for name, (array, layout) in columns.items()
    ]
    return pa.Table.from_arrays([array for array, _ in columns.values()], schema=pa.schema(fields))


def reader(shuffle: str, pad: bool = False):
    def open_(folder: Path, shape: str):
        from lsml_spark import ReadOptions, make_torch_dataset

        if pad and shape != "ragged":
            raise NotImplementedError("only lists are padded")
        columns = {"jpeg": ["image", "label"], "strings": ["text", "label"]}.get(shape)
        decode = {"image": {"mode": "rgb", "resize": [SIDE, SIDE]}} if shape == "jpeg" else None
        options = ReadOptions(
            decode=decode or {}, pad={"tokens": LONGEST} if pad else {}, threads=os.cpu_count() or 1
        )
        return make_torch_dataset(folder, batch=1024, columns=columns, shuffle=shuffle, options=options)

    return open_


READERS = {
    "lsml": reader("buffer"),
    "lsml, padded": reader("buffer", pad=True),
    "lsml, full shuffle": reader("full"),
    "lsml, no shuffle": reader("none"),
}
