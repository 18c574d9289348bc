"""Power law of the keys' counts from a frequency spectrum: how many keys were seen how often.

Discrete maximum likelihood, its start by the least Kolmogorov–Smirnov distance (Clauset, Shalizi & Newman
2009, §3). Works on the spectrum, whose length grows like the square root of the rows, never on the list of
keys.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import zeta

# candidates for xmin; a longer spectrum is tried at its first counts and then evenly in the log of their
# position
STARTS = 200
FAR = 100  # from here Euler–Maclaurin with four terms is ζ to rounding


@dataclass(frozen=True)
class Fit:
    """P(count = x) ∝ x^-alpha for x ≥ xmin; `ks` is the largest distance of the distribution functions
    there.
    """

    alpha: float
    xmin: int
    ks: float
    tail_keys: int


def power_law(frequency_F: np.ndarray, keys_F: np.ndarray, min_tail: int = 50) -> Fit | None:
    """Discrete maximum-likelihood power law; xmin by the least Kolmogorov–Smirnov distance, at least
    `min_tail` keys above it.

    Up to `STARTS` counts with that many keys are tried as xmin, so the cost is linear in the length of the
    spectrum.

    Args:
        frequency_F: ascending distinct counts ≥ 1, shape (F,).
        keys_F: keys with that count, shape (F,).
    Returns: None where fewer than three distinct counts or `min_tail` keys are there to fit.
    """
    x_F, n_F = frequency_F.astype(float), keys_F.astype(float)
    tail_F = n_F[::-1].cumsum()[::-1]  # keys with at least this count
    log_mean_F = (n_F * np.log(x_F))[::-1].cumsum()[::-1] / tail_F
    best = None
    for start in starts(int((tail_F[:-2] >= min_tail).sum())):
        alpha = _most_likely(log_mean_F[start], x_F[start])
        ks = distance(x_F[start:], n_F[start:], alpha)
        if best is None or ks < best.ks:
            best = Fit(alpha, int(x_F[start]), ks, round(tail_F[start]))
    return best and Fit(round(best.alpha, 4), best.xmin, round(best.ks, 4), best.tail_keys)


def starts(candidates: int) -> np.ndarray:
    """Positions tried, ascending, shape (P,): all, or about `STARTS` that lie evenly in log position."""
    if candidates <= STARTS:
        return np.arange(candidates)
    positions = np.geomspace(1, candidates, STARTS).astype(int) - 1
    return np.union1d(np.arange(STARTS // 2), positions[positions >= STARTS // 2])


def distance(x_F: np.ndarray, n_F: np.ndarray, alpha: float) -> float:
    """Kolmogorov–Smirnov over all whole numbers ≥ x_F[0]: between two counts that occur, the law alone
    rises.
    """
    total = hurwitz(alpha, x_F[:1])[0]
    at, before = (1 - hurwitz(alpha, y) / total for y in (x_F + 1, x_F))
    empirical_F = np.cumsum(n_F) / n_F.sum()
    return float(
        max(np.abs(empirical_F - at).max(), np.abs(np.concatenate([[0.0], empirical_F[:-1]]) - before).max())
    )


def exponent(x_F: np.ndarray, n_F: np.ndarray) -> float:
    """The most likely alpha of counts x_F ≥ x_F[0] that n_F keys have each."""
    return _most_likely(float((n_F * np.log(x_F)).sum() / n_F.sum()), x_F[0])


def log_likelihoods(x_F: np.ndarray, alpha: float) -> np.ndarray:
    """log P(count = x) of the law that starts at x_F[0], shape (F,)."""
    return -alpha * np.log(x_F) - np.log(zeta(alpha, x_F[0]))


def _most_likely(log_mean: float, xmin: float) -> float:
    def cost(alpha: float) -> float:
        return float(np.log(zeta(alpha, xmin))) + alpha * log_mean

    return float(minimize_scalar(cost, bounds=(1.01, 6.0), method="bounded", options={"xatol": 1e-6}).x)


def hurwitz(alpha: float, y_F: np.ndarray) -> np.ndarray:
    """ζ(alpha, y) = Σ_{i ≥ 0} (y + i)^-alpha; SciPy's near 1, Euler–Maclaurin beyond, ten times faster."""
    near = int(np.searchsorted(y_F, FAR))
    y = y_F[near:]
    power = y**-alpha
    bernoulli = 1 / 12 - (alpha + 1) * (alpha + 2) / (720 * y * y)
    return np.concatenate([zeta(alpha, y_F[:near]), power * (y / (alpha - 1) + 0.5 + alpha / y * bernoulli)])
