"""Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Adamw(Optimizer):
    """`l2` is the decoupled decay, scaled by the learning rate."""

    lr: float = Field(0.005, gt=0.0)  # peak learning rate
    beta1: float = Field(0.9, ge=0.0, lt=1.0)  # decay of the mean gradient
    beta2: float = Field(0.999, ge=0.0, lt=1.0)  # decay of its mean square
    eps: float = Field(1e-8, gt=0.0)  # added to the divisor

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        import torch

        return torch.optim.AdamW(
            parameters, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, weight_decay=l2
        )

    def step_size(self, group: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """lr / (√v + eps), v corrected for its bias. 0 where no gradient ever came."""
        if not state:
            return 0.0
        corrected = state["exp_avg_sq"] / (1.0 - group["betas"][1] ** float(state["step"]))
        return (group["lr"] / (corrected.sqrt() + group["eps"])).where(corrected > 0, 0.0)
