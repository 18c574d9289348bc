"""What a model is to the rest of the house: a config that the YAML names by `use:` and that builds a `Network`.

Configs import no torch, so a pipeline can be checked where there is none; `build` imports the network's module.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsml_spark.core.config import Component
from lsml_spark.transforms.schema import Ids, Numbers, column_of, schema_of

if TYPE_CHECKING:
    from lsml_spark.models.network import Network


class Model(Component, ABC):
    """Base of the models' configs: its fields are the architecture, all that is needed beside encoders.json to rebuild it."""

    @abstractmethod
    def build(self, encoders: Mapping[str, Any]) -> "Network":
        """A freshly initialised network for these encoders, drawn from torch's current seed."""


def features_of(encoders: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """(lists of ids, ids) among the features of encoders.json, each with its number of known values V (ids 0..V)."""
    ids = {name: column for name, column in schema_of(encoders).items() if isinstance(column, Ids)}
    return {name: one.size for name, one in ids.items() if one.list}, {name: one.size for name, one in ids.items() if not one.list}


def numbers_of(encoders: Mapping[str, Any]) -> dict[str, int]:
    """The features that are numbers, each with how many of them a row has."""
    return {name: column.width for name, column in schema_of(encoders).items() if isinstance(column, Numbers)}


def vocabulary_of(encoders: Mapping[str, Any], column: str) -> str:
    """The column whose vocabulary a column uses: its own, or the one that it is `like`."""
    return encoders["columns"][column].get("like", column)


def vocabulary_size(encoders: Mapping[str, Any], column: str) -> int:
    """Number of known values V of a column of ids; they run from 0 (unknown) to V."""
    found = column_of(encoders, column)
    if not isinstance(found, Ids):
        raise ValueError(f"column '{column}' holds numbers, not ids")
    return found.size
