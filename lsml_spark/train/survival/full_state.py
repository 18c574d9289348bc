"""Weights and optimiser state as whole, named tensors, however they are cut over ranks: what any other
`parallel` can load.

torch.distributed.checkpoint's state dicts do the gathering; importing them takes a second, so a network that
is not cut does without. Names: `network.<parameter or buffer>` and `optimizer.<parameter>.<state>`.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer


def network_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The network's tensors by name, whole and on the CPU, on rank 0; nothing on the others, which must call
    it too.

    On the CPU a tensor that is not cut is the network's own, not a copy.
    """
    if not _cut(network):
        return {name: value.cpu() for name, value in network.state_dict().items()} if _first() else {}
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    tensors: dict[str, Any] = get_model_state_dict(
        network, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )
    return tensors


def tensors_of(network: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The same of network and optimiser, between two updates. An optimiser that has not stepped yet may have
    nothing to keep.
    """
    states: Any = {}
    if not _cut(network):
        states = (
            {name: optimizer.state.get(parameter, {}) for name, parameter in network.named_parameters()}
            if _first()
            else {}
        )
    elif optimizer.state:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        states = get_optimizer_state_dict(network, optimizer, options=options).get("state", {})
    tensors = {f"network.{name}": value for name, value in network_tensors(network).items()}
    for parameter, state in states.items():
        tensors |= {
            _name(parameter, key): value.cpu() for key, value in state.items() if isinstance(value, Tensor)
        }
    return tensors


@torch.no_grad()
def load(network: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Set network and optimiser from `tensors_of`, in place; every rank passes all tensors and keeps its
    part.

    KeyError where one is missing.
    """
    for name, value in network.state_dict().items():
        _set(value, tensors[f"network.{name}"])
    if not any(name.startswith("optimizer.") for name in tensors):
        return
    if _cut(network):
        _set_parts(network, optimizer, tensors)
        return
    parameters = {name: _held(tensors, name) for name in dict(network.named_parameters())}
    # the same for all parameters that ever had a gradient
    kinds = list(dict.fromkeys(itertools.chain(*parameters.values())))
    states = {
        name: {kind: tensors[_name(name, kind)].clone() for kind in kinds}
        for name, known in parameters.items()
        if known
    }
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    order = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
    optimizer.load_state_dict(
        {
            **optimizer.state_dict(),
            "state": {i: states[name] for i, name in enumerate(order) if name in states},
        }
    )


def _held(tensors: Mapping[str, Tensor], parameter: str) -> list[str]:
    prefix = _name(parameter, "")
    return [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]


def _set_parts(network: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """torch 2.13's own set_state_dict leaves tensors uncut that it should cut, and takes no optimiser with
    two groups of parameters.
    """
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

    optimizer.zero_grad(set_to_none=True)
    get_optimizer_state_dict(network, optimizer)  # makes the state of an optimiser that has not stepped yet
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                _set(value, tensors[_name(name, key)])


def _set(value: Tensor, whole: Tensor) -> None:
    if not hasattr(value, "device_mesh"):
        value.copy_(whole)
        return
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(value, DTensor)
    part = distribute_tensor(whole.to(value.device), value.device_mesh, value.placements, src_data_rank=None)
    value.to_local().copy_(part.to_local())


def _cut(network: nn.Module) -> bool:
    """Whether parameters are DTensors."""
    return any(hasattr(parameter, "device_mesh") for parameter in network.parameters())


def _first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def _name(parameter: str, key: str) -> str:
    return f"optimizer.{parameter}.{key}"
