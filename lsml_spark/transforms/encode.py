"""Apply fitted encoders (encoders.json) to columns: the same code at training and at scoring time, with or without Spark."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.errors import IntegrityError


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a finished stage; IntegrityError names the file where it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError(f"it holds {type(found).__name__}, not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); run the stage that wrote it again") from error
    return found


def read_encoders(path: Path) -> dict[str, Any]:
    """encoders.json: `label`, and by column the `values` of its vocabulary or the column that it is `like`. IntegrityError as above."""
    encoders = read_json(path)
    columns, label = encoders.get("columns"), encoders.get("label")
    if not isinstance(columns, dict) or not isinstance(label, str) or label not in columns:
        raise IntegrityError(f"{path}: names no columns with the label among them; run the features stage again")
    for name, encoder in columns.items():
        own = encoder if not isinstance(encoder, dict) or "like" not in encoder else columns.get(str(encoder["like"]))
        values = own.get("values") if isinstance(own, dict) else None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise IntegrityError(f"{path}: column '{name}' has no list of values; run the features stage again")
    return encoders


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
