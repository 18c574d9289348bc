"""Zipf's law from a frequency spectrum: how many keys were seen how often.

All functions work on the spectrum, whose length grows like the square root of the rows, never on the list of keys.
Sources: Clauset, Shalizi & Newman 2009 (fit); Good 1953 (unseen mass); Chao 1984 (unseen keys).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import zeta


@dataclass(frozen=True)
class Fit:
    """P(count = x) ∝ x^-alpha for x ≥ xmin; `ks` is the largest distance of the distribution functions there."""

    alpha: float
    xmin: int
    ks: float
    tail_keys: int


def power_law(frequency_F: np.ndarray, keys_F: np.ndarray, min_tail: int = 50) -> Fit | None:
    """Discrete maximum-likelihood power law; xmin by the least Kolmogorov–Smirnov distance, at least `min_tail` keys above it.

    Args:
        frequency_F: ascending distinct counts ≥ 1, shape (F,).
        keys_F: keys with that count, shape (F,).
    Returns: None where fewer than three distinct counts or `min_tail` keys are there to fit.
    """
    best = None
    for start in range(len(frequency_F) - 2):
        x, n = frequency_F[start:].astype(float), keys_F[start:].astype(float)
        if n.sum() < min_tail:
            break
        alpha = _alpha(x, n)
        ks = _distance(x, n, alpha)
        if best is None or ks < best.ks:
            best = Fit(round(alpha, 4), int(x[0]), round(ks, 4), int(n.sum()))
    return best


def _distance(x: np.ndarray, n: np.ndarray, alpha: float) -> float:
    """Kolmogorov–Smirnov over all whole numbers ≥ x[0]: between two counts that occur, the law alone rises."""
    at, before = (1 - zeta(alpha, y) / zeta(alpha, x[0]) for y in (x + 1, x))
    found = np.cumsum(n) / n.sum()
    return float(max(np.abs(found - at).max(), np.abs(np.concatenate([[0.0], found[:-1]]) - before).max()))


def _alpha(x: np.ndarray, n: np.ndarray) -> float:
    log_mean = float((n * np.log(x)).sum() / n.sum())

    def cost(alpha: float) -> float:
        return float(np.log(zeta(alpha, x[0]))) + alpha * log_mean

    return float(minimize_scalar(cost, bounds=(1.01, 6.0), method="bounded", options={"xatol": 1e-6}).x)


def unseen_mass(frequency_F: np.ndarray, keys_F: np.ndarray) -> float:
    """Good–Turing: the share of tomorrow's rows whose key was never seen, f₁ / N."""
    rows = int((frequency_F * keys_F).sum())
    return hapaxes(frequency_F, keys_F) / rows if rows else 1.0


def unseen_keys(frequency_F: np.ndarray, keys_F: np.ndarray) -> float:
    """Chao 1, bias-corrected: a lower bound of the number of keys not seen yet, f₁(f₁−1) / 2(f₂+1)."""
    once = hapaxes(frequency_F, keys_F)
    twice = int(keys_F[frequency_F == 2].sum())
    return once * (once - 1) / (2 * (twice + 1))


def hapaxes(frequency_F: np.ndarray, keys_F: np.ndarray) -> int:
    """Keys seen exactly once."""
    return int(keys_F[frequency_F == 1].sum())


def coverage(frequency_F: np.ndarray, keys_F: np.ndarray, points: int = 100) -> list[tuple[int, float]]:
    """Share of rows that belong to the r most frequent keys, at up to `points` ranks r on a log scale."""
    ranks = np.cumsum(keys_F[::-1])
    share = np.cumsum((frequency_F * keys_F)[::-1]) / (frequency_F * keys_F).sum()
    wanted = np.unique(np.searchsorted(ranks, np.geomspace(1, ranks[-1], points)))
    return [(int(ranks[i]), round(float(share[i]), 6)) for i in wanted]
