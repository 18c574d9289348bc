"""LAMB as a torch optimiser.

torch has none, and those of timm and pytorch-optimizer count their steps in a Python number of the parameter
group, which is no part of a state of tensors; they also change the algorithm (a clamped weight norm, a
clipped gradient).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


class TorchLamb(torch.optim.Optimizer):
    """State per parameter: `step` (), `exp_avg` and `exp_avg_sq` like it, `trust` (): ‖weights‖ / ‖step‖ of
    the last update.

    The ratio is 1 where either norm is 0. Dense gradients only; parameters may be DTensors.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        vectors: bool = False,
    ):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "vectors": vectors}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; `closure` as torch has it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if gradient.is_sparse:
            raise RuntimeError(
                "LAMB takes no sparse gradients: the length of a layer's step needs all of its rows"
            )
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        state["step"] += 1
        state["exp_avg"].lerp_(gradient, 1.0 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1.0 - beta2)
        count = state["step"].item()
        denominator = (state["exp_avg_sq"] / (1.0 - beta2**count)).sqrt_().add_(group["eps"])
        update = state["exp_avg"] / (1.0 - beta1**count) / denominator

        adapted = group["vectors"] or parameter.dim() > 1
        if adapted and group["weight_decay"]:
            update.add_(parameter, alpha=group["weight_decay"])
        length, target = _norm(update), _norm(parameter)
        one = torch.ones_like(length)
        trust = state["trust"] = (
            torch.where((length > 0) & (target > 0), target / length, one) if adapted else one
        )
        # Elementwise, so a rank's part of a tensor that is cut over ranks is a tensor like any other.
        _own(parameter).sub_(_own(update).mul_(trust), alpha=group["lr"])


def _norm(tensor: Tensor) -> Tensor:
    """Of the whole tensor, wherever its parts are; a plain scalar."""
    norm = torch.linalg.vector_norm(tensor)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _own(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
