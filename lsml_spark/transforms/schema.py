"""What a network meets: of each feature, whether it is ids of a vocabulary, numbers or a tensor, told from
encoders.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsml_spark.core.errors import ConfigError
from lsml_spark.transforms.encode import encoder_of


@dataclass(frozen=True)
class Ids:
    """Ids 0 (unknown) … size; `list`: any number of them a row."""

    size: int
    list: bool = False


@dataclass(frozen=True)
class Numbers:
    """`width` float32 numbers a row."""

    width: int = 1


@dataclass(frozen=True)
class Tensor:
    """An array of one shape a row, of NumPy's `dtype`."""

    shape: tuple[int, ...]
    dtype: str


def schema_of(encoders: Mapping[str, Any]) -> dict[str, Ids | Numbers | Tensor]:
    """Of every feature, the label left out, in the order of encoders.json."""
    return {name: column_of(encoders, name) for name in encoders["columns"] if name != encoders["label"]}


def column_of(encoders: Mapping[str, Any], name: str) -> Ids | Numbers | Tensor:
    """Of one column."""
    own = encoder_of(encoders, name)
    if "values" in own or "size" in own:
        size = len(own["values"]) if "values" in own else int(own["size"])
        return Ids(size, bool(encoders["columns"][name].get("list")))
    return Tensor(tuple(own["shape"]), own["dtype"]) if "shape" in own else Numbers(int(own["width"]))


@dataclass(frozen=True)
class Schema:
    """What a network meets: the columns of the shards that it may look at, and how many outputs a row its
    head has.

    `label`: the column whose known values the outputs stand for, one each in the order of their ids; None
    where they stand for something else. `hidden`: columns of the shards that it must not look at, the target
    among them.
    """

    encoders: Mapping[str, Any]
    width: int
    label: str | None
    hidden: frozenset[str]

    @classmethod
    def of(cls, encoders: Mapping[str, Any]) -> "Schema":
        """One output for each known label: what is learned where nothing else is said."""
        label = encoders["label"]
        column = column_of(encoders, label)
        assert isinstance(column, Ids)
        return cls(encoders, column.size, label, frozenset({label}))

    @property
    def features(self) -> dict[str, Any]:
        """What each feature is, in the order of encoders.json."""
        return {
            name: column_of(self.encoders, name)
            for name in self.encoders["columns"]
            if name not in self.hidden
        }

    @property
    def ids(self) -> dict[str, int]:
        """The features that are one id a row, each with its number of known values V (ids 0 … V)."""
        return {
            name: one.size for name, one in self.features.items() if isinstance(one, Ids) and not one.list
        }

    @property
    def lists(self) -> dict[str, int]:
        """The features that are any number of ids a row, with V."""
        return {name: one.size for name, one in self.features.items() if isinstance(one, Ids) and one.list}

    @property
    def numbers(self) -> dict[str, int]:
        """The features that are numbers, each with how many of them a row has."""
        return {name: one.width for name, one in self.features.items() if isinstance(one, Numbers)}

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The features that are tensors, each with the shape of a row's."""
        return {name: one.shape for name, one in self.features.items() if isinstance(one, Tensor)}

    def without_tensors(self, model: str) -> "Schema":
        """Itself. ConfigError where there are tensors, which this model would overlook."""
        for name, shape in self.tensors.items():
            raise ConfigError(
                f"train.model: `{model}` looks at no tensors, and '{name}' is one of shape {list(shape)}; "
                "take `mlp`"
            )
        return self
