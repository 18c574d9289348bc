"""The physical form of a shard: what makes a row group become tensors without a per-row step.

No nulls, so columns are REQUIRED. A list of numbers is stored as Parquet binary of its raw little-endian
bytes, which reads seven times faster than Parquet's own lists; a tensor, whose shape is the same in every
row, and a record of several numeric columns as bytes of a fixed length, which a reader maps from the file.
Each field's `lsml` metadata (`data/parquet/fields.py`) says how to undo it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from lsml_spark.data.parquet.fields import Layout
from lsml_spark.shard.lists import as_ragged, as_tensor

# rows that are put side by side at a time: their columns and their records fit the cache together
BLOCK = 1024


class Unfit(ValueError):
    """A value that a shard cannot hold, or not as it was declared; the message names the column."""


@dataclass(frozen=True)
class Form:
    """`packed`: numeric columns that go into one record per dtype, in this order; `tensors`: dtype and shape
    of columns of one shape.
    """

    packed: tuple[str, ...] = ()
    tensors: Mapping[str, Layout] = field(default_factory=dict)


PLAIN = Form()


def to_shard(table: pa.Table, form: Form = PLAIN) -> pa.Table:
    """The same rows in a shard's columns, records last. Unfit (a ValueError) where a value is NULL, or not
    what `form` says.

    float64 becomes float32, booleans uint8. A dtype with a single column to pack keeps it as the flat column
    that it is.
    """
    columns: dict[str, tuple[pa.Array, Layout]] = {}
    packed: dict[str, list[tuple[str, np.ndarray]]] = {}
    for field_, column in zip(table.schema, table.combine_chunks().columns, strict=True):
        name = field_.name
        if column.null_count:
            raise Unfit(
                f"column '{name}' has {column.null_count} NULLs; shards hold none: fill in by "
                "quality.missing, or coalesce in the SQL"
            )
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        try:
            columns[name] = _laid_out(field_, array, form.tensors.get(name))
        except ValueError as error:  # ArrowInvalid is one
            raise Unfit(_with_row(name, error, table)) from error
        if name in form.packed:
            flat = columns[name][0]
            if not is_number(flat.type):
                raise Unfit(
                    f"column '{name}' holds {field_.type} values; only numbers can be packed into a record"
                )
            packed.setdefault(str(np.dtype(flat.type.to_pandas_dtype())), []).append((name, flat.to_numpy()))
    for dtype, unsorted in packed.items():
        if len(unsorted) == 1:
            continue
        parts = sorted(unsorted, key=lambda part: form.packed.index(part[0]))
        name = f"record_{dtype}"
        if name in columns:
            raise Unfit(f"column '{name}' has the name of a record; give it another one")
        for part, _ in parts:
            del columns[part]
        columns[name] = (
            _record([values for _, values in parts]),
            Layout("record", dtype, columns=tuple(part for part, _ in parts)),
        )
    fields = [
        pa.field(name, array.type, nullable=False, metadata=layout.metadata())
        for name, (array, layout) in columns.items()
    ]
    return pa.Table.from_arrays([array for array, _ in columns.values()], schema=pa.schema(fields))


def is_number(type_: pa.DataType) -> bool:
    """Of a fixed width that numpy knows: integers, floats and (as uint8) booleans."""
    return pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_)


def _laid_out(field_: pa.Field, array: pa.Array, tensor: Layout | None) -> tuple[pa.Array, Layout]:
    type_ = field_.type
    if tensor is not None:
        return as_tensor(array, tensor), tensor
    if pa.types.is_list(type_):
        return as_ragged(array), Layout("ragged", str(np.dtype(type_.value_type.to_pandas_dtype())))
    if pa.types.is_nested(type_):
        raise ValueError(f"holds {type_} values; shards hold numbers, texts, bytes and lists of numbers")
    if pa.types.is_float64(type_):
        return array.cast(pa.float32()), Layout("scalar")
    if pa.types.is_boolean(type_):
        return array.cast(pa.uint8()), Layout("scalar")
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return array, Layout("text")
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return array, Layout("bytes")
    return array, Layout("scalar")


def _with_row(name: str, error: ValueError, table: pa.Table) -> str:
    """The error's words after the column's name and, where it is about one row, that row's sample id."""
    row = getattr(error, "row", None)
    if row is not None and "sample_id" in table.column_names:
        return f"column '{name}', sample_id {table['sample_id'][row].as_py()!r}: {error}"
    return f"column '{name}' {error}"


def _record(columns: Sequence[np.ndarray]) -> pa.FixedSizeBinaryArray:
    """Values of one row side by side: k arrays of shape (rows,) and one dtype become (rows,) of k · itemsize
    bytes.
    """
    rows, dtype = len(columns[0]), columns[0].dtype
    record_NK = np.empty((rows, len(columns)), dtype)
    for start in range(0, rows, BLOCK):
        for k, values_N in enumerate(columns):
            record_NK[start : start + BLOCK, k] = values_N[start : start + BLOCK]
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(len(columns) * dtype.itemsize), rows, [None, pa.py_buffer(record_NK)]
    )
