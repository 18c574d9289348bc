"""Pairs of rows of one group, of which one has a larger gain than the other."""

from collections.abc import Iterator

import numpy as np

PAIRS = 2**22  # looked at together


def within(group_N: np.ndarray, gain_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows of larger, rows of smaller gain) of all such pairs; both (P,), int64."""
    parts = [*_parts(group_N, gain_N)] or [(np.empty(0, np.int64),) * 2]
    return np.concatenate([above for above, _ in parts]), np.concatenate([below for _, below in parts])


def losses(group_N: np.ndarray, gain_N: np.ndarray, scores_N: np.ndarray) -> np.ndarray:
    """Of each row the mean of log(1 + exp(s' − s)) over its pairs with rows of a smaller gain, s' being
    theirs; NaN where it has none.
    """
    sums_N, peers_N = np.zeros(len(group_N)), np.zeros(len(group_N))
    for above, below in _parts(group_N, gain_N):
        sums_N += np.bincount(above, np.logaddexp(0.0, scores_N[below] - scores_N[above]), len(sums_N))
        peers_N += np.bincount(above, minlength=len(sums_N))
    return np.divide(sums_N, peers_N, out=np.full(len(sums_N), np.nan), where=peers_N > 0)


def in_order(group_N: np.ndarray, gain_N: np.ndarray, scores_N: np.ndarray) -> float:
    """Share of the pairs whose row of larger gain has the higher score; a tie counts half. NaN without pairs,
    or where a score is NaN.

    Of one group and two gains it is the area under the ROC curve.
    """
    if np.isnan(scores_N).any():
        return float("nan")
    won, number = 0.0, 0
    for above, below in _parts(group_N, gain_N):
        won += float((scores_N[above] > scores_N[below]).sum()) + 0.5 * float(
            (scores_N[above] == scores_N[below]).sum()
        )
        number += len(above)
    return won / number if number else float("nan")


def _parts(group_N: np.ndarray, gain_N: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`within`, about PAIRS at a time, however large a group is."""
    order_N = np.argsort(group_N, kind="stable")
    sorted_N = group_N[order_N]
    starts_G = np.flatnonzero(np.append(np.ones(min(1, len(sorted_N)), bool), sorted_N[1:] != sorted_N[:-1]))
    size_G = np.diff(np.append(starts_G, len(order_N)))
    start_N, size_N = np.repeat(starts_G, size_G), np.repeat(size_G, size_G)
    ends_N = np.cumsum(size_N)
    at = 0
    while at < len(order_N):
        stop = max(at + 1, int(np.searchsorted(ends_N, (ends_N[at - 1] if at else 0) + PAIRS, side="right")))
        size_B = size_N[at:stop]
        one = np.repeat(order_N[at:stop], size_B)
        first = np.cumsum(size_B) - size_B
        other = order_N[np.arange(size_B.sum()) - np.repeat(first - start_N[at:stop], size_B)]
        more = gain_N[one] > gain_N[other]
        yield one[more], other[more]
        at = stop
