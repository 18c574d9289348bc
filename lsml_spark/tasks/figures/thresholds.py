"""Rows of two classes weighed at each distinct score: what figures over thresholds need, by one sort."""

from typing import NamedTuple

import numpy as np


class ByScore(NamedTuple):
    """Distinct scores, the highest first, and the weight of positive and negative rows with each; (T,)."""

    score_T: np.ndarray
    positive_T: np.ndarray
    negative_T: np.ndarray


def by_score(truth_B: np.ndarray, scores_B: np.ndarray, weights_B: np.ndarray) -> ByScore:
    """`truth_B` is true or 1 for a positive row; scores may be infinite, not NaN; at least one row."""
    order_B = np.argsort(scores_B)[::-1]
    scores_B, positive_B, weights_B = scores_B[order_B], truth_B[order_B].astype(bool), weights_B[order_B]
    first_T = np.flatnonzero(np.append(True, scores_B[1:] != scores_B[:-1]))
    return ByScore(
        scores_B[first_T],
        np.add.reduceat(np.where(positive_B, weights_B, 0.0), first_T),
        np.add.reduceat(np.where(positive_B, 0.0, weights_B), first_T),
    )


def before(values_T: np.ndarray) -> np.ndarray:
    """Sum of all that stand before each, (T,); exactly 0 where those are."""
    return np.append(0.0, np.cumsum(values_T[:-1]))
