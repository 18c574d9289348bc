"""Short batches filled up, so that every batch of an epoch has one shape (torch.compile, CUDA graphs).

Each lane is filled by itself, behind its rows, so a global batch is the same at every world size. Filling has
weight 0: a loss that is Σ weight · loss / Σ weight does not see it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lsml_spark.core.errors import ConfigError
from lsml_spark.data.batch import Column, Ragged
from lsml_spark.data.parquet.shards import WEIGHT


def filled(
    arrays: dict[str, Column],
    rows_L: Sequence[int],
    each: int,
    blanks: Mapping[str, str | bytes] | None = None,
) -> dict[str, Column]:
    """`arrays` hold `rows_L[l]` rows of lane l, lane after lane; every lane gets `each` rows, the further
    ones zeros, empty lists or, in columns of objects, what `blanks` gives ("" where nothing).

    `weight` is 0 for those; where there is none, it is added: float32, 1 for rows. ConfigError where it is
    not a number per row.
    """
    rows = sum(rows_L)
    weight = arrays.get(WEIGHT)
    if weight is None:
        arrays = {**arrays, WEIGHT: np.ones(rows, np.float32)}
    elif isinstance(weight, Ragged) or weight.ndim != 1 or weight.dtype == object:
        raise ConfigError(
            f"fill_last: column '{WEIGHT}' must be one number per row, since filling is told by its 0"
        )
    if rows == each * len(rows_L):
        return arrays
    places_B = np.concatenate([lane * each + np.arange(size) for lane, size in enumerate(rows_L)])
    blanks = blanks or {}
    return {
        name: _placed(column, places_B, each * len(rows_L), blanks.get(name, ""))
        for name, column in arrays.items()
    }


def _placed(column: Column, places_B: np.ndarray, rows: int, blank: str | bytes) -> Column:
    if isinstance(column, Ragged):
        lengths = np.zeros(rows, np.int64)
        lengths[places_B] = np.diff(column.offsets_N1)
        return Ragged(column.values_T, np.concatenate([[0], np.cumsum(lengths)]))
    out = (
        np.full(rows, blank, dtype=object)
        if column.dtype == object
        else np.zeros((rows, *column.shape[1:]), column.dtype)
    )
    out[places_B] = column
    return out
