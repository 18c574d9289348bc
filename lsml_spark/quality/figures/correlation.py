"""Correlations of all pairs of columns at once, where any of them may miss values. Pure functions of
arrays.
"""

import numpy as np
from scipy.stats import rankdata


def pairwise(x_ND: np.ndarray, at_least: int = 30) -> np.ndarray:
    """Pearson's r of every pair over the rows where both have a value, shape (D, D).

    NaN where fewer than `at_least` rows have both, or one of the two is constant there. NaN and infinities
    count as missing. Five products of (N, D) matrices; 500 columns of 20,000 rows take seconds.
    """
    there_ND = np.isfinite(x_ND)
    scaled_ND = np.where(there_ND, x_ND, 0.0)
    rows_D = np.maximum(there_ND.sum(0), 1)
    # near 0, or squares lose their digits
    scaled_ND = np.where(there_ND, scaled_ND - scaled_ND.sum(0) / rows_D, 0.0)
    size_D = np.abs(scaled_ND).max(0, initial=0.0)
    scaled_ND = scaled_ND / np.where(size_D > 0, size_D, 1.0)
    mask_ND = there_ND.astype(float)
    n_DD = mask_ND.T @ mask_ND
    sum_DD = scaled_ND.T @ mask_ND  # of the first column, over the rows of the pair
    square_DD = (scaled_ND**2).T @ mask_ND
    n_DD = np.where(n_DD >= max(at_least, 2), n_DD, np.nan)
    covariance_DD = scaled_ND.T @ scaled_ND - sum_DD * sum_DD.T / n_DD
    variance_DD = square_DD - sum_DD**2 / n_DD
    variance_DD = np.where(variance_DD > 1e-12 * np.maximum(square_DD, 1e-300), variance_DD, np.nan)
    return np.clip(covariance_DD / np.sqrt(variance_DD * variance_DD.T), -1.0, 1.0)


def ranks(x_ND: np.ndarray) -> np.ndarray:
    """Mean ranks within each column, NaN where there is no finite value; Pearson's r of them is Spearman's;
    shape (N, D).

    With missing values ranks are those among all values of the column, not among those of the pair.
    """
    rank_ND = np.full(x_ND.shape, np.nan)
    for d in range(x_ND.shape[1]):
        there = np.isfinite(x_ND[:, d])
        rank_ND[there, d] = rankdata(x_ND[there, d])
    return rank_ND
