"""Parquet in the layout of shards, with columns of every kind and a `row` that numbers them; and what numpy
says they hold.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark import ReadOptions
from lsml_spark.data.parquet.fields import Layout

RECORD = ("a", "b", "c")
OPTIONS = {option.name for option in dataclasses.fields(ReadOptions)}


def asked(**told):
    """Arguments of the reader's doors, for tests that turn many of them: what is an option among its
    options.
    """
    options = {name: told.pop(name) for name in OPTIONS & told.keys()}
    return told | {"options": ReadOptions(**options)}


def raw(array):
    """An array of rows as FIXED_LEN_BYTE_ARRAY."""
    width = array[0].nbytes
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(array), [None, pa.py_buffer(np.ascontiguousarray(array).tobytes())]
    )


def truth(rows, seed=0):
    """{column: numpy array, or list of arrays or strings}."""
    rng = np.random.default_rng(seed)
    return {
        "row": np.arange(rows),
        "label": rng.integers(0, 5, rows).astype(np.int32),
        "small": rng.integers(-100, 100, rows).astype(np.int8),
        "packed": rng.normal(size=(rows, 3)).astype(np.float32),
        "image": rng.integers(0, 256, (rows, 4, 5)).astype(np.uint8),
        "tokens": [rng.integers(0, 1000, size).astype(np.int32) for size in rng.integers(0, 7, rows)],
        "name": [f"row {i}" for i in range(rows)],
    }


def table_of(known):
    """The same as shards hold it."""
    columns = {
        "row": (pa.array(known["row"]), Layout("scalar")),
        "label": (pa.array(known["label"]), Layout("scalar")),
        "small": (pa.array(known["small"]), Layout("scalar")),
        "packed": (raw(known["packed"]), Layout("record", "float32", columns=RECORD)),
        "image": (raw(known["image"]), Layout("tensor", "uint8", (4, 5))),
        "tokens": (
            pa.array([value.tobytes() for value in known["tokens"]], pa.binary()),
            Layout("ragged", "int32"),
        ),
        "name": (pa.array(known["name"]), Layout("text")),
    }
    fields = [
        pa.field(name, array.type, nullable=False, metadata=layout.metadata())
        for name, (array, layout) in columns.items()
    ]
    return pa.Table.from_arrays([array for array, _ in columns.values()], schema=pa.schema(fields))


def write(folder, table, files=3, rows_per_group=50, compression="none", **options):
    """Paths of the files, equal in rows."""
    folder.mkdir(parents=True, exist_ok=True)
    edges = [table.num_rows * i // files for i in range(files + 1)]
    paths = [folder / f"part-{i:05d}.parquet" for i in range(files)]
    told = {"use_dictionary": False, "write_page_checksum": True, "data_page_size": 1 << 30} | options
    for path, start, stop in zip(paths, edges, edges[1:], strict=False):
        pq.write_table(
            table.slice(start, stop - start),
            path,
            row_group_size=rows_per_group,
            compression=compression,
            **told,
        )
    return paths
