"""Weights of somebody else's, taken by name: a file of safetensors, whatever network wrote it."""

import fnmatch
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.models.network import Network


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name. IntegrityError where it cannot be read; nothing in it is executed."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{path}: cannot be read as safetensors ({error})") from error


@torch.no_grad()
def adopt(network: Network, weights: Mapping[str, Tensor], names: Mapping[str, str], where: str) -> int:
    """Copy weights into a fresh network, parameters and buffers alike but for the prior; how many were
    copied.

    `names`: patterns of the network's own names with one `*` at most → what it is called in `weights`,
    `encoder.*: bert.*`. What a pattern fits must be there in the same shape: ConfigError says which is not.
    Without patterns, all that has the same name and shape.
    """
    own = dict(network.named_parameters()) | {
        name: one for name, one in network.named_buffers() if name != "prior"
    }
    taken = {}
    for pattern, theirs in (names or {"*": "*"}).items():
        head, _, tail = pattern.partition("*")
        for name in fnmatch.filter(own, pattern):
            source = (
                theirs.replace("*", name[len(head) : len(name) - len(tail)], 1) if "*" in pattern else theirs
            )
            fits = source in weights and weights[source].shape == own[name].shape
            if fits:
                taken[name] = weights[source]
            elif names:
                mismatch = (
                    f"has the shape {tuple(weights[source].shape)} there"
                    if source in weights
                    else "is not there"
                )
                raise ConfigError(f"{where}: '{name}' is {tuple(own[name].shape)}, and '{source}' {mismatch}")
    if not taken:
        raise ConfigError(
            f"{where}: none of its {len(weights)} tensors has the name and shape of one of the network's "
            f"({', '.join(list(own)[:3])} …); "
            "say what they are called by train.from.names"
        )
    for name, tensor in taken.items():
        own[name].copy_(tensor.to(own[name]))
    return len(taken)
