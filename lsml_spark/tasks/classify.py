"""One label a row, out of those that training showed."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from lsml_spark.core.config import Strict
from lsml_spark.core.scoreboard import Figure
from lsml_spark.tasks.figures import calibration, classification, cost, ranking
from lsml_spark.tasks.task import Task, Truth, known, size_of
from lsml_spark.transforms.encode import encoder_of
from lsml_spark.transforms.schema import Schema

LEAST = np.log(1e-12)  # log probability of a label that a system does not know
MOST_LABELS = 100  # of figures that look at every label of every row


class Costs(Strict):
    """What a mistake costs, in any unit."""

    false_positive: float = Field(1.0, ge=0.0)  # of a row taken for the label that is not
    false_negative: float = Field(1.0, ge=0.0)  # of one that is, and was not taken


class Classify(Task):
    """Softmax over the known labels; a label outside of them weighs nothing.

    `positive`: of two labels, the one whose probability the network's single logit gives. `smoothing`: the
    share of each row's target that is spread over all labels. `class_weights`: `balanced` (rows / (labels ·
    rows of the label)) or a weight a label, 1 where none is given. `adjust`: how far the logits are raised by
    the log share of their label while training, so that rare labels need a margin (Menon et al. 2021; 1
    trains for balanced accuracy).
    """

    positive: str | None = None
    # of the positive label's probability, from which on a row is taken for it
    threshold: float = Field(0.5, gt=0.0, lt=1.0)
    # of a mistake, where a figure is to say what the mistakes at that threshold cost
    costs: Costs | None = None
    precision: float = Field(0.9, gt=0.0, le=1.0)  # at which the recall of the positive label is shown
    smoothing: float = Field(0.0, ge=0.0, lt=1.0)
    class_weights: Literal["balanced"] | dict[str, float] | None = None
    adjust: float = Field(0.0, ge=0.0)

    @model_validator(mode="after")
    def _weights_are_positive(self) -> "Classify":
        if isinstance(self.class_weights, dict) and (
            bad := [name for name, value in self.class_weights.items() if value < 0]
        ):
            raise ValueError(f"class_weights: '{bad[0]}' has a negative weight")
        return self

    def width(self, encoders: Mapping[str, Any]) -> int:
        labels = size_of(encoders, self.target, "classify")
        known = encoder_of(encoders, self.target).get("values", [])
        if self.positive is not None and (labels != 2 or self.positive not in known):
            shown = ", ".join(f"'{value}'" for value in known[:10])
            raise ValueError(
                f"task.positive: '{self.positive}' must be one of two labels; training rows have {labels}: "
                f"{shown}"
            )
        if isinstance(self.class_weights, dict) and (
            unknown := [name for name in self.class_weights if name not in known]
        ):
            raise ValueError(f"task.class_weights: no training row has the label '{unknown[0]}'")
        return 1 if self.positive is not None else labels

    def schema_of(self, encoders: Mapping[str, Any]) -> Schema:
        return Schema(
            encoders, self.width(encoders), self.target if self.positive is None else None, self.hides()
        )

    @property
    def shown(self) -> Mapping[str, Figure]:
        """As one of several tasks; by itself a choice has ranks too, see `evaluate`."""
        return {"log_loss": Figure("log loss", "lower"), "accuracy": Figure("accuracy", "higher", "percent")}

    @property
    def baselines(self) -> tuple[dict[str, Any], ...]:
        return ({"use": "popularity"},)

    def truth(self, rows: pa.Table, encoders: Mapping[str, Any]) -> np.ndarray:
        """(N,) int64: the place of the label among the known ones, −1 for any other."""
        values = pa.array(encoder_of(encoders, self.target)["values"], pa.string())
        ids = pc.fill_null(
            pc.index_in(rows[self.target].cast(pa.string()).combine_chunks(), value_set=values), -1
        )
        return ids.to_numpy(zero_copy_only=False).astype(np.int64)

    def aligned(
        self, predicted: np.ndarray, labels: Sequence[str], encoders: Mapping[str, Any]
    ) -> np.ndarray:
        if not len(labels):
            return predicted
        place = {label: i for i, label in enumerate(labels)}
        at_V = np.array(
            [place.get(label, len(labels)) for label in encoder_of(encoders, self.target)["values"]],
            dtype=np.int64,
        )
        return np.concatenate([predicted, np.full((len(predicted), 1), LEAST)], axis=1)[:, at_V]

    def losses(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        own_N = predicted[np.arange(len(truth)), np.maximum(truth, 0)]
        return np.where(truth >= 0, -own_N, np.nan)

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        """The log loss is that of rows whose label is known; any other row counts as a wrong choice."""
        if not len(truth):
            return dict.fromkeys(self.shown)
        losses_N = self.losses(truth, predicted)
        loss = float(losses_N[truth >= 0].mean()) if (truth >= 0).any() else np.nan
        return {
            "log_loss": known(loss),
            "accuracy": known(classification.accuracy(truth, predicted.argmax(axis=1))),
        }

    def samples(self, rows: pa.Table) -> pa.Table:
        """Their column `label` is the target, as text."""
        return rows.set_column(rows.column_names.index("label"), "label", rows[self.target].cast(pa.string()))

    def start(self, mean: np.ndarray) -> np.ndarray:
        """Log shares; of one logit, 0: its network begins undecided, for the shares do not say which of them
        is `positive`.
        """
        return np.zeros(1) if self.positive is not None else np.log(mean)

    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        from torch.nn.functional import cross_entropy

        logits_BV, label_B = self._logits(outputs, truth.encoders), truth.of(self.target)
        if self.adjust:
            logits_BV = logits_BV + self.adjust * logits_BV.new_tensor(
                np.log(_shares(truth.encoders, self.target))
            )
        if truth.offset is not None:
            logits_BV = with_offset(logits_BV, label_B, truth.offset.to(logits_BV))
        # A label outside the vocabulary (id 0) has no logit: it weighs nothing.
        loss_B = cross_entropy(
            logits_BV, label_B - 1, ignore_index=-1, reduction="none", label_smoothing=self.smoothing
        )
        known_B = label_B > 0
        if self.class_weights is None:
            return loss_B, known_B
        weight_V1 = outputs.new_tensor([0.0, *self._class_weights(truth.encoders)]).double()
        return loss_B, weight_V1[label_B]

    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """Log probabilities (B, V) of the known labels, in the order of their ids."""
        import torch

        log_probs: np.ndarray = torch.log_softmax(self._logits(outputs, encoders).double(), dim=1).numpy()
        return log_probs

    def more(self, labels: Sequence[str]) -> list[Figure]:
        """The figures beside log loss and recall; none where there are too many labels."""
        if len(labels) > MOST_LABELS:
            return []
        figures = [
            Figure("balanced accuracy", "higher", "percent", "balanced_accuracy"),
            Figure("macro F1", "higher", "percent", "macro_f1"),
            Figure("calibration error", "lower", "percent", "calibration_error"),
        ]
        if self.positive is not None:
            figures += [
                Figure("AUC-ROC", "higher", "decimal", "auc_roc"),
                Figure("PR-AUC", "higher", "decimal", "pr_auc"),
                Figure(
                    f"recall at {self.precision:.0%} precision", "higher", "percent", "recall_at_precision"
                ),
            ]
            if self.costs is not None:
                figures.append(Figure(f"cost a row at {self.threshold:g}", "lower", "decimal", "cost"))
        return figures

    def figures_of_labels(
        self, label_N: np.ndarray, labels: Sequence[str], prob_NV: np.ndarray
    ) -> dict[str, float | None]:
        """The values of `more`, and the ends of the AUC's 95 % interval. A label that training never showed
        is one of its own.

        label_N: texts; prob_NV: probabilities of `labels`.
        """
        if not len(label_N):
            return dict.fromkeys(figure.name for figure in self.more(labels))
        names = np.array([*labels])
        order = np.argsort(names)
        place_N = np.minimum(np.searchsorted(names, label_N, sorter=order), len(names) - 1)
        truth_N = np.where(names[order][place_N] == label_N, order[place_N], len(names))
        predicted_N = prob_NV.argmax(axis=1)
        figures: dict[str, float] = {}
        if self.positive is not None and self.positive in labels:
            at = list(labels).index(self.positive)
            score_N, is_N = prob_NV[:, at], truth_N == at
            predicted_N = np.where(
                score_N >= self.threshold,
                at,
                np.where(np.arange(len(names)) == at, -1.0, prob_NV).argmax(axis=1),
            )
            area = ranking.auc_roc_interval(is_N, score_N)
            figures = {
                "calibration_error": calibration.expected_calibration_error(is_N, score_N),
                "auc_roc": area.value,
                "auc_roc_low": area.low,
                "auc_roc_high": area.high,
                "pr_auc": ranking.pr_auc(is_N, score_N),
                "recall_at_precision": ranking.recall_at_precision(is_N, score_N, precision=self.precision),
            }
            if self.costs is not None:
                wrong = self.costs
                figures["cost"] = cost.cost_at(
                    is_N,
                    score_N,
                    threshold=self.threshold,
                    cost_false_positive=wrong.false_positive,
                    cost_false_negative=wrong.false_negative,
                )
        else:
            figures["calibration_error"] = calibration.expected_calibration_error(
                predicted_N == truth_N, prob_NV.max(axis=1)
            )
        figures["balanced_accuracy"] = classification.balanced_accuracy(truth_N, predicted_N)
        figures["macro_f1"] = classification.macro_f1(truth_N, predicted_N)
        return {name: known(value) for name, value in figures.items()}

    def reliability(
        self, label_N: np.ndarray, labels: Sequence[str], prob_NV: np.ndarray
    ) -> list[list[float]]:
        """Of bins of equal mass: mean probability, share that came true, rows, and the 95 % interval of the
        share.

        Of the positive label's probability, else of the first choice's.
        """
        if self.positive is not None and self.positive in labels:
            at = list(labels).index(self.positive)
            table = calibration.reliability(label_N == self.positive, prob_NV[:, at])
        else:
            table = calibration.reliability(
                np.array([*labels])[prob_NV.argmax(axis=1)] == label_N, prob_NV.max(axis=1)
            )
        return [[float(value) for value in row] for row in zip(*table, strict=True)]

    def _logits(self, outputs: Any, encoders: Mapping[str, Any]) -> Any:
        """(B, V): of a single logit, its own and 0 for the other label."""
        if self.positive is None:
            return outputs
        zeros = outputs.new_zeros(len(outputs), 1)
        first = encoder_of(encoders, self.target)["values"][0] == self.positive
        import torch

        return torch.cat([outputs, zeros] if first else [zeros, outputs], dim=1)

    def _class_weights(self, encoders: Mapping[str, Any]) -> list[float]:
        if self.class_weights == "balanced":
            shares = _shares(encoders, self.target)
            return (1 / (len(shares) * shares)).tolist()
        assert isinstance(self.class_weights, dict)
        return [self.class_weights.get(value, 1.0) for value in encoder_of(encoders, self.target)["values"]]


def with_offset(logits_BV: Any, label_B: Any, offset_B: Any) -> Any:
    """The logits with each row's offset added to that of its own label; a label that is unknown (id 0) has
    none.

    Rows kept with a chance π(x, y) have other log odds than all rows; with log π(x, y) − log π(x, other
    label) as the offset, the logits alone estimate those of all rows (Fithian & Hastie 2014). Masked, not
    scattered: deterministic on any device.
    """
    import torch

    own_BV = (label_B - 1)[:, None] == torch.arange(logits_BV.shape[1], device=logits_BV.device)
    return torch.where(own_BV, logits_BV + offset_B[:, None], logits_BV)


def _shares(encoders: Mapping[str, Any], target: str) -> np.ndarray:
    """Of the training rows with a known label, how many have each; (V,)."""
    counts_V = np.array(encoder_of(encoders, target)["counts"], dtype=np.float64)
    return counts_V / counts_V.sum()
