"""Apply fitted encoders (encoders.json) to columns: the same code at training and at scoring time, with or without Spark."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def encoder_of(encoders: Mapping[str, Any], column: str) -> Mapping[str, Any]:
    """The encoder of a column, following `like` to the column whose vocabulary it borrows."""
    encoder = encoders["columns"][column]
    return encoder_of(encoders, encoder["like"]) if "like" in encoder else encoder


def encode(encoders: Mapping[str, Any], batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with every column that has an encoder replaced by its ids: int32, or list<int32> for lists.

    0 stands for unknown, NULL included; i ≥ 1 is `values[i-1]`. Other columns pass unchanged.
    """
    for column in encoders["columns"]:
        index = batch.schema.get_field_index(column)
        if index >= 0:
            ids = _ids(encoder_of(encoders, column)["values"], batch.column(index))
            batch = batch.set_column(index, column, ids)
    return batch


def _ids(values: list[str], array: pa.Array) -> pa.Array:
    if pa.types.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array([0, *lengths.cumsum()], pa.int32())
        return pa.ListArray.from_arrays(offsets, _ids(values, array.flatten()))
    known = pa.array(values, pa.string())
    found = pc.index_in(array.cast(pa.string()), value_set=known, skip_nulls=True)
    return pc.fill_null(pc.add(found, 1), 0).cast(pa.int32())
