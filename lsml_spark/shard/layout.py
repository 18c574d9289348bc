"""The physical form of a shard: what makes a row group become tensors without a per-row step.

No nulls, so columns are REQUIRED; a list is stored as Parquet binary of its raw little-endian bytes, which reads seven
times faster than Parquet's own lists. The field's `lsml` metadata says so, and `data/read.py` undoes it.
"""

import json

import numpy as np
import pyarrow as pa


def to_shard(table: pa.Table) -> pa.Table:
    """The same rows with float64 as float32 and lists of numbers as binary; ValueError where a value is NULL."""
    columns, fields = [], []
    for field, column in zip(table.schema, table.combine_chunks().columns, strict=True):
        if column.null_count:
            raise ValueError(f"column '{field.name}' has {column.null_count} NULLs; shards hold none")
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind: dict[str, str] = {"kind": "scalar"}
        if pa.types.is_list(field.type):
            array, kind = (
                _as_binary(field.name, array),
                {"kind": "ragged", "dtype": str(np.dtype(field.type.value_type.to_pandas_dtype()))},
            )
        elif pa.types.is_float64(field.type):
            array = array.cast(pa.float32())
        columns.append(array)
        fields.append(pa.field(field.name, array.type, nullable=False, metadata={"lsml": json.dumps(kind)}))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _as_binary(name: str, lists: pa.ListArray) -> pa.BinaryArray:
    """The same buffers seen as bytes: offsets times the width of an item, no copy of the values."""
    values = lists.values
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise ValueError(f"column '{name}' has lists of {values.type}; shards hold lists of numbers")
    if lists.flatten().null_count:
        raise ValueError(f"column '{name}' has lists that hold NULL; shards hold none")
    width = values.type.bit_width // 8
    offsets = (lists.offsets.to_numpy().astype(np.int64) + values.offset) * width
    if offsets[-1] >= 2**31:
        raise ValueError(f"column '{name}' has more than 2 GiB of list values in one row group; lower shard.rows_per_group")
    return pa.BinaryArray.from_buffers(pa.binary(), len(lists), [None, pa.py_buffer(offsets.astype(np.int32)), values.buffers()[1]])
