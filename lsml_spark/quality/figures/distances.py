"""How far two distributions are apart: pure functions on shares of categories and on weighted points.

`p` is the reference, `q` the day. Shares sum to 1. Points stand for a distribution function as the profile
keeps it: exact up to 512 distinct values, else 512 quantile midpoints, which move a Kolmogorov–Smirnov
distance by at most 1/512.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, t


def linf(p_K: np.ndarray, q_K: np.ndarray) -> float:
    """The largest change of one category's share, in [0, 1] (TensorFlow Data Validation's skew and drift
    measure).
    """
    return float(np.abs(p_K - q_K).max(initial=0.0))


def total_variation(p_K: np.ndarray, q_K: np.ndarray) -> float:
    """½ Σ |p − q|: the share of rows that would have to change category, in [0, 1]."""
    return float(np.abs(p_K - q_K).sum() / 2)


def jensen_shannon(p_K: np.ndarray, q_K: np.ndarray) -> float:
    """Jensen–Shannon divergence in bits, in [0, 1] (Lin 1991); its square root is the distance that SciPy
    returns.
    """
    middle_K = (p_K + q_K) / 2

    def bits(r_K: np.ndarray) -> float:
        seen = r_K > 0
        return float((r_K[seen] * np.log2(r_K[seen] / middle_K[seen])).sum())

    return min(1.0, max(0.0, (bits(p_K) + bits(q_K)) / 2))


def psi(p_K: np.ndarray, q_K: np.ndarray, n_p: float, n_q: float) -> float:
    """Population stability index Σ (q − p) ln(q / p), in nats; a share of nothing counts as half a row of its
    sample.

    0.1 and 0.25 are the customary limits (Siddiqi 2006). Samples of n_p and n_q rows; without the half row
    one empty bin would make it infinite, and with a fixed epsilon the index would grow with the number of
    rows.
    """
    seen_K = (p_K > 0) | (q_K > 0)
    p_K, q_K = np.maximum(p_K[seen_K], 0.5 / n_p), np.maximum(q_K[seen_K], 0.5 / n_q)
    return float(((q_K - p_K) * np.log(q_K / p_K)).sum())


def slope(counts_K: np.ndarray) -> float:
    """Least-squares slope of log count on log rank; −1 is Zipf's law. NaN for fewer than three keys.

    A biased estimate of an exponent (Clauset et al. 2009), but the same bias on both days that are compared.
    """
    if len(counts_K) < 3:
        return math.nan
    x_K, y_K = np.log(np.arange(1, len(counts_K) + 1)), np.log(np.sort(counts_K)[::-1])
    x_K = x_K - x_K.mean()
    return float((x_K * y_K).sum() / (x_K**2).sum())


@dataclass(frozen=True)
class Points:
    """Ascending values, shape (P,), and their weights, which sum to 1."""

    value_P: np.ndarray
    weight_P: np.ndarray

    @classmethod
    def mixture(cls, parts: Sequence[Mapping[str, Any]], rows: Sequence[float]) -> "Points":
        """Several profiles' `points`, each weighted by its rows."""
        value_P = np.concatenate([np.asarray(part["values"], float) for part in parts])
        share = np.asarray(rows, float) / np.sum(rows)
        weight_P = np.concatenate(
            [np.asarray(part["weights"], float) * s for part, s in zip(parts, share, strict=True)]
        )
        order_P = np.argsort(value_P, kind="stable")
        return cls(value_P[order_P], weight_P[order_P] / weight_P.sum())

    def cdf(self, at: np.ndarray) -> np.ndarray:
        """Share of rows ≤ `at`, of its shape."""
        cumulated = np.concatenate([[0.0], np.minimum(np.cumsum(self.weight_P), 1.0)])
        cumulated[-1] = 1.0
        return cumulated[np.searchsorted(self.value_P, at, side="right")]

    def quantiles(self, levels: np.ndarray) -> np.ndarray:
        """The least value with at least that share of rows at or below it, of the shape of `levels`."""
        index = np.searchsorted(np.cumsum(self.weight_P), np.asarray(levels) - 1e-12)
        return self.value_P[np.minimum(index, len(self.value_P) - 1)]

    def scaled(self, factor: float) -> "Points":
        """The distribution of factor · value, for a positive factor."""
        return Points(self.value_P * factor, self.weight_P)

    def spread(self) -> float:
        """The interquartile range, else the standard deviation, else the size of the only value, else 1."""
        low, high = self.quantiles(np.array([0.25, 0.75]))
        mean = float((self.weight_P * self.value_P).sum())
        deviation = math.sqrt(max(0.0, float((self.weight_P * (self.value_P - mean) ** 2).sum())))
        tiny = 1e-12 * max(abs(mean), 1e-300)
        return next((float(s) for s in (high - low, deviation, abs(mean)) if s > tiny), 1.0)


def kolmogorov_smirnov(p: Points, q: Points) -> float:
    """The largest gap between the two distribution functions, in [0, 1]."""
    at = np.union1d(p.value_P, q.value_P)
    return float(np.abs(p.cdf(at) - q.cdf(at)).max())


def wasserstein(p: Points, q: Points) -> float:
    """∫ |F − G|, the mean distance that rows would have to move, in the unit of the values."""
    at = np.union1d(p.value_P, q.value_P)
    return float((np.abs(p.cdf(at) - q.cdf(at))[:-1] * np.diff(at)).sum())


def bins_of(reference: Points, bins: int = 10) -> np.ndarray:
    """Inner edges, at most bins − 1, that split the reference into parts of equal weight, shape (edges,);
    equal edges are merged.
    """
    edges = np.unique(reference.quantiles(np.arange(1, bins) / bins))
    # a last bin that the reference leaves empty tells nothing but its half row
    return edges[edges < reference.value_P[-1]]


def binned(points: Points, edges: np.ndarray) -> np.ndarray:
    """Shares of the bins (−∞, e₁], (e₁, e₂], …, (e_last, ∞), shape (edges + 1,)."""
    return np.diff(np.concatenate([[0.0], points.cdf(edges), [1.0]]))


def robust_z(value: float, history_N: np.ndarray, floor: float = 0.0) -> float:
    """How unusual a value is among N earlier ones, on the scale of a normal z; NaN for fewer than two.

    (value − median) / (1.4826 MAD · √(1 + 1/N)), the scale being at least `floor`, read as Student's t with N
    − 1 degrees of freedom and given as the z of the same probability: a scale that seven nights tell is
    itself uncertain, and a plain robust z of 5 happens by chance every few weeks there.
    """
    size = len(history_N)
    if size < 2:
        return math.nan
    middle = float(np.median(history_N))
    scale = max(1.4826 * float(np.median(np.abs(history_N - middle))), floor)
    gap = value - middle
    if gap == 0:
        return 0.0
    if scale == 0:
        return math.copysign(38.0, gap)  # what a float can tell from certainty
    score = abs(gap) / (scale * math.sqrt(1 + 1 / size))
    return math.copysign(min(38.0, float(norm.isf(t.sf(score, size - 1)))), gap)
