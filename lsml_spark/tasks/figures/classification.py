"""One label a row: how often the predicted one is right, and how likely the true one was.

Ids are any integers. All figures are NaN without rows; one label alone has an accuracy, but nothing to
balance.
"""

import numpy as np

from lsml_spark.tasks.figures.rows import Weights, mean, present


def accuracy(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Share of the rows whose predicted id is the true one."""
    weights_B, truth_B, predicted_B = present(weights_B, truth_B, predicted_B)
    return mean(truth_B == predicted_B, weights_B)


def balanced_accuracy(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Mean over the true labels of the share of their rows that is right; NaN with fewer than two of them."""
    true_L, _, right_L = _by_label(truth_B, predicted_B, weights_B)
    occurs_L = true_L > 0
    return float((right_L[occurs_L] / true_L[occurs_L]).mean()) if occurs_L.sum() > 1 else float("nan")


def macro_f1(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Mean of F1 over all labels that are true or predicted somewhere."""
    true_L, predicted_L, right_L = _by_label(truth_B, predicted_B, weights_B)
    return float((2 * right_L / (true_L + predicted_L)).mean()) if len(true_L) else float("nan")


def log_loss(truth_B: np.ndarray, log_prob_BV: np.ndarray, weights_B: Weights = None) -> float:
    """Mean of −log p of the true id, a column of `log_prob_BV`, in nats; infinite where one is 0."""
    weights_B, truth_B, log_prob_BV = present(weights_B, truth_B, log_prob_BV)
    return mean(-_own(truth_B, log_prob_BV).astype(np.float64), weights_B)


def top_k_recall(truth_B: np.ndarray, scores_BV: np.ndarray, weights_B: Weights = None, *, k: int) -> float:
    """Share of the rows whose true id, a column of `scores_BV`, has one of the k highest scores.

    Ties, and scores that are NaN, count against it.
    """
    weights_B, truth_B, scores_BV = present(weights_B, truth_B, scores_BV)
    rank_B = scores_BV.shape[1] - (scores_BV < _own(truth_B, scores_BV)[:, None]).sum(axis=1)
    return mean(rank_B <= k, weights_B)


def _own(truth_B: np.ndarray, values_BV: np.ndarray) -> np.ndarray:
    """The value (B,) of each row's true id; ValueError where an id is no column, as -1 for unknown is."""
    if bad := int(((truth_B < 0) | (truth_B >= values_BV.shape[1])).sum()):
        raise ValueError(f"{bad} of {len(truth_B)} true ids are none of the {values_BV.shape[1]} columns")
    return values_BV[np.arange(len(truth_B)), truth_B]


def _by_label(
    truth_B: np.ndarray,
    predicted_B: np.ndarray,
    weights_B: Weights,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each label that occurs, the weight of the rows where it is (true, predicted, both); each (L,)."""
    weights_B, truth_B, predicted_B = present(weights_B, truth_B, predicted_B)
    labels_L, ids_2B = np.unique(np.concatenate([truth_B, predicted_B]), return_inverse=True)
    true_B, called_B = ids_2B[: len(truth_B)], ids_2B[len(truth_B) :]
    right_B = np.where(true_B == called_B, weights_B, 0.0)
    size = len(labels_L)
    return (
        np.bincount(true_B, weights_B, size),
        np.bincount(called_B, weights_B, size),
        np.bincount(true_B, right_B, size),
    )
