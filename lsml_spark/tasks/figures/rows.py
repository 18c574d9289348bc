"""Rows and what each weighs: the same for all figures.

A weight is that of a row in a mean; only the proportions matter. A row of weight 0 is as if it were
not there.
"""

import numpy as np

# One a row, or None where all weigh the same.
Weights = np.ndarray | None


def present(weights_B: Weights, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """(weights (B,) in float64, *columns (B, …)) of the rows that weigh something; each 1 without weights.

    ValueError for a weight that is negative or not finite.
    """
    arrays = [np.asarray(column) for column in columns]
    assert len({len(array) for array in arrays}) == 1, [array.shape for array in arrays]
    if weights_B is None:
        return np.ones(len(arrays[0])), *arrays
    weights_B = np.asarray(weights_B, dtype=np.float64)
    assert weights_B.shape == (len(arrays[0]),), (weights_B.shape, arrays[0].shape)
    if bad := int((~(np.isfinite(weights_B) & (weights_B >= 0))).sum()):
        raise ValueError(f"{bad} of {len(weights_B)} row weights are negative or not finite")
    kept_B = weights_B > 0
    return weights_B[kept_B], *(array[kept_B] for array in arrays)


def mean(values_B: np.ndarray, weights_B: np.ndarray) -> float:
    """Weighted mean of `present` rows; NaN without rows."""
    assert values_B.shape == weights_B.shape, (values_B.shape, weights_B.shape)
    return float((values_B * weights_B).sum() / weights_B.sum()) if len(values_B) else float("nan")
