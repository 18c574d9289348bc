"""Base of the optimisers' configs."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from pydantic import Field

from lsml_spark.core.config import Component


class Optimizer(Component, ABC):
    """`lr` is the peak learning rate; the schedule scales it."""

    lr: float = Field(gt=0.0)

    @abstractmethod
    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        """A torch.optim.Optimizer whose state is all tensors, so that a checkpoint needs no pickle."""
