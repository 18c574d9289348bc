"""Checkpoints at epoch ends: safetensors for weights and optimiser state, JSON for the rest, nothing unpickled.

The JSON is replaced last and names its tensors by checksum, so a kill at any moment leaves the old or the new checkpoint.
There is no random state to keep: every draw is a function of (seed, epoch, step, lane).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lsml_spark.core.config import canonical, digest
from lsml_spark.core.manifest import sha256_of

NAME = "checkpoint.json"


@dataclass(frozen=True)
class Position:
    """Where training stands: epochs done, and the curve so far (see curve.json)."""

    epochs: int
    steps: list[dict[str, Any]]
    by_epoch: list[dict[str, Any]]
    start: str | None


def save(folder: Path, identity: str, network: torch.nn.Module, optimizer: torch.optim.Optimizer, position: Position) -> None:
    """Write a checkpoint and remove the one before it."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    file = folder / f"checkpoint-{position.epochs:05d}.safetensors"
    partial = folder / f".{file.name}.partial"
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial)
    _replace(partial, file)

    values = {"identity": identity, "tensors": file.name, "sha256": sha256_of(file), "position": vars(position)}
    partial = folder / f".{NAME}.partial"
    partial.write_bytes(canonical({**values, "checksum": digest(values)}))
    _replace(partial, folder / NAME)
    for old in folder.glob("checkpoint-*.safetensors"):
        if old != file:
            old.unlink()


def restore(folder: Path, identity: str, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Position | None:
    """Load the checkpoint of this identity into network and optimiser; None, with nothing changed, where there is no sound one."""
    try:
        values = json.loads((folder / NAME).read_bytes())
        sound = values.pop("checksum") == digest(values) and values["identity"] == identity
        sound = sound and sha256_of(folder / values["tensors"]) == values["sha256"]
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    if not sound:
        return None
    tensors = load_file(folder / values["tensors"])
    network.load_state_dict({name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")})
    optimizer.load_state_dict({**optimizer.state_dict(), "state": _optimizer_state(tensors)})
    return Position(**values["position"])


def _optimizer_state(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    return state


def _replace(partial: Path, final: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(final)
