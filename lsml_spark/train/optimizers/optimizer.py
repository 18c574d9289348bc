"""Base of the optimisers' configs."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from lsml_spark.core.config import Component
from lsml_spark.core.errors import ConfigError


class Optimizer(Component, ABC):
    """`lr` is the peak learning rate; the schedule scales it."""

    lr: float = Field(gt=0.0)  # peak learning rate

    @abstractmethod
    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        """A torch.optim.Optimizer whose state is all tensors, so that a checkpoint needs no pickle.

        `parameters`: tensors, or groups of them as torch takes them. `l2`: the coefficient of ½ ‖w‖², or of
        the decay.
        """

    def step_size(self, group: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """How far the last update moved each coordinate per unit of its gradient: a number, or a tensor like
        the parameter.

        `group` and `state` are those of the parameter in the torch optimiser. `penalty.py` shrinks by this
        times l1. ConfigError where an optimiser does not say.
        """
        raise ConfigError(
            f"train.l1: the optimizer '{self.use}' has no proximal step (it defines no `step_size`); set "
            "train.l1: 0"
        )

    def same_if_sparse(self, l2: float) -> bool:
        """Whether sparse gradients, which touch only the rows that a batch looked up, give the update that
        dense ones give.
        """
        return False
