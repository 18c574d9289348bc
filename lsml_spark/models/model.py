"""What a model is to the rest of the house: a config that the YAML names by `use:` and that builds a `Network`.

Configs import no torch, so a pipeline can be checked where there is none; `build` imports the network's module.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsml_spark.core.config import Component

if TYPE_CHECKING:
    from lsml_spark.models.network import Network


class Model(Component, ABC):
    """Base of the models' configs: its fields are the architecture, all that is needed beside encoders.json to rebuild it."""

    @abstractmethod
    def build(self, encoders: Mapping[str, Any]) -> "Network":
        """A freshly initialised network for these encoders, drawn from torch's current seed."""


def features_of(encoders: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """(ragged columns, scalar columns) of encoders.json, the label left out, each with its vocabulary size V (ids 0..V)."""
    sizes = {name: vocabulary_size(encoders, name) for name in encoders["columns"] if name != encoders["label"]}
    ragged = {name: size for name, size in sizes.items() if encoders["columns"][name].get("list")}
    return ragged, {name: size for name, size in sizes.items() if name not in ragged}


def vocabulary_of(encoders: Mapping[str, Any], column: str) -> str:
    """The column whose vocabulary a column uses: its own, or the one that it is `like`."""
    return encoders["columns"][column].get("like", column)


def vocabulary_size(encoders: Mapping[str, Any], column: str) -> int:
    """Number of known values V; ids run from 0 (unknown) to V."""
    return len(encoders["columns"][vocabulary_of(encoders, column)]["values"])
