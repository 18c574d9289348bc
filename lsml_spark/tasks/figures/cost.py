"""What wrong answers cost, when rows with at least a threshold's score are called positive.

The cost of one false positive and of one false negative give the unit.
"""

from typing import NamedTuple

import numpy as np

from lsml_spark.tasks.figures.rows import Weights, mean, present
from lsml_spark.tasks.figures.thresholds import by_score


class Choice(NamedTuple):
    """A threshold and the mean cost of a row there."""

    threshold: float
    cost: float


def cost_at(
    truth_B: np.ndarray,
    scores_B: np.ndarray,
    weights_B: Weights = None,
    *,
    threshold: float,
    cost_false_positive: float,
    cost_false_negative: float,
) -> float:
    """Mean cost of a row; NaN without rows, or where a score is NaN."""
    weights_B, truth_B, scores_B = present(weights_B, truth_B, scores_B)
    if np.isnan(scores_B).any():
        return float("nan")
    called_B, positive_B = scores_B >= threshold, truth_B.astype(bool)
    cost_B = cost_false_positive * (called_B & ~positive_B) + cost_false_negative * (~called_B & positive_B)
    return mean(cost_B, weights_B)


def best_threshold(
    truth_B: np.ndarray,
    scores_B: np.ndarray,
    weights_B: Weights = None,
    *,
    cost_false_positive: float,
    cost_false_negative: float,
) -> Choice:
    """The threshold of lowest cost on these rows: one of their scores, or infinity if calling none is best.

    Of equal costs the highest threshold. Its cost is that of the rows it was chosen on, so a little too good.
    """
    weights_B, truth_B, scores_B = present(weights_B, truth_B, scores_B)
    if not len(scores_B) or np.isnan(scores_B).any():
        return Choice(float("nan"), float("nan"))
    rows = by_score(truth_B, scores_B, weights_B)
    # Called at each threshold: none, then all rows down to each score.
    false_positive_T = np.append(0.0, np.cumsum(rows.negative_T))
    missed_T = np.append(np.cumsum(rows.positive_T[::-1])[::-1], 0.0)
    cost_T = cost_false_positive * false_positive_T + cost_false_negative * missed_T
    best = int(np.argmin(cost_T))
    return Choice(float(np.append(np.inf, rows.score_T)[best]), float(cost_T[best] / weights_B.sum()))
