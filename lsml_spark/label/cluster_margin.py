"""Which rows to have labelled: those the model is least sure of, spread over the clusters of their keys.

Cluster-Margin (Citovsky et al. 2021): of the rows with the smallest margins, some times as many as are
wanted, take one of each cluster in turn, small clusters first, so that no frequent key fills the queue. One
scoring pass, any batch size.
"""

import numpy as np

from lsml_spark.core.errors import IntegrityError


def margins(log_prob_BV: np.ndarray) -> np.ndarray:
    """Probability of the first choice less that of the second; 1 where there is only one label. Shape (B,).

    IntegrityError where a probability is not a number.
    """
    if np.isnan(log_prob_BV).any():
        raise IntegrityError(
            "the model gives probabilities that are no numbers; look at the night that trained it"
        )
    if log_prob_BV.shape[1] < 2:
        return np.ones(len(log_prob_BV))
    second_B, first_B = np.partition(log_prob_BV, -2, axis=1)[:, -2:].T
    return np.exp(first_B) - np.exp(second_B)


def choose(margin_N: np.ndarray, cluster_N: np.ndarray, rows: int, spread: int) -> np.ndarray:
    """Places of the chosen rows, shape (≤ rows,), in the order of choice; int64.

    The candidates are the `rows` × `spread` of smallest margin; within a cluster the smaller margin comes
    first. Ties go to the row that stands first.
    """
    candidates = np.argsort(margin_N, kind="stable")[: rows * spread]
    _, cluster_C, size_K = np.unique(cluster_N[candidates], return_inverse=True, return_counts=True)
    turn_C = np.empty(len(candidates), dtype=np.int64)  # how many of its cluster come before
    order = np.argsort(cluster_C, kind="stable")
    turn_C[order] = np.arange(len(order)) - np.repeat(np.cumsum(size_K) - size_K, size_K)
    return candidates[np.lexsort((margin_N[candidates], size_K[cluster_C], turn_C))][:rows]
