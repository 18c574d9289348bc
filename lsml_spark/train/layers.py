"""Rates of their own for parts of a network: slower, or frozen for the first epochs."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.train.config import Layer


def grouped(groups: Sequence[Any], network: nn.Module, layers: Mapping[str, Layer]) -> list[Any]:
    """The optimiser's groups, cut so that all parameters of a group have one layer: the first whose pattern
    fits their name.

    ConfigError for a pattern that fits no parameter.
    """
    if not layers:
        return list(groups)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for pattern in layers:
        if not fnmatch.filter(names.values(), pattern):
            heads = sorted({name.partition(".")[0] for name in names.values()})
            near = did_you_mean(pattern.partition(".")[0], heads)
            raise ConfigError(
                f"train.layers: no parameter of the network is called '{pattern}'{near}; they begin with "
                f"{', '.join(heads)}"
            )
    cut: list[dict[str, Any]] = []
    for group in groups if groups and isinstance(groups[0], Mapping) else [{"params": list(groups)}]:
        parts: dict[str | None, list[Any]] = {}
        for parameter in group["params"]:
            parts.setdefault(_pattern(names[id(parameter)], layers), []).append(parameter)
        cut += [
            {**group, "params": parameters, "layer": layers.get(str(pattern))}
            for pattern, parameters in parts.items()
        ]
    return cut


def set_rates(optimizer: torch.optim.Optimizer, rate: float, epoch: int) -> None:
    """Before an update: the rate of every group; 0 where it is frozen in this epoch."""
    for group in optimizer.param_groups:
        layer = group.get("layer")
        group["lr"] = rate if layer is None else 0.0 if epoch < layer.freeze else rate * layer.rate


def drop_frozen(optimizer: torch.optim.Optimizer) -> None:
    """After the backward pass: without gradients, frozen parameters are neither moved nor counted, and the
    optimiser learns nothing of them."""
    for group in optimizer.param_groups:
        if group.get("layer") is not None and not group["lr"]:
            for parameter in group["params"]:
                parameter.grad = None


def _pattern(name: str, layers: Mapping[str, Layer]) -> str | None:
    return next((pattern for pattern in layers if fnmatch.fnmatchcase(name, pattern)), None)
