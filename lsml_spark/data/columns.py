"""The columns of one row group as they are held, and the gather that makes a batch of them: once per batch, no loop over rows.

A fixed-width column is bytes (rows, width), often a view of the memory-mapped file; alignment then does not matter, since rows are copied
whole. Everything of varying length stays an Arrow array, whose `take` copies a row at a time in C++.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.data.batch import Ragged
from lsml_spark.data.fields import Layout

Places = slice | np.ndarray  # which rows of a batch


@dataclass(frozen=True)
class Fixed:
    """N rows of one shape: `stored` is the type in the file, `dtype` that of the batch (Parquet keeps uint8 as int32)."""

    rows_NW: np.ndarray
    stored: np.dtype
    dtype: np.dtype
    shape: tuple[int, ...] = ()
    mapped: bool = False  # a view of the file's pages, which the kernel may take back

    def __len__(self) -> int:
        return len(self.rows_NW)

    @property
    def nbytes(self) -> int:
        """Memory of its own."""
        return 0 if self.mapped else int(self.rows_NW.nbytes)

    @property
    def kind(self) -> tuple:
        """What must agree between row groups."""
        return ("fixed", self.dtype, self.shape)


@dataclass(frozen=True)
class Varied:
    """Lists of `dtype` (as binary of raw values, or as Arrow lists), or text and bytes where that is None."""

    array: pa.Array
    dtype: np.dtype | None

    def __len__(self) -> int:
        return len(self.array)

    @property
    def nbytes(self) -> int:
        return int(self.array.nbytes)

    @property
    def kind(self) -> tuple:
        return ("varied", self.dtype)


Held = Fixed | Varied


@dataclass(frozen=True)
class Part:
    """The rows `rows_P` of a held column, and where in the batch they go."""

    column: Held
    rows_P: np.ndarray
    places: Places


def held_of(column: pa.ChunkedArray, layout: Layout) -> Held:
    """A decoded Parquet column. ValueError where it has nulls or its bytes do not fit its layout."""
    if column.null_count:
        raise ValueError(f"it has {column.null_count} nulls")
    type_ = column.type
    if pa.types.is_fixed_size_list(type_) and _is_number(type_.value_type):
        dtype = np.dtype(type_.value_type.to_pandas_dtype())
        values = column.combine_chunks()
        values = values.flatten() if isinstance(values, pa.Array) else pa.concat_arrays([chunk.flatten() for chunk in values.chunks])
        if values.null_count:
            raise ValueError("its lists hold nulls")
        flat = np.ascontiguousarray(values.to_numpy(zero_copy_only=False))
        return Fixed(flat.view(np.uint8).reshape(len(column), -1), dtype, dtype, (type_.list_size,))
    if pa.types.is_fixed_size_binary(type_) and layout.kind in ("tensor", "record"):
        dtype, shape = fixed_form(layout)
        if type_.byte_width != layout.width:
            raise ValueError(f"it has {type_.byte_width} bytes a row, its layout says {layout.width}")
        chunks = [_bytes_of(chunk) for chunk in column.chunks]
        return Fixed(np.concatenate([np.empty((0, layout.width), np.uint8), *chunks]), dtype, dtype, shape)
    if layout.kind == "ragged" or pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return _lists(_one(column), layout)
    if layout.kind in ("text", "bytes"):
        return Varied(_one(column), None)
    if not (_is_number(type_) or pa.types.is_boolean(type_)):
        raise ValueError(f"it has the type {type_}, of which there are no tensors")
    flat = np.ascontiguousarray(column.to_numpy())
    return Fixed(flat.view(np.uint8).reshape(len(flat), flat.itemsize), flat.dtype, flat.dtype)


def fixed_form(layout: Layout) -> tuple[np.dtype, tuple[int, ...]]:
    """(dtype, shape of a row) of a tensor or a record."""
    return np.dtype(layout.dtype).newbyteorder("<"), layout.shape if layout.kind == "tensor" else (len(layout.columns),)


def gather(parts: Sequence[Part], rows: int) -> np.ndarray | Ragged:
    """`rows` rows of one column, each part's where it says; text and bytes come as objects."""
    first = parts[0].column
    if isinstance(first, Fixed):
        return _gather_fixed(parts, first, rows)
    taken = [pc.take(part.column.array, pa.array(part.rows_P)) for part in parts]  # type: ignore[union-attr]
    array = pa.concat_arrays(taken) if len(taken) > 1 else taken[0]
    if not isinstance(parts[0].places, slice):
        back_B = np.empty(rows, np.int64)
        back_B[np.concatenate([part.places for part in parts])] = np.arange(rows)
        array = pc.take(array, pa.array(back_B))
    return array.to_numpy(zero_copy_only=False) if first.dtype is None else ragged_of(array, first.dtype)


def _gather_fixed(parts: Sequence[Part], first: Fixed, rows: int) -> np.ndarray:
    width = first.rows_NW.shape[1]
    out = np.empty((rows, width), np.uint8)
    for part in parts:
        source = part.column.rows_NW  # type: ignore[union-attr]
        if isinstance(part.places, slice):
            # Rows are in range by the plan; with mode "raise" numpy would gather into a buffer and copy that.
            np.take(source, part.rows_P, axis=0, out=out[part.places], mode="clip")
        else:
            out[part.places] = source[part.rows_P]
    flat = out.reshape(-1).view(first.stored).astype(first.dtype, copy=False)
    return flat.reshape(rows, *first.shape)


def ragged_of(array: pa.Array, dtype: np.dtype) -> Ragged:
    """Lists or raw bytes of lists as values and offsets; the values are a view."""
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        offsets_N1 = array.offsets.to_numpy().astype(np.int64)
        values = array.flatten().to_numpy(zero_copy_only=False)
        return Ragged(values, offsets_N1 - offsets_N1[0] if len(offsets_N1) else np.zeros(1, np.int64))
    offsets_N1 = _offsets(array) // dtype.itemsize
    data = array.buffers()[2]
    whole = (data.size if data else 0) // dtype.itemsize
    values = np.frombuffer(data, dtype, count=whole) if whole else np.empty(0, dtype)
    return Ragged(values[offsets_N1[0] : offsets_N1[-1]], offsets_N1 - offsets_N1[0])


def _lists(array: pa.Array, layout: Layout) -> Varied:
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        if not _is_number(array.type.value_type) or array.flatten().null_count:
            raise ValueError(f"it has lists of {array.type.value_type}, or nulls in them; a batch holds lists of numbers")
        return Varied(array, np.dtype(array.type.value_type.to_pandas_dtype()))
    dtype = np.dtype(layout.dtype).newbyteorder("<")
    if (_offsets(array) % dtype.itemsize).any():
        raise ValueError(f"a list is not a whole number of {dtype} values")
    return Varied(array, dtype)


def _offsets(array: pa.Array) -> np.ndarray:
    wide = pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)
    ends = array.buffers()[1]
    if ends is None or not len(array):
        return np.zeros(1, np.int64)
    return np.frombuffer(ends, np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; wide offsets where it came in several, which is where narrow ones do not reach."""
    if column.num_chunks == 1:
        return column.chunk(0)
    wide = {pa.binary(): pa.large_binary(), pa.string(): pa.large_string()}.get(column.type, column.type)
    chunks = [chunk.cast(wide) for chunk in column.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], wide)


def _bytes_of(chunk: pa.FixedSizeBinaryArray) -> np.ndarray:
    width, data = chunk.type.byte_width, chunk.buffers()[1]
    if not len(chunk):
        return np.empty((0, width), np.uint8)
    return np.frombuffer(data, np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(len(chunk), width)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))
