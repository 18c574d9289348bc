"""Confident learning: which labels a model has good reason to doubt (Northcutt, Jiang & Chuang 2021, JAIR 70,
eq. 1 and 2).

Probabilities must be of rows that the model did not learn from. Pure functions of arrays.
"""

import numpy as np


def thresholds(label_N: np.ndarray, prob_NK: np.ndarray) -> np.ndarray:
    """t_j: the mean probability of class j over the rows that are labelled j, shape (K,); infinite for a
    class without rows.
    """
    rows_K = np.bincount(label_N, minlength=prob_NK.shape[1])
    own_N = prob_NK[np.arange(len(label_N)), label_N]
    sum_K = np.bincount(label_N, weights=own_N, minlength=prob_NK.shape[1])
    return np.where(rows_K > 0, sum_K / np.maximum(rows_K, 1), np.inf)


def suspected(label_N: np.ndarray, prob_NK: np.ndarray) -> np.ndarray:
    """Rows whose label is probably another class, the surest first: indices, shape (S,).

    A row belongs to the class of largest probability among those at or above their threshold; where that is
    not its label, and its label is not the model's first choice either, it is suspected. Ranked by the
    normalised margin, the probability of the label minus the largest other one; ties by index.

    Args:
        label_N: class indices below K, shape (N,).
        prob_NK: probabilities, rows sum to 1, shape (N, K).
    """
    if not len(label_N) or prob_NK.shape[1] < 2:
        return np.empty(0, np.int64)
    sure_NK = prob_NK >= thresholds(label_N, prob_NK) - 1e-9
    guess_N = np.where(sure_NK, prob_NK, -1.0).argmax(1)
    wrong_N = sure_NK.any(1) & (guess_N != label_N) & (prob_NK.argmax(1) != label_N)
    margin_N = margins(label_N, prob_NK)
    suspect_S = np.flatnonzero(wrong_N)
    return suspect_S[np.argsort(margin_N[suspect_S], kind="stable")]


def margins(label_N: np.ndarray, prob_NK: np.ndarray) -> np.ndarray:
    """Probability of the label minus the largest of another class, in [−1, 1], shape (N,)."""
    rows = np.arange(len(label_N))
    others_NK = prob_NK.copy()
    others_NK[rows, label_N] = -np.inf
    return prob_NK[rows, label_N] - others_NK.max(1)


def suspected_by_first(label_N: np.ndarray, first_N: np.ndarray, prob_N: np.ndarray) -> np.ndarray:
    """The same where only the first choice and its probability are known: indices, the surest first, shape
    (S,).

    The threshold of class j is the mean probability of first choices of j that agree with the label. It lacks
    the rows labelled j that the model gave to others, so it lies higher than t_j: fewer rows are suspected,
    and surer ones.
    """
    size = int(max(label_N.max(initial=-1), first_N.max(initial=-1))) + 1
    agree_N = label_N == first_N
    rows_K = np.bincount(first_N[agree_N], minlength=size)
    sum_K = np.bincount(first_N[agree_N], weights=prob_N[agree_N], minlength=size)
    least_K = np.where(rows_K > 0, sum_K / np.maximum(rows_K, 1), np.inf)
    suspect_S = np.flatnonzero(~agree_N & (prob_N >= least_K[first_N] - 1e-9))
    return suspect_S[np.argsort(-prob_N[suspect_S], kind="stable")]
