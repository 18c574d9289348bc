"""Stochastic gradient descent with Nesterov momentum."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Sgd(Optimizer):
    """`l2` is added to the gradient."""

    lr: float = Field(1.0, gt=0.0)
    momentum: float = Field(0.9, ge=0.0, lt=1.0)

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        import torch

        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, nesterov=self.momentum > 0, weight_decay=l2)
