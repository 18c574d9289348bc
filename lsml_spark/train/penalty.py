"""L1 as a proximal step after the optimiser's own, so that weights become exactly zero and stay there.

Minimises loss + l1 · Σ|w| over the weights; biases and norms (parameters of one dimension) are free. A step
that moves a coordinate by `a` per unit of its gradient shrinks it by `a · l1`: proximal gradient descent for
SGD, composite mirror descent with a diagonal metric for the optimisers that scale coordinates (Duchi et al.
2011). Where a full gradient brings this to rest, the weights are the optimum of that sum, whatever `a`; with
AdamW's or LAMB's decay, of the sum plus that decay.
"""

import torch

from lsml_spark.train.optimizers.optimizer import Optimizer


@torch.no_grad()
def soft_threshold_(optimizer: torch.optim.Optimizer, config: Optimizer, l1: float) -> None:
    """Shrink the weights in place; after every `optimizer.step()`, at the learning rate of that step, or not
    at all.

    `config` built `optimizer`; `l1` is per unit of the mean loss. A coordinate whose step has no size yet,
    since no gradient ever reached it (an item that no batch held), is left alone. ConfigError where the
    optimiser has no proximal step.
    """
    if l1 == 0:
        return
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.dim() > 1:
                _shrink(weight, config, group, optimizer.state.get(weight, {}), l1)


def _shrink(weight: torch.Tensor, config: Optimizer, group: dict, state: dict, l1: float) -> None:
    most = config.step_size(group, state) * l1
    weight.sub_(weight.clamp(-most, most))  # w - w is +0 exactly, unlike sign(w) · 0
