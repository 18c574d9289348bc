"""Several labels a row: `truth_BL` is 1 where a row has a label.

A label is predicted where its probability is at least the threshold. All figures are NaN without rows.
"""

import numpy as np

from lsml_spark.tasks.figures.ranking import auc_roc
from lsml_spark.tasks.figures.rows import Weights, mean, present


def micro_f1(
    truth_BL: np.ndarray,
    prob_BL: np.ndarray,
    weights_B: Weights = None,
    *,
    threshold: float = 0.5,
) -> float:
    """F1 of all pairs of row and label as one; NaN where no label is true or predicted."""
    both_L, either_L = _counts(truth_BL, prob_BL, weights_B, threshold)
    return float(2 * both_L.sum() / either_L.sum()) if either_L.any() else float("nan")


def macro_f1(
    truth_BL: np.ndarray,
    prob_BL: np.ndarray,
    weights_B: Weights = None,
    *,
    threshold: float = 0.5,
) -> float:
    """Mean of F1 over the labels that are true or predicted somewhere; NaN where none is."""
    both_L, either_L = _counts(truth_BL, prob_BL, weights_B, threshold)
    occurs_L = either_L > 0
    return float((2 * both_L[occurs_L] / either_L[occurs_L]).mean()) if occurs_L.any() else float("nan")


def mean_auc_roc(truth_BL: np.ndarray, scores_BL: np.ndarray, weights_B: Weights = None) -> float:
    """Mean area under the ROC curve of the labels that some rows have and some have not; NaN without any."""
    weights_B, truth_BL, scores_BL = present(weights_B, truth_BL, scores_BL)
    has_BL = truth_BL.astype(bool)
    varies = np.flatnonzero(has_BL.any(axis=0) & ~has_BL.all(axis=0))
    areas = [auc_roc(has_BL[:, label], scores_BL[:, label], weights_B) for label in varies]
    return float(np.mean(areas)) if areas else float("nan")


def hamming_loss(
    truth_BL: np.ndarray,
    prob_BL: np.ndarray,
    weights_B: Weights = None,
    *,
    threshold: float = 0.5,
) -> float:
    """Share of the pairs of row and label that are wrong."""
    weights_B, truth_BL, prob_BL = present(weights_B, truth_BL, prob_BL)
    return mean(((prob_BL >= threshold) != truth_BL.astype(bool)).mean(axis=1), weights_B)


def subset_accuracy(
    truth_BL: np.ndarray,
    prob_BL: np.ndarray,
    weights_B: Weights = None,
    *,
    threshold: float = 0.5,
) -> float:
    """Share of the rows whose labels are all right."""
    weights_B, truth_BL, prob_BL = present(weights_B, truth_BL, prob_BL)
    return mean(((prob_BL >= threshold) == truth_BL.astype(bool)).all(axis=1), weights_B)


def _counts(
    truth_BL: np.ndarray,
    prob_BL: np.ndarray,
    weights_B: Weights,
    threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    """For each label the weight of the rows that have it and are predicted to, and the sum of both alone."""
    weights_B, truth_BL, prob_BL = present(weights_B, truth_BL, prob_BL)
    true_BL, called_BL = truth_BL.astype(bool), prob_BL >= threshold
    return weights_B @ (true_BL & called_BL), weights_B @ true_BL + weights_B @ called_BL
