"""What a network meets: of each feature, whether it is ids of a vocabulary or numbers, told from encoders.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def schema_of(encoders: Mapping[str, Any]) -> dict[str, Ids | Numbers]:
    """Of every feature, the label left out, in the order of encoders.json."""
    return {name: column_of(encoders, name) for name in encoders["columns"] if name != encoders["label"]}


def column_of(encoders: Mapping[str, Any], name: str) -> Ids | Numbers:
    """Of one column."""
    own = encoder_of(encoders, name)
    if "values" in own or "size" in own:
        size = len(own["values"]) if "values" in own else int(own["size"])
        return Ids(size, bool(encoders["columns"][name].get("list")))
    return Numbers(int(own["width"]))
