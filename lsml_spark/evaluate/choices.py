"""Systems that choose among labels: the label's rank and probability, and what the system would have said.

A label outside a system's vocabulary has probability unseen mass / unseen labels (evaluate/unseen.py), and the labels it knows
share the rest; nobody may recommend what is in the basket already.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.evaluate import metrics
from lsml_spark.models.system import Lists, System


def score(
    system: System, test: pa.Table, context: str | None, batch: int, unseen: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray, pa.Table]:
    """(rank (N,) int32, log probability (N,) float64) of every row's label, and `predicted`, `probability`: the first choice."""
    ranks, log_probs = [np.empty(0, np.int32)], [np.empty(0)]
    firsts, certain = [np.empty(0, np.int64)], [np.empty(0)]
    for rows in test.combine_chunks().to_batches(max_chunksize=batch):
        log_prob_BV = system.log_probs(rows)
        label_B = system.columns_of(rows["label"])
        known_B = label_B >= 0
        own_B = np.where(known_B, log_prob_BV[np.arange(len(label_B)), label_B], 0.0)
        log_probs.append(metrics.with_unseen(own_B, known_B, unseen["mass"], unseen["keys"]))
        basket = Lists.of(system, rows[context]) if context else Lists(*[np.empty(0, np.int64)] * 3)
        ranks.append(metrics.ranks(log_prob_BV, label_B, (basket.row_T, basket.column_T)))
        firsts.append(log_prob_BV.argmax(axis=1))
        certain.append(np.exp(log_prob_BV.max(axis=1)))
    names = pa.array(system.labels, pa.string()).take(pa.array(np.concatenate(firsts)))
    first = pa.table({"predicted": names, "probability": np.concatenate(certain)})
    return np.concatenate(ranks), np.concatenate(log_probs), first


def judge(rank_N: np.ndarray, log_prob_N: np.ndarray, label_N: np.ndarray, groups: Mapping[str, Any], k: int) -> dict[str, Any]:
    """`metrics.figures` of all rows, and of the rows of each mask of `groups`: bands, slices."""
    own = metrics.figures(rank_N, log_prob_N, label_N, k)
    return own | {
        kind: {name: metrics.figures(rank_N[rows], log_prob_N[rows], label_N[rows], k) for name, rows in masks.items()}
        for kind, masks in groups.items()
    }
