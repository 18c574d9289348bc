"""Any number of labels a row, each by itself."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lsml_spark.core.scoreboard import Figure
from lsml_spark.tasks.figures import multilabel
from lsml_spark.tasks.task import Target, Task, Truth, known, size_of
from lsml_spark.transforms.encode import encoder_of
from lsml_spark.transforms.schema import Schema

LEAST = 1e-7  # the probability of a label that a system does not know


class Labels(Task):
    """A list of labels a row: a sigmoid for each label that training showed; others are left out of loss and
    figures.
    """

    learns: ClassVar[Target] = "lists"
    # of a label's probability, from which on a row is taken to have it
    threshold: float = Field(0.5, gt=0.0, lt=1.0)

    @property
    def shown(self) -> Mapping[str, Figure]:
        return {
            "log_loss": Figure("log loss of a label", "lower"),
            "micro_f1": Figure("micro F1", "higher", "percent"),
            "macro_f1": Figure("macro F1", "higher", "percent"),
            "mean_auc_roc": Figure("mean AUC-ROC", "higher"),
            "hamming_loss": Figure("labels wrong", "lower", "percent"),
            "subset_accuracy": Figure("rows wholly right", "higher", "percent"),
        }

    @property
    def baselines(self) -> tuple[dict[str, Any], ...]:
        return ({"use": "label_shares", "target": self.target},)

    def width(self, encoders: Mapping[str, Any]) -> int:
        return size_of(encoders, self.target, "labels", lists=True)

    def schema_of(self, encoders: Mapping[str, Any]) -> Schema:
        return Schema(encoders, self.width(encoders), self.target, self.hides())

    def start(self, mean: np.ndarray) -> np.ndarray:
        """Log odds of the labels' shares."""
        return np.log(mean) - np.log1p(-mean)

    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        values_T, offsets = truth.of(self.target)
        lengths_B = offsets.diff()
        row_T = torch.repeat_interleave(torch.arange(len(lengths_B), device=offsets.device), lengths_B)
        has_BV1 = outputs.new_zeros(len(lengths_B), outputs.shape[1] + 1)
        has_BV1[row_T, values_T] = 1.0
        loss_BV = binary_cross_entropy_with_logits(outputs, has_BV1[:, 1:], reduction="none")
        return loss_BV.sum(dim=1), torch.ones(len(lengths_B), dtype=torch.bool, device=outputs.device)

    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """Probabilities (B, V) of the known labels, in the order of their ids."""
        probs: np.ndarray = outputs.double().sigmoid().numpy()
        return probs

    def truth(self, rows: pa.Table, encoders: Mapping[str, Any]) -> np.ndarray:
        """(N, V) bool: which of the known labels each row has."""
        return held(rows[self.target].combine_chunks(), encoder_of(encoders, self.target)["values"])

    def aligned(
        self, predicted: np.ndarray, labels: Sequence[str], encoders: Mapping[str, Any]
    ) -> np.ndarray:
        known_V = encoder_of(encoders, self.target)["values"]
        place = {label: i for i, label in enumerate(labels)}
        at_V = np.array([place.get(label, len(labels)) for label in known_V], dtype=np.int64)
        return np.concatenate([predicted, np.full((len(predicted), 1), LEAST)], axis=1)[:, at_V]

    def losses(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Mean over the labels."""
        prob_NV = np.clip(predicted, LEAST, 1 - LEAST)
        return -np.where(truth, np.log(prob_NV), np.log1p(-prob_NV)).mean(axis=1)

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        if not len(truth):
            return dict.fromkeys(self.shown)
        figures = {
            "log_loss": float(self.losses(truth, predicted).mean()),
            "micro_f1": multilabel.micro_f1(truth, predicted, threshold=self.threshold),
            "macro_f1": multilabel.macro_f1(truth, predicted, threshold=self.threshold),
            "mean_auc_roc": multilabel.mean_auc_roc(truth, predicted),
            "hamming_loss": multilabel.hamming_loss(truth, predicted, threshold=self.threshold),
            "subset_accuracy": multilabel.subset_accuracy(truth, predicted, threshold=self.threshold),
        }
        return {name: known(value) for name, value in figures.items()}


def held(lists: pa.Array, labels: Sequence[str]) -> np.ndarray:
    """(N, V) bool: which of the labels stand in each list."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    at = pc.index_in(lists.flatten().cast(pa.string()), value_set=pa.array(labels, pa.string()))
    column_T = pc.fill_null(at, len(labels)).to_numpy(zero_copy_only=False)
    is_held_NV = np.zeros((len(lists), len(labels) + 1), bool)
    is_held_NV[np.repeat(np.arange(len(lists)), lengths), column_T] = True
    return is_held_NV[:, :-1]
