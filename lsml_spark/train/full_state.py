"""Weights and optimiser state as whole, named tensors, however they are cut over ranks: what any other `parallel` can load.

torch.distributed.checkpoint's state dicts do the gathering. Names: `network.<parameter or buffer>` and
`optimizer.<parameter>.<state>`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor, distribute_tensor
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


@torch.no_grad()
def load(network: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Set network and optimiser from `tensors_of`, in place; every rank passes all tensors and keeps its part.

    KeyError where one is missing. (torch 2.13's own set_state_dict leaves tensors uncut that it should cut, and cannot take
    an optimiser with two groups of parameters.)
    """
    for name, value in network.state_dict().items():
        _set(value, tensors[f"network.{name}"])
    if not any(name.startswith("optimizer.") for name in tensors):
        return
    optimizer.zero_grad(set_to_none=True)
    get_optimizer_state_dict(network, optimizer)  # makes the state of an optimiser that has not stepped yet
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                _set(value, tensors[_name(name, key)])


def _set(value: Tensor, whole: Tensor) -> None:
    if isinstance(value, DTensor):
        part = distribute_tensor(whole.to(value.device), value.device_mesh, value.placements, src_data_rank=None)
        value.to_local().copy_(part.to_local())
    else:
        value.copy_(whole)


def _name(parameter: str, key: str) -> str:
    return f"optimizer.{parameter}.{key}"
