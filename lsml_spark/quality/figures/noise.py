"""The distance that two samples of one and the same law exceed once in a thousand times.

A drift check allows it on top of its limit, so that a small day raises no alarm for being small. `n` and `m`
count what is independent: where whole invoices come and go, invoices, not their lines.
"""

import math

import numpy as np
from scipy.stats import chi2

from lsml_spark.quality.figures.distances import Points

RARE = 0.001


def linf(p_K: np.ndarray, n: float, m: float) -> float:
    """Bernstein's inequality for each category and a union bound over them."""
    log = math.log(2 * max(len(p_K), 1) / RARE)
    variance = float((p_K * (1 - p_K)).max(initial=0.0)) * (1 / n + 1 / m)
    return min(1.0, math.sqrt(2 * variance * log) + log * max(1 / n, 1 / m) / 3)


def total_variation(p_K: np.ndarray, n: float, m: float) -> float:
    """The expectation, at most ½ Σ √(p(1−p)(1/n+1/m)), and McDiarmid's inequality around it."""
    return total_variation_of(float(np.sqrt(p_K * (1 - p_K)).sum()), n, m)


def total_variation_of(spread: float, n: float, m: float) -> float:
    """The same from Σ √(p(1−p)) alone, for keys too many to list."""
    both = 1 / n + 1 / m
    return min(1.0, spread * math.sqrt(both) / 2 + math.sqrt(both * math.log(1 / RARE) / 2))


def jensen_shannon(p_K: np.ndarray, n: float, m: float) -> float:
    """8 ln 2 · JS / (1/n + 1/m) is χ² with K − 1 degrees of freedom for large samples, so its mean is
    (K−1)(1/n+1/m)/(8 ln 2).

    A category that is too rare to be seen in both samples adds its own share at most, hence counts as less
    than one; one with an expected count of 1 to 10 in the smaller sample adds up to 1.3 (simulated for
    Poisson counts).
    """
    unit = (1 / n + 1 / m) / (8 * math.log(2))
    most_K = np.where(p_K * min(n, m) < 10, 1.3, 1.0)
    categories = float(np.minimum(most_K, p_K / unit).sum())
    return min(1.0, unit * float(chi2.isf(RARE, max(categories - 1, 0.1))))


def psi(bins: int, n: float, m: float) -> float:
    """PSI / (1/n + 1/m) is χ² with bins − 1 degrees of freedom (Yurdakul & Naranjo 2020)."""
    return (1 / n + 1 / m) * float(chi2.isf(RARE, max(bins - 1, 0.1)))


def kolmogorov_smirnov(p: Points, n: float, m: float) -> float:
    """Smirnov's limit law, √(−ln(α/2)/2 · (n+m)/(nm)), and the 1/512 that quantile midpoints may be off."""
    off = 1 / len(p.value_P) if len(p.value_P) >= 512 else 0.0
    return min(1.0, math.sqrt(-math.log(RARE / 2) / 2 * (1 / n + 1 / m)) + off)


def wasserstein(p: Points, n: float, m: float) -> float:
    """3.29 standard deviations of F − G at every value, summed over the values: ∫ 3.29 √(F(1−F)(1/n+1/m))."""
    at = np.unique(p.value_P)
    below = p.cdf(at)[:-1]
    return 3.29 * float((np.sqrt(below * (1 - below) * (1 / n + 1 / m)) * np.diff(at)).sum())
