"""Apply fitted encoders (encoders.json) to columns: the same code at training and at scoring time, with or
without Spark.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.config import find_component
from lsml_spark.core.errors import IntegrityError
from lsml_spark.data.batch import Ragged
from lsml_spark.transforms.transform import PACKAGE, Transform

TENSORS = ("uint8", "float32")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a finished stage; IntegrityError names the file where it is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError(f"it holds {type(content).__name__}, not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(
            f"{path}: cannot be read ({error}); run the stage that wrote it again"
        ) from error
    return content


def read_encoders(path: Path) -> dict[str, Any]:
    """encoders.json: `label`, and the encoder of each column, or the column that it is `like`. IntegrityError
    as above.

    An encoder says what its column is: `values` (of ids 1, 2, …) or their number `size`, the `width` of
    numbers, or the `shape` and `dtype` of a tensor.
    """
    encoders = read_json(path)
    columns, label = encoders.get("columns"), encoders.get("label")
    if not isinstance(columns, dict) or not isinstance(label, str) or label not in columns:
        raise IntegrityError(
            f"{path}: names no columns with the label among them; run the features stage again"
        )
    for name, encoder in columns.items():
        own = (
            encoder
            if not isinstance(encoder, dict) or "like" not in encoder
            else columns.get(str(encoder["like"]))
        )
        if not isinstance(own, dict) or not _is_told(own):
            raise IntegrityError(
                f"{path}: column '{name}' has no list of values; run the features stage again"
            )
    return encoders


def _is_told(own: Mapping[str, Any]) -> bool:
    if "values" in own:
        return isinstance(own["values"], list) and all(isinstance(value, str) for value in own["values"])
    if "shape" in own:
        sizes = own["shape"] if own.get("dtype") in TENSORS and isinstance(own["shape"], list) else []
    else:
        sizes = [own.get("size", own.get("width"))]
    return (
        isinstance(own.get("use"), str)
        and bool(sizes)
        and all(isinstance(size, int) and size > 0 for size in sizes)
    )


def encoder_of(encoders: Mapping[str, Any], column: str) -> Mapping[str, Any]:
    """The encoder of a column, following `like` to the column whose encoder it borrows."""
    encoder = encoders["columns"][column]
    return encoder_of(encoders, encoder["like"]) if "like" in encoder else encoder


def source_of(encoders: Mapping[str, Any], column: str) -> str:
    """The column of the samples that a feature is made of: its own name, unless the transform says `of`."""
    return str(encoders["columns"][column].get("of", column))


def encode(encoders: Mapping[str, Any], batch: pa.RecordBatch, training: bool = False) -> pa.RecordBatch:
    """The batch with every feature whose source is there: ids as int32 (0 is unknown), numbers as float32;
    lists of either; tensors as Arrow's fixed_shape_tensor.

    A feature takes the place of a column of its name, or stands behind the others. Other columns pass
    unchanged. `training`: the rows are those that the encoders were fitted on, and have their label.
    """
    leaves_out = training and any(
        _class(encoder["use"]).knows_targets for encoder in encoders["columns"].values()
    )
    target_NT = targets(encoders, batch) if leaves_out else None
    made = {
        name: _encoded(encoder_of(encoders, name), batch.column(source), target_NT)
        for name in encoders["columns"]
        if (source := source_of(encoders, name)) in batch.schema.names
    }
    for name, array in made.items():
        index = batch.schema.get_field_index(name)
        batch = batch.append_column(name, array) if index < 0 else batch.set_column(index, name, array)
    return batch


def inverse(encoder: Mapping[str, Any], numbers: np.ndarray) -> np.ndarray:
    """Encoded numbers (N,) in the unit of their column again. ValueError where its transform cannot be taken
    back.
    """
    transform = _class(encoder["use"])
    if not hasattr(transform, "inverse"):
        raise ValueError(
            f"the transform `{encoder['use']}` cannot be taken back; a target's must be `standardize`, `log` "
            "or `number`"
        )
    original: np.ndarray = transform.inverse(encoder, numbers)
    return original


def targets(encoders: Mapping[str, Any], batch: pa.RecordBatch) -> np.ndarray:
    """The label of each row as numbers (N, T): the number that its transform makes of it; of two labels
    whether it is the second, the less frequent one; of K labels K numbers, one of which is 1. NaN where it is
    unknown."""
    label = encoders["label"]
    encoder = encoder_of(encoders, label)
    encoded = _encoded(encoder, batch.column(source_of(encoders, label))).to_numpy(zero_copy_only=False)
    if "width" in encoder:
        return encoded.astype(np.float64)[:, None]
    values = len(encoder["values"]) if "values" in encoder else encoder["size"]
    which = np.array([2]) if values == 2 else np.arange(1, values + 1)
    return np.where(encoded[:, None] == 0, np.nan, encoded[:, None] == which)


def _encoded(encoder: Mapping[str, Any], array: pa.Array, target_NT: np.ndarray | None = None) -> pa.Array:
    if pa.types.is_list(array.type) and "width" not in encoder:  # a list becomes so many numbers as a whole
        return _list(
            array.flatten(),
            pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False),
            encoder,
        )
    transform = _class(encoder["use"])
    result = transform.apply(encoder, array)
    if target_NT is not None and transform.knows_targets:
        result = transform.apply_to_training(encoder, array, target_NT)
    return _tensors(result, encoder) if "shape" in encoder else _arrow(result)


def _list(items: pa.Array, lengths: np.ndarray, encoder: Mapping[str, Any]) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, *lengths.cumsum()], pa.int32()), _encoded(encoder, items))


def _tensors(rows: Any, encoder: Mapping[str, Any]) -> pa.Array:
    shape, flat = encoder["shape"], pa.array(np.ascontiguousarray(rows, encoder["dtype"]).ravel())
    type_ = pa.fixed_shape_tensor(flat.type, shape)
    return pa.ExtensionArray.from_storage(
        type_, pa.FixedSizeListArray.from_arrays(flat, type=type_.storage_type)
    )


def _arrow(values: np.ndarray | Ragged) -> pa.Array:
    if isinstance(values, Ragged):
        return pa.ListArray.from_arrays(
            pa.array(values.offsets_N1.astype(np.int32)), pa.array(values.values_T.astype(np.int32))
        )
    if values.ndim == 2:
        flat = pa.array(values.astype(np.float32).ravel())
        return pa.ListArray.from_arrays(
            pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]), flat
        )
    return pa.array(values.astype(np.int32 if values.dtype.kind in "iu" else np.float32))


@cache
def _class(use: str) -> type[Transform]:
    return find_component(Transform, PACKAGE, use)
