"""Slices of the test rows that the user names: every value of a column, or the rows where a comparison
holds.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError

MOST_VALUES = 20  # of a column; the most frequent ones
COMPARISON = re.compile(r"^\s*(\w+)\s*(<=|>=|==|=|!=|<|>)\s*(.+?)\s*$")
COMPARE = {
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
}


def masks(test: pa.Table, slices: Sequence[str]) -> dict[str, np.ndarray]:
    """For each slice its rows, (N,) bool; a NULL is in no comparison. `country` gives a slice a value, `hour
    < 9` one.

    ConfigError where there is no such column, or its values cannot be compared with what is written.
    """
    masks_by_slice: dict[str, np.ndarray] = {}
    for slice_ in slices:
        match = COMPARISON.match(slice_)
        name = match[1] if match else slice_.strip()
        if name not in test.column_names:
            raise ConfigError(
                f"evaluate.slices: '{slice_}': prepare.sql gives no column "
                f"'{name}'{did_you_mean(name, test.column_names)}"
            )
        column = test[name].combine_chunks()
        if pa.types.is_nested(column.type):
            raise ConfigError(f"evaluate.slices: '{slice_}': a list has no value to slice by")
        if match:
            masks_by_slice[slice_.strip()] = _bools(
                COMPARE[match[2]](column, _literal(match[3], column.type, slice_))
            )
        else:
            counts = sorted(
                pc.value_counts(column).to_pylist(), key=lambda pair: (-pair["counts"], str(pair["values"]))
            )
            for pair in counts[:MOST_VALUES]:
                value = pair["values"]
                of_value = (
                    pc.is_null(column) if value is None else pc.equal(column, pa.scalar(value, column.type))
                )
                masks_by_slice[f"{name} = {'NULL' if value is None else value}"] = _bools(of_value)
    return masks_by_slice


def _literal(text: str, type_: pa.DataType, slice_: str) -> pa.Scalar:
    """What is compared with: a text may stand in quotes; a number stays one, whatever the column's own
    width.
    """
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
    target_type = pa.float64() if pa.types.is_integer(type_) or pa.types.is_floating(type_) else type_
    try:
        return pa.scalar(bare).cast(target_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(
            f"evaluate.slices: '{slice_}': {bare!r} is no value of a column of {type_}"
        ) from error


def _bools(mask: pa.Array) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False).astype(bool)
