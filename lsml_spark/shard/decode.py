"""A shard's columns back as Arrow's own lists and numbers, without a step per row: for people, SQL and other
engines.
"""

import numpy as np
import pyarrow as pa

from lsml_spark.data.parquet.fields import Layout, layout_of


def decoded(table: pa.Table) -> pa.Table:
    """The table with ragged columns as lists, tensors as nested lists, records as their columns; `lsml`
    metadata is gone.
    """
    columns: dict[str, pa.Array] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        layout, array = layout_of(field), column.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], field.type)
        if layout.kind == "record":
            columns |= from_record(array, layout)
        else:
            columns[field.name] = from_bytes(array, layout)
    return pa.table(columns)


def from_bytes(array: pa.Array, layout: Layout) -> pa.Array:
    """Lists of a ragged column, nested lists of a tensor; what is neither comes back as it is. ValueError for
    bytes that do not fit.
    """
    if layout.kind == "tensor":
        values = pa.array(_values(array, layout).ravel())
        for size in reversed(layout.shape):
            values = pa.ListArray.from_arrays(
                pa.array(np.arange(len(values) // size + 1, dtype=np.int32) * size), values
            )
        return values
    if layout.kind != "ragged":
        return array
    dtype = np.dtype(layout.dtype)
    plain = array.cast(pa.large_binary())
    _, ends, data = plain.buffers()
    offsets = (
        np.frombuffer(ends, np.int64)[plain.offset : plain.offset + len(plain) + 1]
        if len(plain)
        else np.zeros(1, np.int64)
    )
    if (offsets % dtype.itemsize).any():
        raise ValueError(f"a list is not a whole number of {dtype} values")
    values_V = (
        np.frombuffer(data, dtype, offset=offsets[0], count=(offsets[-1] - offsets[0]) // dtype.itemsize)
        if data
        else np.empty(0, dtype)
    )
    return pa.ListArray.from_arrays(
        pa.array(((offsets - offsets[0]) // dtype.itemsize).astype(np.int32)), pa.array(values_V)
    )


def from_record(array: pa.Array, layout: Layout) -> dict[str, pa.Array]:
    """The columns of a record."""
    values_NK = _values(array, layout)
    return {name: pa.array(np.ascontiguousarray(values_NK[:, k])) for k, name in enumerate(layout.columns)}


def _values(array: pa.Array, layout: Layout) -> np.ndarray:
    """A tensor's or record's values, shape (rows, values of a row). ValueError where a row has another number
    of bytes.
    """
    if pa.types.is_fixed_size_binary(array.type) and array.type.byte_width != layout.width:
        raise ValueError(f"has {array.type.byte_width} bytes a row, its layout says {layout.width}")
    fixed = array.cast(pa.binary(layout.width))  # Spark reads them as binary
    data = fixed.buffers()[1]
    flat = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    rows = flat[fixed.offset * layout.width : (fixed.offset + len(fixed)) * layout.width]
    return rows.view(np.dtype(layout.dtype).newbyteorder("<")).reshape(len(fixed), -1)
