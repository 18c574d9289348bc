"""Adagrad (Duchi et al. 2011): the learning rate of a rare item's embedding falls with its own gradients only."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """`l2` is added to the gradient."""

    lr: float = Field(0.05, gt=0.0)
    eps: float = Field(1e-8, gt=0.0)

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        import torch

        return torch.optim.Adagrad(parameters, lr=self.lr, eps=self.eps, weight_decay=l2)
