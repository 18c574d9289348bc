"""A model on disk: `model.safetensors` (weights), `model.json` (config and dtype) and `encoders.json`, enough
to score anywhere.

A folder is data, never code: a network of the user's own is built only where its module has been imported
already, because the pipeline's YAML or the caller named it. What `model.json` names is not imported.
"""

import sys
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
from lsml_spark.tasks.task import PACKAGE as TASKS
from lsml_spark.tasks.task import Task
from lsml_spark.transforms.encode import read_encoders, read_json
from lsml_spark.transforms.schema import Schema

WEIGHTS, DESCRIPTION, ENCODERS = "model.safetensors", "model.json", "encoders.json"
PACKAGE = "lsml_spark.models"


@dataclass(frozen=True)
class Saved:
    """A model folder read back: the network in eval mode, its task, its encoders, and model.json."""

    network: Network
    task: Task
    encoders: Mapping[str, Any]
    description: Mapping[str, Any]


def build(config: Mapping[str, Any], schema: Schema) -> Network:
    """The network that a resolved `model:` section describes."""
    return find_component(Model, PACKAGE, config["use"]).model_validate(dict(config)).build(schema)


def task_of(description: Mapping[str, Any], encoders: Mapping[str, Any]) -> Task:
    """The task that a model was trained for, as model.json says it."""
    described = description.get("task", {"use": "classify", "target": encoders["label"]})
    return find_component(Task, TASKS, described["use"]).model_validate(dict(described))


def save(
    folder: Path, weights: Mapping[str, Tensor], encoders: Mapping[str, Any], description: Mapping[str, Any]
) -> None:
    """Write the three files; equal weights (a network's whole state_dict) give equal bytes."""
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / WEIGHTS
    )
    (folder / DESCRIPTION).write_bytes(canonical(description) + b"\n")
    (folder / ENCODERS).write_bytes(canonical(encoders) + b"\n")


def weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder by name."""
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise IntegrityError(
            f"{folder / WEIGHTS}: cannot be read ({error}); run the train stage of that night again"
        ) from error


def load(folder: Path) -> Saved:
    """The model of a folder, ready to score.

    IntegrityError, naming the file, where one of the three is missing, damaged or does not fit the others, or
    where the network is of a module that nobody has imported.
    """
    path = folder / DESCRIPTION
    description, encoders = read_json(path), read_encoders(folder / ENCODERS)
    config, dtype = description.get("model"), getattr(torch, str(description.get("dtype")), None)
    if (
        not isinstance(config, dict)
        or not isinstance(config.get("use"), str)
        or not isinstance(dtype, torch.dtype)
    ):
        raise IntegrityError(f"{path}: names no model or no dtype; run the train stage of that night again")
    _refuse_unknown_module(path, config["use"])
    for encoder in encoders["columns"].values():
        _refuse_unknown_module(folder / ENCODERS, str(encoder.get("use")), "transform", "features.columns")
    if "task" in description:
        described = description["task"]
        if not isinstance(described, dict) or not isinstance(described.get("use"), str):
            raise IntegrityError(f"{path}: its task has no name; run the train stage of that night again")
        _refuse_unknown_module(path, described["use"], "task", "task.use")
    try:
        task = task_of(description, encoders)
        network = build(config, task.schema_of(encoders))
        task.prepare(network)
        network = network.to(dtype)
        network.load_state_dict(weights(folder))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = " ".join(str(error).split())[:300]
        raise IntegrityError(
            f"{path}: its model cannot be built ({why}); run the train stage of that night again"
        ) from error
    except RuntimeError as error:
        raise IntegrityError(
            f"{folder}: weights and encoders do not fit: {str(error).splitlines()[0]}"
        ) from error
    return Saved(network.eval(), task, encoders, description)


def _refuse_unknown_module(
    path: Path, name: str, kind: str = "model", where: str = "train.model.use"
) -> None:
    """`use:` of ours has no dot; of the user's, the module must be here already."""
    module = name.rpartition(".")[0]
    if module and module not in sys.modules:
        raise IntegrityError(
            f"{path}: the {kind} is '{name}', of a module that a model folder may not import; "
            f"name it in the pipeline's YAML ({where}), or import {module} first"
        )
    if not module and not name.isidentifier():
        raise IntegrityError(f"{path}: the {kind} is '{name}', which is no name of a {kind}")
