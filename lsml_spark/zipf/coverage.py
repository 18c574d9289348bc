"""Coverage: which share of the traffic the most frequent keys make."""

import numpy as np


def coverage(frequency_F: np.ndarray, keys_F: np.ndarray, points: int = 100) -> list[tuple[int, float]]:
    """Share of rows that belong to the r most frequent keys, at up to `points` ranks r on a log scale."""
    if not len(frequency_F):
        return []
    ranks = np.cumsum(keys_F[::-1])
    share = np.cumsum((frequency_F * keys_F)[::-1]) / (frequency_F * keys_F).sum()
    index_P = np.unique(np.searchsorted(ranks, np.geomspace(1, ranks[-1], points)))
    return [(int(ranks[i]), round(float(share[i]), 6)) for i in index_P]
