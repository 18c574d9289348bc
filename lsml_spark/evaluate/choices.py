"""Systems that choose among labels: the label's rank and probability, and what the system would have said.

A label outside a system's vocabulary has probability unseen mass / unseen labels (evaluate/unseen.py), and
the labels it knows share the rest; nobody may recommend what is in the basket already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.evaluate import metrics
from lsml_spark.models.system import Lists, System
from lsml_spark.tasks.classify import MOST_LABELS, Classify

Groups = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Scored:
    """Of N rows. `rank` (N,) int32 and `log_prob` (N,) float64 of the row's label; `first`: the columns
    `predicted`, `probability`; `prob_NV`: probabilities of all labels, without rows where there are too many
    labels."""

    rank: np.ndarray
    log_prob: np.ndarray
    first: pa.Table
    prob_NV: np.ndarray


def score(
    system: System, test: pa.Table, context: str | None, batch: int, unseen: Mapping[str, float]
) -> Scored:
    """How a system takes the rows of the test day."""
    ranks, log_probs = [np.empty(0, np.int32)], [np.empty(0)]
    firsts, certain, each = [np.empty(0, np.int64)], [np.empty(0)], [np.empty((0, len(system.labels)))]
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
        if len(system.labels) <= MOST_LABELS:
            each.append(np.exp(log_prob_BV))
    names = pa.array(system.labels, pa.string()).take(pa.array(np.concatenate(firsts)))
    first = pa.table({"predicted": names, "probability": np.concatenate(certain)})
    return Scored(np.concatenate(ranks), np.concatenate(log_probs), first, np.concatenate(each))


def judge(
    scored: Scored, labels: Sequence[str], label_N: np.ndarray, groups: Groups, k: int, task: Classify
) -> dict[str, Any]:
    """`metrics.figures` and the task's own of all rows, and of the rows of each mask of `groups`: bands,
    slices.
    """

    def of(rows: np.ndarray) -> dict[str, Any]:
        figures = metrics.figures(scored.rank[rows], scored.log_prob[rows], label_N[rows], k)
        if len(labels) <= MOST_LABELS:
            figures |= task.figures_of_labels(label_N[rows], labels, scored.prob_NV[rows])
        return figures

    own = of(np.ones(len(label_N), bool))
    if len(labels) <= MOST_LABELS and len(label_N):
        own["reliability"] = task.reliability(label_N, labels, scored.prob_NV)
    return own | {kind: {name: of(rows) for name, rows in masks.items()} for kind, masks in groups.items()}
