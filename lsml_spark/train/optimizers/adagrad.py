"""Adagrad (Duchi et al. 2011): the learning rate of a rare item's embedding falls with its own gradients
only.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """`l2` is added to the gradient."""

    lr: float = Field(0.05, gt=0.0)  # peak learning rate
    eps: float = Field(1e-8, gt=0.0)  # added to the divisor

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        import torch

        return torch.optim.Adagrad(parameters, lr=self.lr, eps=self.eps, weight_decay=l2)

    def step_size(self, group: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """lr / (√Σg² + eps): with it the proximal step is that of the paper (section 5.1, ℓ1). 0 where no
        gradient ever came.
        """
        return (group["lr"] / (state["sum"].sqrt() + group["eps"])).where(state["sum"] > 0, 0.0)

    def same_if_sparse(self, l2: float) -> bool:
        return l2 == 0
