"""LAMB (You et al. 2020, Algorithm 2): Adam whose step in each layer is as long as the layer's weights, for
large batches.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from lsml_spark.train.optimizers.optimizer import Optimizer


class Lamb(Optimizer):
    """`l2` is the decoupled decay, part of the step whose length is adapted.

    `vectors: false` leaves parameters of one dimension (biases, norms) without decay and with Adam's own step
    length, as the paper's code does.
    """

    lr: float = Field(0.005, gt=0.0)  # peak learning rate
    beta1: float = Field(0.9, ge=0.0, lt=1.0)  # decay of the mean gradient
    beta2: float = Field(0.999, ge=0.0, lt=1.0)  # decay of its mean square
    eps: float = Field(1e-6, gt=0.0)  # added to the divisor
    vectors: bool = False  # adapt parameters of one dimension too

    def build(self, parameters: Iterable[Any], l2: float) -> Any:
        from lsml_spark.train.optimizers.lamb_torch import TorchLamb

        betas = (self.beta1, self.beta2)
        return TorchLamb(
            parameters, lr=self.lr, betas=betas, eps=self.eps, weight_decay=l2, vectors=self.vectors
        )

    def step_size(self, group: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """Adam's, times the layer's trust ratio. 0 where no gradient ever came."""
        if not state:
            return 0.0
        corrected = state["exp_avg_sq"] / (1.0 - group["betas"][1] ** float(state["step"]))
        return (group["lr"] * state["trust"] / (corrected.sqrt() + group["eps"])).where(corrected > 0, 0.0)
