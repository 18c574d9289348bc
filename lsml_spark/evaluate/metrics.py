"""Figures from ranks and log probabilities: pure numpy, no model, no files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.core.bands import BANDS

# Rows of the training window that hold the key: [low, high).


def ranks(scores_BV: np.ndarray, label_B: np.ndarray, hidden: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Rank of each row's label among the items that may be recommended: 1 is best; shape (B,), int32.

    label_B: column of the label, -1 where the system does not know it. hidden: (rows, columns) never
    recommended (what is in the basket). Ties count against the label; a label that cannot be recommended
    ranks behind all V items.
    """
    rows, columns = hidden
    scores = scores_BV.copy()
    scores[rows, columns] = -np.inf
    known = label_B >= 0
    own = scores[np.arange(len(label_B)), np.where(known, label_B, 0)]
    possible = known & (own > -np.inf)
    at_least = (scores >= own[:, None]).sum(axis=1)  # the label itself included
    return np.where(possible, at_least, scores.shape[1] + 1).astype(np.int32)


def with_unseen(
    log_prob_B: np.ndarray, known_B: np.ndarray, unseen_mass: float, unseen_keys: float
) -> np.ndarray:
    """Log probabilities (B,) over seen and unseen labels alike: known ones scaled by 1 - mass, each unseen
    one mass / keys.
    """
    return np.where(known_B, log_prob_B + np.log1p(-unseen_mass), np.log(unseen_mass / unseen_keys))


def bands(train_count_N: np.ndarray) -> dict[str, np.ndarray]:
    """For each band the mask (N,) of the rows whose key has that many training rows."""
    return {
        name: (train_count_N >= low) & (train_count_N <= (np.inf if high is None else high))
        for name, (low, high) in BANDS.items()
    }


def figures(rank_N: np.ndarray, log_prob_N: np.ndarray, label_N: np.ndarray, k: int) -> dict[str, Any]:
    """log_loss (nats), recall at k, breadth (distinct labels recalled at least once); null without rows."""
    if not len(rank_N):
        return {"rows": 0, "log_loss": None, "recall": None, "breadth": None}
    hit = rank_N <= k
    return {
        "rows": len(rank_N),
        "log_loss": float(-log_prob_N.mean()),
        "recall": float(hit.mean()),
        "breadth": len(np.unique(label_N[hit])),
    }


def by_band(
    rank_N: np.ndarray, log_prob_N: np.ndarray, label_N: np.ndarray, train_count_N: np.ndarray, k: int
) -> dict[str, Any]:
    """`figures` overall and under "bands" for each band."""
    overall = figures(rank_N, log_prob_N, label_N, k)
    overall["bands"] = {
        name: figures(rank_N[rows], log_prob_N[rows], label_N[rows], k)
        for name, rows in bands(train_count_N).items()
    }
    return overall


def counts_of(keys: Sequence[str], counted: Mapping[str, int]) -> np.ndarray:
    """Training rows of each key, 0 where there are none; shape (N,), int64."""
    return np.array([counted.get(key, 0) for key in keys], dtype=np.int64)
