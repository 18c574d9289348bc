"""A model on disk: `model.safetensors` (weights), `model.json` (config and dtype) and `encoders.json`, enough to score anywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lsml_spark.core.config import canonical, find_component
from lsml_spark.core.errors import IntegrityError
from lsml_spark.models.model import Model
from lsml_spark.models.network import Network

WEIGHTS, DESCRIPTION, ENCODERS = "model.safetensors", "model.json", "encoders.json"
PACKAGE = "lsml_spark.models"


@dataclass(frozen=True)
class Saved:
    """A model folder read back: the network in eval mode, its encoders, and model.json."""

    network: Network
    encoders: Mapping[str, Any]
    description: Mapping[str, Any]


def build(config: Mapping[str, Any], encoders: Mapping[str, Any]) -> Network:
    """The network that a resolved `model:` section describes."""
    return find_component(Model, PACKAGE, config["use"]).model_validate(dict(config)).build(encoders)


def save(folder: Path, weights: Mapping[str, Tensor], encoders: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Write the three files; equal weights (a network's whole state_dict) give equal bytes."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    (folder / DESCRIPTION).write_bytes(canonical(description) + b"\n")
    (folder / ENCODERS).write_bytes(canonical(encoders) + b"\n")


def weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder by name."""
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise IntegrityError(f"{folder / WEIGHTS}: cannot be read ({error}); run the train stage of that night again") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a model folder; IntegrityError names it where it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error}); run the train stage of that night again") from error


def load(folder: Path) -> Saved:
    """The model of a folder, ready to score."""
    description, encoders = read_json(folder / DESCRIPTION), read_json(folder / ENCODERS)
    network = build(description["model"], encoders).to(getattr(torch, description["dtype"]))
    try:
        network.load_state_dict(weights(folder))
    except RuntimeError as error:
        raise IntegrityError(f"{folder}: weights and encoders do not fit: {str(error).splitlines()[0]}") from error
    return Saved(network.eval(), encoders, description)
