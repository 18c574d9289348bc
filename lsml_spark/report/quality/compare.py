"""Two nights of one column side by side: bins that fit both, and how far apart they are. Pure functions.

Distances: Jensen–Shannon (base 2, its square root, so 0 to 1 and a metric; Endres and Schindelin 2003),
Kolmogorov–Smirnov, the population stability index over tenths of the last night, and for categories L∞, the
largest share that moved: identifiers, which are new every night, stay quiet under it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.report.series import number

BINS = 24
# shares outside the bins to try, until no bin holds more than MOST
BEYOND, MOST = (0.005, 0.025, 0.05, 0.1), 0.6
TOP = 8
Weighted = tuple[np.ndarray, np.ndarray]  # values ascending, weights that sum to 1


def weighted(points: Mapping[str, Any] | None, shift: float = 0.0) -> Weighted | None:
    """`points` of a profile, `shift` subtracted; None where there are none."""
    values = np.asarray((points or {}).get("values") or [], dtype=float) - shift
    weights = np.asarray((points or {}).get("weights") or [], dtype=float)
    if not len(values) or len(values) != len(weights) or not weights.sum() > 0:
        return None
    order = np.argsort(values, kind="stable")
    return values[order], weights[order] / weights.sum()


def bins(now: Weighted | None, last: Weighted | None) -> dict[str, Any] | None:
    """The shares of both nights in thousandths: `at` few values, or BINS from `low` to `high` (`log`: of
    equal ratio).

    The outermost bins hold everything beyond them, at first half a percent on either side, more where one bin
    would be all.
    """
    nights = [night for night in (now, last) if night is not None]
    if not nights:
        return None
    values = np.unique(np.concatenate([night[0] for night in nights]))
    if len(values) <= BINS:
        shares = [_thousandths(_at(night, values)) for night in (now, last)]
        return {"at": [number(value) for value in values.tolist()], "now": shares[0], "last": shares[1]}
    for beyond in BEYOND:
        edges, log = _edges(nights, values, beyond)
        counted = [_counted(night, edges) for night in (now, last)]
        if max(share.max() for share in counted if share is not None) <= MOST:
            break
    first, second = map(_thousandths, counted)
    return {"low": number(edges[0]), "high": number(edges[-1]), "log": log, "now": first, "last": second}


def _edges(nights: Sequence[Weighted], values: np.ndarray, beyond: float) -> tuple[np.ndarray, bool]:
    """Edges (BINS + 1,) over sorted `values` (V,), and whether they are of equal ratio: where the
    middle of the data would otherwise be one bin.
    """
    low = min(_quantile(night, beyond) for night in nights)
    high = max(_quantile(night, 1 - beyond) for night in nights)
    if not high > low:
        low, high = float(values[0]), float(values[-1])
    log = (
        low > 0
        and high / low > 30
        and max(_quantile(night, 0.75) for night in nights) < low + (high - low) / 4
    )
    if log:
        return np.geomspace(low, high, BINS + 1), True
    if (values == np.rint(values)).all():
        # whole numbers: as many in each bin
        high = low + BINS * max(1.0, float(np.ceil((high - low + 1) / BINS)))
    return np.linspace(low, high, BINS + 1), False


def distances(now: Weighted | None, last: Weighted | None) -> dict[str, float]:
    """js, ks and psi of a number; empty where one night has no value. js is over the bins of `bins`."""
    both = bins(now, last)
    if now is None or last is None or both is None:
        return {}
    tenths = np.unique([_quantile(last, share) for share in np.arange(0.1, 1, 0.1)])
    edges = np.concatenate([[-np.inf], tenths, [np.inf]])
    values = np.union1d(now[0], last[0])
    measures = {
        "js": jensen_shannon(np.array(both["now"]), np.array(both["last"])),
        "ks": float(np.abs(_below(now, values) - _below(last, values)).max()),
        "psi": stability(_counted(now, edges), _counted(last, edges)),
    }
    return {name: round(value, 4) for name, value in measures.items()}


def categories(
    now: Mapping[str, Any] | None, last: Mapping[str, Any] | None
) -> tuple[list[list[Any]], list[float | None], dict[str, float]]:
    """([value, share now, share last] of the TOP and of the two that moved most, shares of the rest,
    distances).

    Shares are of the rows with a value. A value that a night's `top` leaves out has no share there, and
    counts as the nearest to its other share that is possible: it has at most that of the least in `top`. So
    the distances are at least what they say.
    """
    ours, theirs = _shares(now), _shares(last)
    names = sorted({*ours, *theirs}, key=lambda name: (-ours.get(name, 0.0), -theirs.get(name, 0.0), name))
    p = np.array([_nearest(ours, name, theirs) for name in names])
    q = np.array([_nearest(theirs, name, ours) for name in names])
    both = bool(ours and theirs)
    moved = sorted(range(TOP, len(names)), key=lambda place: -abs(p[place] - q[place]))[:2] if both else []
    shown = [*names[:TOP], *(names[place] for place in moved)]
    rows = [[name, _known(ours, name), _known(theirs, name)] for name in shown]
    rest = [
        round(max(0.0, 1 - sum(shares.get(name, 0.0) for name in shown)), 4) if shares else None
        for shares in (ours, theirs)
    ]
    if not both:
        return rows, rest, {}
    moved_most = float(np.abs(p - q).max())
    p, q = np.append(p, max(0.0, 1 - p.sum())), np.append(q, max(0.0, 1 - q.sum()))
    return rows, rest, {"js": round(jensen_shannon(p, q), 4), "linf": round(moved_most, 4)}


def _nearest(shares: Mapping[str, float], name: str, other: Mapping[str, float]) -> float:
    if name in shares or not shares:
        return shares.get(name, 0.0)
    return min(min(shares.values()), other[name]) if _cut(shares) else 0.0


def _known(shares: Mapping[str, float], name: str) -> float | None:
    if name not in shares and (not shares or _cut(shares)):
        return None
    return round(shares.get(name, 0.0), 4)


def _cut(shares: Mapping[str, float]) -> bool:
    """Whether there are values beyond those that are named."""
    return sum(shares.values()) < 1 - 1e-9


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """√JSD in base 2 of two histograms (B,) over the same bins, 0 to 1."""
    p, q = p / max(p.sum(), 1e-300), q / max(q.sum(), 1e-300)
    middle = (p + q) / 2
    return float(np.sqrt(max(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)))


def stability(p: np.ndarray, q: np.ndarray) -> float:
    """Population stability index Σ (p − q) ln(p / q) of shares (B,) by bin, empty bins as 1e-4."""
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return float(((p - q) * np.log(p / q)).sum())


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    inside = p > 0
    return float((p[inside] * np.log2(p[inside] / q[inside])).sum())


def _shares(column: Mapping[str, Any] | None) -> dict[str, float]:
    top: Sequence[Sequence[Any]] = (column or {}).get("top") or []
    total = sum(rows for _, rows in top) + ((column or {}).get("others") or 0)
    return {str(name): rows / total for name, rows in top} if total else {}


def _at(night: Weighted | None, values: np.ndarray) -> np.ndarray | None:
    return (
        None
        if night is None
        else np.bincount(np.searchsorted(values, night[0]), night[1], minlength=len(values))
    )


def _counted(night: Weighted | None, edges: np.ndarray) -> Any:
    if night is None:
        return None
    places = np.clip(np.searchsorted(edges, night[0], side="right") - 1, 0, len(edges) - 2)
    return np.bincount(places, night[1], minlength=len(edges) - 1)


def _thousandths(shares: np.ndarray | None) -> list[int] | None:
    return None if shares is None else np.rint(shares * 1000).astype(int).tolist()


def _below(night: Weighted, values: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(night[1])])[np.searchsorted(night[0], values, side="right")]


def _quantile(night: Weighted, share: float) -> float:
    place = int(np.searchsorted(np.cumsum(night[1]), share))
    return float(night[0][min(place, len(night[0]) - 1)])
