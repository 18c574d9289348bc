"""Stochastic gradient descent, with Nesterov's momentum or the plain one."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Sgd(Optimizer):
    """`l2` is added to the gradient. `nesterov` means nothing without momentum."""

    lr: float = Field(1.0, gt=0.0)  # peak learning rate
    momentum: float = Field(0.9, ge=0.0, lt=1.0)  # share of the step before
    nesterov: bool = True  # look ahead by the momentum

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        import torch

        nesterov = self.nesterov and self.momentum > 0
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, nesterov=nesterov, weight_decay=l2
        )

    def step_size(self, group: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """Momentum repeats a steady gradient 1 / (1 - momentum) times."""
        return group["lr"] / (1.0 - group["momentum"])

    def same_if_sparse(self, l2: float) -> bool:
        """Momentum and decay go on moving rows that no batch looks up."""
        return self.momentum == 0 and l2 == 0
