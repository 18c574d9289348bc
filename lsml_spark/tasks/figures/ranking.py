"""Two classes, or gains, put in order by a score: only the order of the scores counts.

`truth_B` is 1 or true for a positive row. A figure of two classes is NaN where one of them has no rows, or
where a score is NaN.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from lsml_spark.tasks.figures.rows import Weights, mean, present
from lsml_spark.tasks.figures.thresholds import ByScore, before, by_score

NAN = float("nan")


class Area(NamedTuple):
    """The area under the ROC curve, its standard deviation, and the ends of its interval."""

    value: float
    deviation: float
    low: float
    high: float


def auc_roc(truth_B: np.ndarray, scores_B: np.ndarray, weights_B: Weights = None) -> float:
    """Chance that a positive row has a higher score than a negative one; a tie counts half."""
    weights_B, truth_B, scores_B = present(weights_B, truth_B, scores_B)
    if not _two_classes(truth_B, scores_B):
        return NAN
    wins, losses = _wins_and_losses(by_score(truth_B, scores_B, weights_B))
    return wins / (wins + losses)


def auc_roc_interval(
    truth_B: np.ndarray,
    scores_B: np.ndarray,
    weights_B: Weights = None,
    *,
    level: float = 0.95,
) -> Area:
    """`auc_roc` with DeLong's variance (1988) and the interval that is symmetric on the scale of log odds.

    In O(n log n) as Sun & Xu (2014) do: a row's placement v is the share of the other class on its right
    side, and the variance is that of the two classes' mean placements. With importance weights (not counts of
    rows) a mean's is Σ w² (v − mean)² / (Σ w)² · n / (n − 1), DeLong's where all weights are equal.

    A class of one row has no variance. Where the classes are parted without fault the variance is 0, which
    says nothing: the interval is NaN.
    """
    weights_B, truth_B, scores_B = present(weights_B, truth_B, scores_B)
    if not _two_classes(truth_B, scores_B):
        return Area(NAN, NAN, NAN, NAN)
    rows = by_score(truth_B, scores_B, weights_B)
    wins, losses = _wins_and_losses(rows)
    area = wins / (wins + losses)
    positives = int(np.count_nonzero(truth_B))
    negatives = len(truth_B) - positives
    if min(positives, negatives) < 2:
        return Area(area, NAN, NAN, NAN)

    squares = by_score(truth_B, scores_B, weights_B**2)
    positive, negative = rows.positive_T.sum(), rows.negative_T.sum()
    of_positive_T = (_below(rows.negative_T) + rows.negative_T / 2) / negative
    of_negative_T = (before(rows.positive_T) + rows.positive_T / 2) / positive
    spread_of_positive = (squares.positive_T * (of_positive_T - area) ** 2).sum() / positive**2
    spread_of_negative = (squares.negative_T * (of_negative_T - area) ** 2).sum() / negative**2
    variance = spread_of_positive * (positives / (positives - 1))
    variance += spread_of_negative * (negatives / (negatives - 1))
    deviation = math.sqrt(variance)
    if not wins or not losses:
        return Area(area, deviation, NAN, NAN)

    log_odds = math.log(wins / losses)
    reach = NormalDist().inv_cdf((1 + level) / 2) * deviation / (area * (losses / (wins + losses)))
    return Area(area, deviation, _expit(log_odds - reach), _expit(log_odds + reach))


def pr_auc(truth_B: np.ndarray, scores_B: np.ndarray, weights_B: Weights = None) -> float:
    """Area under precision over recall as a staircase, not interpolated (average precision)."""
    weights_B, truth_B, scores_B = present(weights_B, truth_B, scores_B)
    if not _two_classes(truth_B, scores_B):
        return NAN
    rows = by_score(truth_B, scores_B, weights_B)
    precision_T, _ = _precision_and_recall(rows)
    return float((precision_T * rows.positive_T).sum() / rows.positive_T.sum())


def recall_at_precision(
    truth_B: np.ndarray,
    scores_B: np.ndarray,
    weights_B: Weights = None,
    *,
    precision: float,
) -> float:
    """The highest recall of a threshold whose precision is at least that; 0 where none has it."""
    weights_B, truth_B, scores_B = present(weights_B, truth_B, scores_B)
    if not _two_classes(truth_B, scores_B):
        return NAN
    precision_T, recall_T = _precision_and_recall(by_score(truth_B, scores_B, weights_B))
    return float(recall_T[precision_T >= precision].max(initial=0.0))


def ndcg(
    gains_B: np.ndarray,
    scores_B: np.ndarray,
    group_B: np.ndarray,
    weights_B: Weights = None,
    *,
    k: int | None = None,
    exponential: bool = False,
) -> float:
    """Mean over groups of the discounted gain, Σ gain / log2(1 + place), as a share of the best order's.

    Gains are at least 0 (else ValueError), and count as they are or, if `exponential`, as 2^gain − 1. Rows
    of equal score share the mean of their gains, which is the mean over all orders of them (McSherry & Najork
    2008). A group without any gain counts as 0, and a group weighs the mean of its rows' weights. `k`: only
    the first k places count. NaN without rows, or where a score is NaN.
    """
    weights_B, gains_B, scores_B, group_B = present(weights_B, gains_B, scores_B, group_B)
    if not len(gains_B) or np.isnan(scores_B).any():
        return NAN
    if (gains_B < 0).any():
        raise ValueError(f"NDCG needs gains of at least 0; the lowest is {gains_B.min()}")
    # Put in order by their negatives, which unsigned integers have not.
    gains_B, scores_B = gains_B.astype(np.float64), scores_B.astype(np.float64)
    if exponential:
        gains_B = np.exp2(gains_B) - 1
    group_B = np.unique(group_B, return_inverse=True)[1]
    size_G = np.bincount(group_B)
    # The groups follow each other in every order, so places and discounts are the same for all of them.
    place_B = np.arange(len(group_B)) - np.repeat(np.cumsum(size_G) - size_G, size_G)
    discount_B = 1 / np.log2(place_B + 2.0)
    if k is not None:
        discount_B[place_B >= k] = 0.0

    order_B = np.lexsort((-scores_B, group_B))
    sorted_B, scores_B, gain_B = group_B[order_B], scores_B[order_B], gains_B[order_B]
    starts_B = (sorted_B[1:] != sorted_B[:-1]) | (scores_B[1:] != scores_B[:-1])
    first_T = np.flatnonzero(np.append(True, starts_B))
    tied_T = np.diff(np.append(first_T, len(gain_B)))
    shared_B = np.repeat(np.add.reduceat(gain_B, first_T) / tied_T, tied_T)
    found_G = np.bincount(sorted_B, shared_B * discount_B)
    best_G = np.bincount(sorted_B, gains_B[np.lexsort((-gains_B, group_B))] * discount_B)
    share_G = np.divide(found_G, best_G, out=np.zeros(len(best_G)), where=best_G > 0)
    return mean(share_G, np.bincount(group_B, weights_B) / size_G)


def _two_classes(truth_B: np.ndarray, scores_B: np.ndarray) -> bool:
    positives = int(np.count_nonzero(truth_B))
    return 0 < positives < len(truth_B) and not np.isnan(scores_B).any()


def _below(values_T: np.ndarray) -> np.ndarray:
    return before(values_T[::-1])[::-1]


def _wins_and_losses(rows: ByScore) -> tuple[float, float]:
    """Weight of the pairs whose positive row is above, and below, half of the ties in each; exact where 0."""
    tied_T = rows.negative_T / 2
    wins_T, losses_T = _below(rows.negative_T) + tied_T, before(rows.negative_T) + tied_T
    return float((rows.positive_T * wins_T).sum()), float((rows.positive_T * losses_T).sum())


def _precision_and_recall(rows: ByScore) -> tuple[np.ndarray, np.ndarray]:
    """Of all rows with at least each score; (T,)."""
    positive_T, negative_T = np.cumsum(rows.positive_T), np.cumsum(rows.negative_T)
    return positive_T / (positive_T + negative_T), positive_T / positive_T[-1]


def _expit(x: float) -> float:
    return (1 + math.tanh(x / 2)) / 2
