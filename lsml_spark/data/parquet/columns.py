"""The columns of one row group as they are held, and the gather that makes a batch of them: once per batch,
no loop over rows.

A fixed-width column is bytes (rows, width), often a view of the memory-mapped file; alignment then does not
matter, since rows are copied whole. Everything of varying length stays an Arrow array, whose `take` copies a
row at a time in C++.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.data.batch import Ragged
from lsml_spark.data.parquet.fields import Layout

Places = slice | np.ndarray  # which rows of a batch
# bytes of a row from which a second copy costs more than more calls (measured between 208 and 784)
WIDE = 512

WIDER = {pa.binary(): pa.large_binary(), pa.string(): pa.large_string()}


@dataclass(frozen=True)
class Fixed:
    """N rows of one shape: `stored` is the type in the file, `dtype` that of the batch (Parquet keeps uint8
    as int32).
    """

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
        raise ValueError(
            f"it has {column.null_count} nulls; fill them where the data are made, or leave the column out "
            "of columns"
        )
    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array(
            [chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type
        )
    type_ = column.type
    if pa.types.is_fixed_size_list(type_) and _is_number(type_.value_type):
        dtype = numpy_type(type_.value_type)
        values = column.combine_chunks()
        values = (
            values.flatten()
            if isinstance(values, pa.Array)
            else pa.concat_arrays([chunk.flatten() for chunk in values.chunks])
        )
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
    return np.dtype(layout.dtype).newbyteorder("<"), layout.shape if layout.kind == "tensor" else (
        len(layout.columns),
    )


class StepOrder:
    """Rows of a block step by step instead of lane by lane. `edges_LK1`: lane l gives its rows [edges[l][k],
    edges[l][k + 1]) to step k.
    """

    def __init__(self, edges_LK1: Sequence[Sequence[int]]):
        edges = np.asarray(edges_LK1)
        # of each lane in each step
        self.sizes_M, self.starts_M = np.diff(edges).T.ravel(), edges[:, :-1].T.ravel()
        before = np.concatenate([[0], np.cumsum(self.sizes_M)])
        self.before_M = before[:-1]
        self.edges: list[int] = before[:: len(edges)].tolist()  # step k has the rows [edges[k], edges[k + 1])
        self.lanes, self.steps = len(edges), edges.shape[1] - 1
        self.even = bool((self.sizes_M == self.sizes_M[0]).all())  # every lane gives every step as many rows

    @cached_property
    def from_B(self) -> np.ndarray:
        """Which row, lane by lane, each row is."""
        return np.arange(self.edges[-1]) + np.repeat(self.starts_M - self.before_M, self.sizes_M)

    @cached_property
    def to_B(self) -> np.ndarray:
        """Where each row, lane by lane, goes."""
        to_B = np.empty_like(self.from_B)
        to_B[self.from_B] = np.arange(len(to_B))
        return to_B

    @cached_property
    def stretches(self) -> list[tuple[int, int, int]]:
        """(first, last, where to) of rows that stay together, lane by lane."""
        runs = sorted(zip(self.starts_M.tolist(), self.sizes_M.tolist(), self.before_M.tolist(), strict=True))
        return [(start, start + size, to) for start, size, to in runs if size]


def gather(parts: Sequence[Part], rows: int, order: StepOrder | None = None) -> np.ndarray | Ragged:
    """`rows` rows of one column, each part's where it says, then put in the order of steps; text and bytes
    come as objects.
    """
    first = parts[0].column
    if isinstance(first, Fixed):
        rows_BW = _gathered(parts, rows, first.rows_NW.shape[1], order)
        flat = rows_BW.reshape(-1).view(first.stored).astype(first.dtype, copy=False)
        return flat.reshape(rows, *first.shape)
    taken = [pc.take(part.column.array, _indices(part.rows_P)) for part in parts]  # type: ignore[union-attr]
    if len({array.type for array in taken}) > 1:  # narrow and wide offsets, of files of several writers
        taken = [array.cast(_wide_type(array.type)) for array in taken]
    array = pa.concat_arrays(taken) if len(taken) > 1 else taken[0]
    from_B = order.from_B if order else None
    if not isinstance(parts[0].places, slice):
        back_B = np.empty(rows, np.int64)
        back_B[np.concatenate([part.places for part in parts])] = np.arange(rows)
        from_B = back_B if from_B is None else back_B[from_B]
    array = array if from_B is None else pc.take(array, _indices(from_B))
    return array.to_numpy(zero_copy_only=False) if first.dtype is None else ragged_of(array, first.dtype)


def _gathered(parts: Sequence[Part], rows: int, width: int, order: StepOrder | None) -> np.ndarray:
    """Wide rows go straight to their place, a take for each lane and step; narrow ones by fewer takes and a
    second, cheap one.
    """
    out_BW = _empty(rows, width)
    straight = order is not None and width >= WIDE
    for part in parts:
        source_NW = part.column.rows_NW  # type: ignore[union-attr]
        if not isinstance(part.places, slice):
            out_BW[order.to_B[part.places] if order else part.places] = source_NW[part.rows_P]
        elif straight and order:
            for first, last, to in _within(order.stretches, part.places):
                source_NW.take(
                    part.rows_P[first - part.places.start : last - part.places.start],
                    0,
                    out_BW[to : to + last - first],
                    "clip",
                )
        else:
            # Rows are in range by the plan; with mode "raise" numpy would gather into a buffer and copy that.
            source_NW.take(part.rows_P, 0, out_BW[part.places], "clip")
    if order is None or straight or not isinstance(parts[0].places, slice):
        return out_BW
    ordered_BW = _empty(rows, width)
    if order.even:  # lanes and steps change places: whole runs of rows are copied
        by_lane = out_BW.reshape(order.lanes, order.steps, -1)
        ordered_BW.reshape(order.steps, order.lanes, -1)[:] = by_lane.transpose(1, 0, 2)
        return ordered_BW
    return out_BW.take(order.from_B, 0, ordered_BW, "clip")


def _within(stretches: list[tuple[int, int, int]], places: slice) -> Iterator[tuple[int, int, int]]:
    at = bisect_right(stretches, places.start, key=lambda stretch: stretch[0]) - 1
    while at < len(stretches) and stretches[at][0] < places.stop:
        first, last, to = stretches[at]
        start = max(first, places.start)
        yield start, min(last, places.stop), to + start - first
        at += 1


def _empty(rows: int, width: int) -> np.ndarray:
    # From Arrow's pool, which keeps what it frees: fresh pages from the kernel cost more than the gather
    # itself.
    return np.frombuffer(pa.allocate_buffer(rows * width), np.uint8).reshape(rows, width)


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
            raise ValueError(
                f"it has lists of {array.type.value_type}, or nulls in them; a batch holds lists of numbers"
            )
        return Varied(array, numpy_type(array.type.value_type))
    dtype = np.dtype(layout.dtype).newbyteorder("<")
    if (_offsets(array) % dtype.itemsize).any():
        raise ValueError(f"a list is not a whole number of {dtype} values")
    return Varied(array, dtype)


def _offsets(array: pa.Array) -> np.ndarray:
    wide = pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)
    ends = array.buffers()[1]
    if ends is None or not len(array):
        return np.zeros(1, np.int64)
    return np.frombuffer(ends, np.int64 if wide else np.int32)[
        array.offset : array.offset + len(array) + 1
    ].astype(np.int64)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece; wide offsets where it came in several, which is where narrow ones do not
    reach.
    """
    if column.num_chunks == 1:
        return column.chunk(0)
    wide = column.type if pa.types.is_list(column.type) else _wide_type(column.type)
    chunks = [chunk.cast(wide) for chunk in column.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], wide)


def _wide_type(type_: pa.DataType) -> pa.DataType:
    """With 64-bit offsets."""
    lists = pa.types.is_list(type_) or pa.types.is_large_list(type_)
    return pa.large_list(type_.value_type) if lists else WIDER.get(type_, type_)


def _bytes_of(chunk: pa.FixedSizeBinaryArray) -> np.ndarray:
    width, data = chunk.type.byte_width, chunk.buffers()[1]
    if not len(chunk):
        return np.empty((0, width), np.uint8)
    return np.frombuffer(data, np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(
        len(chunk), width
    )


def numpy_type(type_: pa.DataType) -> np.dtype:
    """Of a number or boolean. Arrow's own way imports pandas, which takes longer than the first batch."""
    name = str(type_)
    return np.dtype({"halffloat": "float16", "float": "float32", "double": "float64"}.get(name, name))


def _indices(rows_P: np.ndarray) -> pa.Array:
    # pa.array() would import pandas to see whether this is a column of it.
    return pa.Array.from_buffers(pa.int64(), len(rows_P), [None, pa.py_buffer(np.ascontiguousarray(rows_P))])


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))
