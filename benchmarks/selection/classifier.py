"""What the tasks with one softmax over the training keys' labels share: the splits, the scores, and the mass
of unseen labels.

Rows lie in time order: train, dev, test. Where the label is the key, labels that the full training set lacks
share the Good–Turing mass m = f₁ / rows (f₁: keys seen once): a known label has (1 − m) p(y | x), "some label
never seen" has m. The full set's m serves every arm, so it moves the level of the losses and not their
differences.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from torch import Tensor

from lsml_spark.data.batch import Ragged as Ragged
from lsml_spark.data.batch import take as take
from selection.descent import scores
from selection.task import Task


@dataclass
class ClassifierTask(Task):
    """Adds to `Task` the labels of all rows (train, dev, test end to end) and the number of classes."""

    @classmethod
    def of(cls, name: str, key: np.ndarray, label: np.ndarray, rows: int, dev: int, **settings: Any) -> Self:
        """`key`, `label`: of all rows in time order, the first `rows` to train on, the next `dev` to tune
        on.
        """
        task = cls(name, key[:rows], label[:rows], key[rows + dev :], label[rows + dev :], **settings)
        task.all_labels, task.dev_rows, task.classes = label, dev, int(label[:rows].max()) + 1
        counts_K = np.bincount(label[:rows])
        task.unseen = (
            float((counts_K == 1).sum() / rows) if task.classes > 2 and (label >= task.classes).any() else 0.0
        )
        return task

    def logits(self, network: Any, rows_B: np.ndarray) -> Tensor:
        """(B, C) for rows of the end-to-end arrays."""
        raise NotImplementedError

    def losses(self, model: Any, rows: str) -> tuple[np.ndarray, np.ndarray]:
        first = len(self.key_N) + (self.dev_rows if rows == "test" else 0)
        last = len(self.all_labels) if rows == "test" else first + self.dev_rows
        return self.score(model, np.arange(first, last))

    def score(self, model: Any, rows_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log loss and error of rows of the end-to-end arrays, each (M,)."""
        label_M = self.all_labels[rows_M]
        known_M = label_M < self.classes
        log_p_M, best_M = scores(partial(self.logits, model), rows_M, np.where(known_M, label_M, 0))
        unseen = np.log(self.unseen) if self.unseen else -np.inf
        return -np.where(known_M, log_p_M + np.log1p(-self.unseen), unseen), best_M != label_M

    def own_probability(self, model: Any, rows_N: np.ndarray) -> np.ndarray:
        return np.exp(-self.score(model, rows_N)[0])


def ids_of(values_N: np.ndarray, train_N: np.ndarray) -> np.ndarray:
    """Ids of the values, (N,) int64: those of the training rows 0 … K − 1 in sorted order, the others from K
    on.
    """
    known = np.unique(values_N[train_N])
    new = np.setdiff1d(values_N, known)
    id_of = {value: i for i, value in enumerate([*known, *new])}
    return np.array([id_of[value] for value in values_N], dtype=np.int64)
