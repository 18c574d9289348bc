"""Lists of numbers as raw little-endian bytes: of any length (ragged), or of one shape in every row (tensor).

Works on Arrow's buffers; nothing is done per row.
"""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.data.parquet.fields import Layout


class BadRow(ValueError):
    """What is wrong with the value of one row of a column."""

    def __init__(self, row: int, message: str):
        super().__init__(message)
        self.row = row


def as_ragged(lists: pa.ListArray) -> pa.BinaryArray:
    """The same buffers seen as bytes: offsets times the width of an item, no copy of the values. ValueError
    where they are no numbers.
    """
    values = lists.values
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        more = "; declare its shape in shard.tensors" if pa.types.is_nested(values.type) else ""
        raise ValueError(f"has lists of {values.type}; shards hold lists of numbers{more}")
    if lists.flatten().null_count:
        raise ValueError("has lists that hold NULL; shards hold none")
    width = values.type.bit_width // 8
    offsets = (lists.offsets.to_numpy().astype(np.int64) + values.offset) * width
    if offsets[-1] >= 2**31:
        raise ValueError("has more than 2 GiB of list values in one row group; lower shard.rows_per_group")
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(lists), [None, pa.py_buffer(offsets.astype(np.int32)), values.buffers()[1]]
    )


def as_tensor(array: pa.Array, layout: Layout) -> pa.FixedSizeBinaryArray:
    """Rows of one shape as bytes of one length: from lists (flat, or as deep as the shape), or from bytes
    that are a tensor already.

    BadRow for the first row of another length; ValueError for values that `layout.dtype` cannot hold, and for
    other types.
    """
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        return _from_bytes(array, layout)
    if not pa.types.is_list(array.type):
        raise ValueError(f"holds {array.type} values; a tensor comes from lists of numbers or from bytes")
    depth, inner = 0, array.type
    while pa.types.is_list(inner):
        depth, inner = depth + 1, inner.value_type
    if depth not in (1, len(layout.shape)):
        raise ValueError(
            f"has lists {depth} deep, shard.tensors says shape {list(layout.shape)}; give one list, or one "
            "per dimension"
        )
    if not (pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)):
        raise ValueError(f"has lists of {inner}; tensors hold numbers")
    sizes = layout.shape if depth == len(layout.shape) else (math.prod(layout.shape),)
    values, lists_of_a_row = array, 1
    for size in sizes:
        lengths = np.asarray(pc.list_value_length(values).fill_null(-1))
        if len(wrong := np.flatnonzero(lengths != size)):
            length = int(lengths[wrong[0]])
            what = "a list that is NULL" if length < 0 else f"a list of {length}"
            raise BadRow(
                int(wrong[0]) // lists_of_a_row, f"found {what}, expected {size} (shape {list(layout.shape)})"
            )
        values, lists_of_a_row = values.flatten(), lists_of_a_row * size
    if values.null_count:
        raise ValueError("has lists that hold NULL; shards hold none")
    if pa.types.is_boolean(inner):
        values = values.cast(pa.uint8())
    dtype = np.dtype(layout.dtype).newbyteorder("<")
    arrow_type = pa.from_numpy_dtype(np.dtype(layout.dtype))
    if pa.types.is_integer(arrow_type) and values.type != arrow_type:
        values = values.cast(arrow_type)  # refuses what would not fit
    flat = np.ascontiguousarray(values.to_numpy(zero_copy_only=False).astype(dtype, copy=False))
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(layout.width), len(array), [None, pa.py_buffer(flat)]
    )


def _from_bytes(array: pa.Array, layout: Layout) -> pa.FixedSizeBinaryArray:
    lengths = np.asarray(pc.binary_length(array))
    if len(wrong := np.flatnonzero(lengths != layout.width)):
        shape = f"{layout.dtype} of shape {list(layout.shape)}"
        raise BadRow(
            int(wrong[0]), f"found {int(lengths[wrong[0]])} bytes, expected {layout.width} ({shape})"
        )
    return (
        array.cast(pa.binary()).cast(pa.binary(layout.width))
        if len(array)
        else pa.array([], pa.binary(layout.width))
    )
