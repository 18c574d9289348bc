"""Is a probability of 0.3 right three times in ten? Rows are put into bins by it, and means are compared.

`truth_B` is 1 where what the probability is of came true: the positive class or, with the highest
probability of each row, that the predicted label is right. Empty bins are left out.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lsml_spark.tasks.figures.rows import Weights, present

Binning = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def equal_width(prob_B: np.ndarray, weights_B: np.ndarray, bins: int) -> np.ndarray:
    """Bin (B,) of each row out of `bins` of the same width over [0, 1]; a border belongs to the lower one."""
    return np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], prob_B)


def equal_mass(prob_B: np.ndarray, weights_B: np.ndarray, bins: int) -> np.ndarray:
    """Bin (B,) of each row out of `bins` of nearly equal weight; rows of equal probability stay together."""
    _, tied_B = np.unique(prob_B, return_inverse=True)
    mass_T = np.bincount(tied_B, weights_B)
    middle_T = np.cumsum(mass_T) - mass_T / 2
    bin_T = (middle_T * bins / mass_T.sum()).astype(np.int64)
    return np.minimum(bin_T, bins - 1)[tied_B]


class Reliability(NamedTuple):
    """A reliability plot, one entry a bin: `low_K` to `high_K` is the Wilson interval of `observed_K`."""

    predicted_K: np.ndarray
    observed_K: np.ndarray
    weight_K: np.ndarray
    low_K: np.ndarray
    high_K: np.ndarray


def reliability(
    truth_B: np.ndarray,
    prob_B: np.ndarray,
    weights_B: Weights = None,
    *,
    bins: int = 15,
    binning: Binning = equal_mass,
    level: float = 0.95,
) -> Reliability:
    """Mean probability and observed share of each bin that has rows, in rising order; no bins without rows.

    With weights, Wilson's number of rows is the effective one, (Σ w)² / Σ w² (Kish).
    """
    weights_B, truth_B, prob_B = present(weights_B, truth_B, prob_B)
    bin_B = np.unique(binning(prob_B, weights_B, bins), return_inverse=True)[1]
    weight_K = np.bincount(bin_B, weights_B)
    predicted_K = np.bincount(bin_B, weights_B * prob_B) / weight_K
    observed_K = np.bincount(bin_B, np.where(truth_B, weights_B, 0.0)) / weight_K
    low_K, high_K = wilson(observed_K, weight_K**2 / np.bincount(bin_B, weights_B**2), level)
    return Reliability(predicted_K, observed_K, weight_K, low_K, high_K)


def expected_calibration_error(
    truth_B: np.ndarray,
    prob_B: np.ndarray,
    weights_B: Weights = None,
    *,
    bins: int = 15,
    binning: Binning = equal_mass,
) -> float:
    """Mean over rows of how far their bin's mean probability is from its observed share; NaN without rows."""
    table = reliability(truth_B, prob_B, weights_B, bins=bins, binning=binning)
    if not len(table.weight_K):
        return float("nan")
    gap_K = np.abs(table.predicted_K - table.observed_K)
    return float((gap_K * table.weight_K).sum() / table.weight_K.sum())


def wilson(share_K: np.ndarray, rows_K: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval (1927) of a share of so many rows; (low (K,), high (K,))."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle_K = (share_K + z**2 / (2 * rows_K)) / (1 + z**2 / rows_K)
    reach_K = z * np.sqrt(share_K * (1 - share_K) / rows_K + z**2 / (4 * rows_K**2)) / (1 + z**2 / rows_K)
    return np.maximum(middle_K - reach_K, 0.0), np.minimum(middle_K + reach_K, 1.0)
