"""Heaps' law: how the number of keys grows with the rows.

The expected keys among n rows drawn without replacement are exact from the spectrum (rarefaction: Hurlbert
1971), no row is drawn: E K(n) = Σ_f keys_f [1 − C(N−f, n) / C(N, n)]. Heaps' exponent β is the slope of ln K
over ln n.
"""

import numpy as np
from scipy.special import gammaln

NEAR = 50  # below, Stirling's series is too short


def curve(frequency_F: np.ndarray, keys_F: np.ndarray, points: int = 30) -> list[tuple[int, float]]:
    """(n, expected distinct keys among n random rows) at up to `points` n on a log scale, the last being all
    rows.
    """
    rows = int(frequency_F @ keys_F)
    if not rows:
        return []
    sizes = np.unique(np.geomspace(1, rows, points).round().astype(np.int64))
    return [(int(n), round(expected_keys(frequency_F, keys_F, int(n)), 3)) for n in sizes]


def expected_keys(frequency_F: np.ndarray, keys_F: np.ndarray, n: int) -> float:
    """Distinct keys expected among n of the spectrum's rows, drawn without replacement."""
    rows = int(frequency_F @ keys_F)
    return float(keys_F @ -np.expm1(log_missed(frequency_F, rows, n)))


def log_missed(f_F: np.ndarray, rows: int, n: int) -> np.ndarray:
    """ln C(N−f, n) / C(N, n), the chance that none of a key's f rows is drawn; −∞ where one must be.

    The four ln Γ are as large as N ln N and their sum as small as f n / N: Stirling's series is summed with
    ln N taken out, which leaves a relative error of about N / 2⁵³ (1e-5 at 10¹¹ rows).
    """
    left_F = rows - n - f_F  # rows that are neither drawn nor the key's
    missed_F = np.full(len(f_F), -np.inf)
    near, far = (left_F >= 0) & (left_F < NEAR), left_F >= NEAR
    f = f_F[near]
    missed_F[near] = (
        gammaln(rows - f + 1) - gammaln(left_F[near] + 1) - gammaln(rows + 1) + gammaln(rows - n + 1)
    )
    if not far.any():
        return missed_F
    f, left = f_F[far].astype(float), left_F[far].astype(float)
    series = (
        (rows - n + 0.5) * np.log1p(-n / rows)
        - (left + 0.5) * np.log1p(-(n + f) / rows)
        + (rows - f + 0.5) * np.log1p(-f / rows)
    )
    missed_F[far] = series + (1 / (rows - n) - 1 / left - 1 / rows + 1 / (rows - f)) / 12
    return missed_F


def exponent(points: list[tuple[int, float]]) -> float | None:
    """β of K ≈ c n^β by least squares of the logarithms, over the upper half of the curve (n ≥ √N); None
    below three points.
    """
    upper = [(n, keys) for n, keys in points if n * n >= points[-1][0] and n > 1]
    if len(upper) < 3:
        return None
    n_P, keys_P = np.log(np.array(upper)).T
    return round(float(np.polyfit(n_P, keys_P, 1)[0]), 4)
