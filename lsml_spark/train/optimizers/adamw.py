"""Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Adamw(Optimizer):
    """`l2` is the decoupled decay, scaled by the learning rate."""

    lr: float = Field(0.005, gt=0.0)
    beta1: float = Field(0.9, ge=0.0, lt=1.0)
    beta2: float = Field(0.999, ge=0.0, lt=1.0)
    eps: float = Field(1e-8, gt=0.0)

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        import torch

        return torch.optim.AdamW(parameters, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, weight_decay=l2)
