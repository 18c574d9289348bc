"""What is compared: anything that turns rows into predictions of what the task learns, such as probabilities
of labels.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.config import Component


class Predictor(ABC):
    """Predicts what the task learns."""

    @abstractmethod
    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        """Predictions (B, …) in the form of the task's `predict`: of `regress` numbers (B,), of `labels`
        probabilities (B, V).
        """


class System(Predictor):
    """Chooses among labels. `labels`: what it knows, in the order of its columns."""

    labels: list[str]

    @abstractmethod
    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        """Log probabilities over `labels`, shape (B, V), float64; each row's probabilities sum to 1."""

    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        return self.log_probs(rows)

    @cached_property
    def _known(self) -> pa.Array:
        return pa.array(self.labels, pa.string())

    def columns_of(self, values: pa.Array) -> np.ndarray:
        """Column of each value, -1 where it is unknown or NULL; shape (values,), int64."""
        place = pc.index_in(values.cast(pa.string()), value_set=self._known, skip_nulls=True)
        return pc.fill_null(place, -1).to_numpy(zero_copy_only=False).astype(np.int64)


@dataclass(frozen=True)
class Lists:
    """Lists of labels as (row, column) pairs of what a system knows, with each item's distance from its
    list's end.
    """

    row_T: np.ndarray
    column_T: np.ndarray
    distance_T: np.ndarray

    @classmethod
    def of(cls, system: System, lists: pa.Array) -> "Lists":
        """From a list<string> column."""
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        row = np.repeat(np.arange(len(lists)), lengths)
        distance = np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(len(row))
        column = system.columns_of(lists.flatten())
        known = column >= 0
        return cls(row[known], column[known], distance[known])


class Baseline(Component, ABC):
    """Base of the baselines' configs. They get the whole training window, not only the rows that were
    selected.

    `title` and `short`: how the pages and the screens name it.
    """

    title: ClassVar[str] = ""
    short: ClassVar[str] = ""

    @abstractmethod
    def fit(self, train: pa.Table, context: str | None) -> Predictor:
        """From the training samples: `key`, `label`, `date`, the list column named by `context`, and the
        task's own target.

        ConfigError where it cannot learn what the task learns.
        """
