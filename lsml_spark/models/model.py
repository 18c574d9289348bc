"""What a model is to the rest of the house: a config that the YAML names by `use:` and that builds a
`Network`.

Configs import no torch, so a pipeline can be checked where there is none; `build` imports the network's
module.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsml_spark.core.config import Component
from lsml_spark.transforms.schema import Ids, Schema, column_of

if TYPE_CHECKING:
    from lsml_spark.models.network import Network


class Model(Component, ABC):
    """Base of the models' configs: its fields are the architecture, all that is needed beside encoders.json
    and the task to rebuild it.
    """

    @abstractmethod
    def build(self, schema: Schema) -> "Network":
        """A freshly initialised network for these features and so many outputs, drawn from torch's current
        seed.
        """


def vocabulary_of(encoders: Mapping[str, Any], column: str) -> str:
    """The column whose vocabulary a column uses: its own, or the one that it is `like`."""
    return encoders["columns"][column].get("like", column)


def vocabulary_size(encoders: Mapping[str, Any], column: str) -> int:
    """Number of known values V of a column of ids; they run from 0 (unknown) to V."""
    column_kind = column_of(encoders, column)
    if not isinstance(column_kind, Ids):
        raise ValueError(f"column '{column}' holds numbers, not ids")
    return column_kind.size
