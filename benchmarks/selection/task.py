"""What a data set brings to the proof: rows with keys and labels, a model that fits rows in a given order,
losses on later rows.

The protocol alone decides which rows a fit visits, in which order and how often, with which weights; a task
never samples.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Task(ABC):
    """Rows of the training window in the order of time, and rows of the next window.

    A dev set, cut from the end of the training window, belongs to the task too: the learning rates are tuned
    on it. `None` for a weight is 1 for every row. Where the rows have two labels, a subclass sets `binary`
    and defines `fit_offset`.
    """

    name: str
    key_N: np.ndarray  # int64, 0 … K − 1
    label_N: np.ndarray  # int64
    test_key_M: np.ndarray  # int64; keys that training lacks are ≥ K
    test_label_M: np.ndarray
    batch: int  # rows of a step
    epochs: float  # passes over the rows kept, at every keep fraction
    lrs: tuple[float, ...]  # tried by every arm alike
    test_weight_M: np.ndarray | None = None
    dev_weight_D: np.ndarray | None = None
    binary: bool = False

    @abstractmethod
    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> Any:
        """A model that visited `rows_T` in that order, `batch` rows a step, with the loss Σ w·loss / Σ w of
        each step.

        `rows_T`: ids of training rows, steps × batch of them. `weight_N`: of every training row. lr falls
        linearly to 0.
        """

    @abstractmethod
    def losses(self, model: Any, rows: str) -> tuple[np.ndarray, np.ndarray]:
        """Log loss, float64, and error, bool, of each row of "dev" or "test"."""

    @abstractmethod
    def own_probability(self, model: Any, rows_N: np.ndarray) -> np.ndarray:
        """p̃(y | x) of the own labels of these training rows, float64 of their shape."""

    def fit_offset(self, rows_T: np.ndarray, offset_N: np.ndarray, lr: float, seed: int) -> Any:
        """As `fit` without weights, `offset_N` added to the logit of each row's own label while training (two
        labels only).
        """
        raise NotImplementedError(f"{self.name} has more than two labels")
