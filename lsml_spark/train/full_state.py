"""Weights and optimiser state as whole, named tensors, however they are cut over ranks: what any other `parallel` can load.

torch.distributed.checkpoint's state dicts do the gathering and the cutting. Names: `network.<parameter or buffer>` and
`optimizer.<parameter>.<state>`.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The network's tensors by name, whole and on the CPU, on rank 0; nothing on the others, which must call it too.

    On the CPU a tensor that is not cut is the network's own, not a copy.
    """
    found: dict[str, Any] = get_model_state_dict(network, options=WHOLE)
    return found


def tensors_of(network: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The same of network and optimiser, between two updates. An optimiser that has not stepped yet may have nothing to keep."""
    tensors = {f"network.{name}": value for name, value in network_tensors(network).items()}
    if optimizer.state:
        states: dict[str, Any] = get_optimizer_state_dict(network, optimizer, options=WHOLE)
        for parameter, state in states.get("state", {}).items():
            tensors |= {_name(parameter, key): value for key, value in state.items() if isinstance(value, Tensor)}
    return tensors


def load(network: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Set network and optimiser from `tensors_of`; every rank passes all tensors and keeps its part. KeyError where one is missing."""
    weights: dict[str, Any] = {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    set_model_state_dict(network, weights, options=WHOLE)
    if not any(name.startswith("optimizer.") for name in tensors):
        return
    optimizer.zero_grad(set_to_none=True)  # or torch leaves out the state that this optimiser has yet to make
    states: dict[str, Any] = get_optimizer_state_dict(network, optimizer)
    for parameter, state in states["state"].items():
        state |= {key: tensors[_name(parameter, key)] for key, value in state.items() if isinstance(value, Tensor)}
    set_optimizer_state_dict(network, optimizer, states, options=WHOLE)


def _name(parameter: str, key: str) -> str:
    return f"optimizer.{parameter}.{key}"
