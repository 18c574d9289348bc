"""One label a row, out of those that training showed."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from lsml_spark.tasks.task import Task, Truth, size_of
from lsml_spark.transforms.encode import encoder_of
from lsml_spark.transforms.schema import Schema


class Classify(Task):
    """Softmax over the known labels; a label outside of them weighs nothing.

    `positive`: of two labels, the one whose probability the network's single logit gives. `smoothing`: the share of each row's
    target that is spread over all labels. `class_weights`: `balanced` (rows / (labels · rows of the label)) or a weight a label,
    1 where none is given. `adjust`: how far the logits are raised by the log share of their label while training, so that rare
    labels need a margin (Menon et al. 2021; 1 trains for balanced accuracy).
    """

    positive: str | None = None
    smoothing: float = Field(0.0, ge=0.0, lt=1.0)
    class_weights: Literal["balanced"] | dict[str, float] | None = None
    adjust: float = Field(0.0, ge=0.0)

    @model_validator(mode="after")
    def _weights_are_positive(self) -> "Classify":
        if isinstance(self.class_weights, dict) and (bad := [name for name, value in self.class_weights.items() if value < 0]):
            raise ValueError(f"class_weights: '{bad[0]}' has a negative weight")
        return self

    def width(self, encoders: Mapping[str, Any]) -> int:
        labels = size_of(encoders, self.target, "classify")
        known = encoder_of(encoders, self.target).get("values", [])
        if self.positive is not None and (labels != 2 or self.positive not in known):
            shown = ", ".join(f"'{value}'" for value in known[:10])
            raise ValueError(f"task.positive: '{self.positive}' must be one of two labels; training rows have {labels}: {shown}")
        if isinstance(self.class_weights, dict) and (unknown := [name for name in self.class_weights if name not in known]):
            raise ValueError(f"task.class_weights: no training row has the label '{unknown[0]}'")
        return 1 if self.positive is not None else labels

    def schema_of(self, encoders: Mapping[str, Any]) -> Schema:
        return Schema(encoders, self.width(encoders), self.target if self.positive is None else None, self.hides())

    def start(self, mean: np.ndarray) -> np.ndarray:
        """Log shares; of one logit, 0: its network begins undecided, for the shares do not say which of them is `positive`."""
        return np.zeros(1) if self.positive is not None else np.log(mean)

    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        from torch.nn.functional import cross_entropy

        logits_BV, label_B = self._logits(outputs, truth.encoders), truth.label
        if self.adjust:
            logits_BV = logits_BV + self.adjust * logits_BV.new_tensor(np.log(_shares(truth.encoders, self.target)))
        if truth.offset is not None:
            logits_BV = with_offset(logits_BV, label_B, truth.offset.to(logits_BV))
        # A label outside the vocabulary (id 0) has no logit: it weighs nothing.
        loss_B = cross_entropy(logits_BV, label_B - 1, ignore_index=-1, reduction="none", label_smoothing=self.smoothing)
        known_B = label_B > 0
        if self.class_weights is None:
            return loss_B, known_B
        weight_V1 = outputs.new_tensor([0.0, *self._class_weights(truth.encoders)]).double()
        return loss_B, weight_V1[label_B]

    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """Log probabilities (B, V) of the known labels, in the order of their ids."""
        import torch

        found: np.ndarray = torch.log_softmax(self._logits(outputs, encoders).double(), dim=1).numpy()
        return found

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
    """The logits with each row's offset added to that of its own label; a label that is unknown (id 0) has none.

    Rows kept with a chance π(x, y) have other log odds than all rows; with log π(x, y) − log π(x, other label) as the offset,
    the logits alone estimate those of all rows (Fithian & Hastie 2014). Masked, not scattered: deterministic on any device.
    """
    import torch

    own_BV = (label_B - 1)[:, None] == torch.arange(logits_BV.shape[1], device=logits_BV.device)
    return torch.where(own_BV, logits_BV + offset_B[:, None], logits_BV)


def _shares(encoders: Mapping[str, Any], target: str) -> np.ndarray:
    """Of the training rows with a known label, how many have each; (V,)."""
    counts_V = np.array(encoder_of(encoders, target)["counts"], dtype=np.float64)
    return counts_V / counts_V.sum()
