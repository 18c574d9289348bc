"""One column of the day compared with reference days: the distance, the noise to be expected, and what moved
most.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lsml_spark.quality.figures import distances, noise
from lsml_spark.quality.figures.categories import Categories, aligned
from lsml_spark.quality.figures.distances import Points
from lsml_spark.quality.lacking import percent

Distance = Literal["linf", "js", "psi", "ks", "wasserstein", "zipf"]
Column = Mapping[str, Any]

NAMES: Mapping[str, str] = {
    "linf": "L∞ distance",
    "js": "Jensen–Shannon divergence",
    "psi": "population stability index",
    "ks": "Kolmogorov–Smirnov distance",
    "wasserstein": "Wasserstein distance in interquartile ranges",
    "zipf": "share of rows that changed key",
}


@dataclass(frozen=True)
class Compared:
    """`noise` is what two samples of one law exceed once in a thousand times; `moved` and `new` are for
    people.
    """

    distance: float
    noise: float
    moved: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def compare(
    distance: Distance,
    today: Column,
    reference: Sequence[Column],
    n_today: float,
    n_reference: Sequence[float],
) -> Compared:
    """The distance of a profile's column from the mixture of the reference's; ValueError where it makes no
    sense for the column.

    `n_today`, `n_reference`: independent observations behind each, for the noise and for the weights of the
    mixture.
    """
    if distance in ("ks", "wasserstein"):
        return _by_points(distance, today, reference, n_today, n_reference)
    both = [today, *reference]
    if all("top" in column for column in both) and not (
        distance == "psi" and all("points" in column for column in both)
    ):
        return _by_categories(distance, today, reference, n_today, sum(n_reference))
    if distance != "zipf" and all("points" in column for column in both):
        return _by_bins(distance, today, reference, n_today, n_reference)
    raise ValueError(
        f"{distance} needs a list of values, which a {today.get('kind', '')} column with many of them has "
        "not: "
        "take psi, ks or wasserstein, or declare ids as string in the contract"
    )


def _by_points(
    distance: str, today: Column, reference: Sequence[Column], n: float, m_D: Sequence[float]
) -> Compared:
    if not all("points" in column for column in (today, *reference)):
        raise ValueError(
            f"{distance} needs numbers or times; a {today.get('kind', '')} column takes linf, js, psi or zipf"
        )
    q, p = (
        Points.mixture([today["points"]], [1.0]),
        Points.mixture([column["points"] for column in reference], m_D),
    )
    unit = p.spread()
    both = Points.mixture([column["points"] for column in (today, *reference)], [n, *m_D])
    if distance == "ks":
        return Compared(
            distances.kolmogorov_smirnov(p, q),
            noise.kolmogorov_smirnov(p, n, sum(m_D)),
            _quantiles(p, q, unit),
        )
    return Compared(
        distances.wasserstein(p, q) / unit,
        noise.wasserstein(both, n, sum(m_D)) / unit,
        _quantiles(p, q, unit),
    )


def _quantiles(p: Points, q: Points, unit: float, most: int = 2) -> list[str]:
    percent_L = np.array([5, 25, 50, 75, 95])
    was_L, is_L = p.quantiles(percent_L / 100), q.quantiles(percent_L / 100)
    order = np.argsort(-np.abs(is_L - was_L) / unit, kind="stable")[:most]
    return [f"q{percent_L[i]:02d} {is_L[i]:.6g} (was {was_L[i]:.6g})" for i in order if is_L[i] != was_L[i]]


def _by_categories(distance: str, today: Column, reference: Sequence[Column], n: float, m: float) -> Compared:
    was, is_ = Categories.of(reference), Categories.of([today])
    if not was.rows or not is_.rows:
        raise ValueError("no values today" if was.rows else "no values in the reference")
    names, p_K, q_K = aligned(was, is_)
    new = sorted(is_.names - was.names, key=lambda name: -is_.days[0].counts[name]) if was.complete else []
    moved = _shares([*(f"'{name}'" for name in names), "all other values"], p_K, q_K)
    if distance == "zipf":
        moved = [*_keys(was, is_, names, p_K, q_K), *moved]
    return Compared(*_of_shares(distance, p_K, q_K, n, m), moved, new)


def _keys(
    was: Categories, is_: Categories, names: Sequence[str], p_K: np.ndarray, q_K: np.ndarray
) -> list[str]:
    """What a shift of key frequencies is made of: keys that came, keys that went, and a steeper or flatter
    law.
    """
    came = sum(q for name, q, p in zip(names, q_K, p_K, strict=False) if p == 0 and name not in was.names)
    went = sum(p for name, q, p in zip(names, q_K, p_K, strict=False) if q == 0 and name not in is_.names)
    slopes = [distances.slope(np.sort(share_K[:-1][share_K[:-1] > 0])[::-1][:100]) for share_K in (p_K, q_K)]
    return [
        f"keys that came hold {percent(came)} of the rows, keys that went held {percent(went)}",
        f"slope of log count on log rank {slopes[1]:.2f} (was {slopes[0]:.2f})",
    ]


def _by_bins(
    distance: str, today: Column, reference: Sequence[Column], n: float, m_D: Sequence[float]
) -> Compared:
    q, p = (
        Points.mixture([today["points"]], [1.0]),
        Points.mixture([column["points"] for column in reference], m_D),
    )
    edges = distances.bins_of(p)
    p_K, q_K = distances.binned(p, edges), distances.binned(q, edges)
    low, high = ["…", *(f"{edge:.6g}" for edge in edges)], [*(f"{edge:.6g}" for edge in edges), "…"]
    return Compared(
        *_of_shares(distance, p_K, q_K, n, sum(m_D)),
        _shares([f"({a}, {b}]" for a, b in zip(low, high, strict=True)], p_K, q_K),
    )


def _of_shares(distance: str, p_K: np.ndarray, q_K: np.ndarray, n: float, m: float) -> tuple[float, float]:
    """(distance, noise); the law that both might come from is estimated from both samples together."""
    both_K = (p_K * m + q_K * n) / (n + m)
    return _MEASURES[distance](p_K, q_K, both_K, n, m)


_MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray, float, float], tuple[float, float]]] = {
    "linf": lambda p, q, both, n, m: (distances.linf(p, q), noise.linf(both, n, m)),
    "js": lambda p, q, both, n, m: (distances.jensen_shannon(p, q), noise.jensen_shannon(both, n, m)),
    "psi": lambda p, q, both, n, m: (distances.psi(p, q, m, n), noise.psi(len(p), n, m)),
    "zipf": lambda p, q, both, n, m: (distances.total_variation(p, q), noise.total_variation(both, n, m)),
}


def _shares(names: Sequence[str], p_K: np.ndarray, q_K: np.ndarray, most: int = 3) -> list[str]:
    order = np.argsort(-np.abs(q_K - p_K), kind="stable")[:most]
    return [f"{names[i]} {percent(q_K[i])} (was {percent(p_K[i])})" for i in order if q_K[i] != p_K[i]]
