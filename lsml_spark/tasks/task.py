"""What is learned: the column that is the target, the width of the network's head, the loss of a row, what a
prediction is, its figures and which of them decides. Nothing else in the house knows what a label is.

Imports no torch, so a pipeline can be checked where there is none; `criterion` and `predict` meet tensors
only.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from lsml_spark.core.config import Component
from lsml_spark.core.scoreboard import Figure
from lsml_spark.transforms.schema import Ids, Numbers, Schema, column_of

PACKAGE = "lsml_spark.tasks"
# What the target's transform must make of it: one id a row, one number a row, or a list of ids a row.
Target = Literal["ids", "numbers", "lists"]


@dataclass(frozen=True)
class Truth:
    """What the loss compares a batch's outputs with, on their device.

    `label`: of the first target, (B,) int64 ids, 0 for unknown, or floats; a list of ids is (values (T,),
    offsets (B + 1,)). `columns`: all other encoded columns. `offset`: (B,), added to the logit of the row's
    own label while training, where the shards have it.
    """

    label: Any
    columns: Mapping[str, Any]
    encoders: Mapping[str, Any]
    offset: Any = None

    def of(self, target: str) -> Any:
        """The values of one target."""
        return self.columns.get(target, self.label)


class Task(Component, ABC):
    """Base of the tasks. `target`: the column of the samples that is learned."""

    learns: ClassVar[Target] = "ids"
    target: str = "label"

    @property
    def shown(self) -> Mapping[str, Figure]:
        """The figures by name, in the order in which they are shown; the first decides which model stands."""
        return {}

    @property
    def baselines(self) -> tuple[dict[str, Any], ...]:
        """What the model is compared with where `evaluate.baselines` does not say, each with its settings."""
        return ()

    @property
    def parts(self) -> Sequence["Task"]:
        """The tasks that it is made of, each with a target of its own."""
        return (self,)

    @property
    def grouped_by(self) -> str | None:
        """The column of the samples of whose values a step should see all rows together."""
        return None

    def hides(self) -> frozenset[str]:
        """Columns of the shards that no network may look at."""
        return frozenset({self.target})

    @abstractmethod
    def width(self, encoders: Mapping[str, Any]) -> int:
        """Outputs of the network a row, W. ValueError where the target's encoder does not suit the task."""

    def schema_of(self, encoders: Mapping[str, Any]) -> Schema:
        """What a network for this task meets."""
        return Schema(encoders, self.width(encoders), None, self.hides())

    def start(self, mean: np.ndarray) -> np.ndarray:
        """Outputs (W,) of a network that has learned nothing but `mean`: of the target's numbers (1,), or the
        shares of its ids (V,).
        """
        return np.zeros(len(mean))

    def prepare(self, network: Any) -> None:
        """Add to a fresh network what the task itself learns."""

    def view(self, columns: Mapping[str, Any], label: Any) -> tuple[Mapping[str, Any], Any]:
        """(columns that the network sees, target) of a batch in training; what is drawn comes from torch's
        generator.
        """
        return columns, label

    def samples(self, rows: pa.Table) -> pa.Table:
        """Samples as they are judged: those that `prepare` wrote."""
        return rows

    @abstractmethod
    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        """(loss of each row (B,), 0 where it has none; what a row's weight is multiplied by (B,), 0 where it
        has no loss).
        """

    @abstractmethod
    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """Predictions of outputs (B, W): float64, in the target's own unit."""

    def truth(self, rows: pa.Table, encoders: Mapping[str, Any]) -> np.ndarray:
        """The target of samples as `prepare` wrote them, in the form that `figures` compares with
        predictions; (N, …).
        """
        raise NotImplementedError

    def aligned(
        self, predicted: np.ndarray, labels: Sequence[str], encoders: Mapping[str, Any]
    ) -> np.ndarray:
        """Predictions (N, …) of a system that knows these labels, in the form of those of the model."""
        return predicted

    def losses(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Loss of each row (N,) in the target's own unit, NaN where it has none."""
        raise NotImplementedError

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        """A value for each of `shown`; null where there are no rows, or too few."""
        raise NotImplementedError


def size_of(encoders: Mapping[str, Any], target: str, use: str, lists: bool = False) -> int:
    """Known values V of a target that is ids, or lists of ids."""
    column = column_of(encoders, target)
    if not isinstance(column, Ids) or column.list != lists:
        what = "a list of ids a row" if lists else "one id a row"
        raise ValueError(
            f"task `{use}` learns {what}; give '{target}' the transform `vocabulary` in features.columns"
        )
    return column.size


def refuse_other_than_a_number(encoders: Mapping[str, Any], target: str, use: str) -> None:
    """ValueError where a target is not one number a row."""
    column = column_of(encoders, target)
    if not isinstance(column, Numbers) or column.width != 1:
        raise ValueError(
            f"task `{use}` learns a number; give '{target}' the transform `standardize`, `log` or `number`"
        )


def floats_of(rows: pa.Table, target: str) -> np.ndarray:
    """A column of numbers, or of texts that are numbers, as float64 (N,)."""
    numbers: np.ndarray = rows[target].cast(pa.float64()).to_numpy()
    return numbers


def known(figure: float) -> float | None:
    """A figure as JSON knows it: null for NaN and what is not finite."""
    return float(figure) if np.isfinite(figure) else None
