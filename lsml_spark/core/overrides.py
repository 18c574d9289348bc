"""`--set a.b=c`: a key of the pipeline's YAML, from the command line."""

import copy
import re
from collections.abc import Sequence
from typing import Any

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.yaml_text import read_value

PART = re.compile(r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^.="']+))\s*""")
PROPERTIES = "spark"  # the section whose keys have dots
HOW = """a key that holds dots stands in quotes: --set 'quality.columns."a.b"=[complete]'"""


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """`--set a.b=c` for each override; the value is read as YAML. Returns a changed deep copy.

    What follows `spark.` is one Spark property: `spark.executor.memory=2g`, or with the section's name before
    it `spark.spark.executor.memory=2g`. A part in quotes is one key: `quality.columns."a.b"=[complete]`.
    """
    values = copy.deepcopy(values)
    for override in overrides:
        (*path, last), text = _parts(override.strip())
        node = values
        for part in path:
            if node.get(part) is None:  # not there, or a section that is left empty
                node[part] = {}
            inner = node[part]
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {override}: '{part}' is a value, not a section")
            node[part] = node = dict(inner)  # its own: an alias of the YAML may share it
        node[last] = read_value(text, f"--set {override}")
    return values


def _parts(override: str) -> tuple[list[str], str]:
    """The path of keys and the text of the value."""
    path: list[str] = []
    place = 0
    while True:
        match = PART.match(override, place)
        if match is None:
            raise ConfigError(f"--set {override}: expected key=value, for example select.budget=0.5; {HOW}")
        path.append((match["double"] or match["single"] or match["plain"] or "").strip())
        place = match.end()
        following = override[place : place + 1]
        if following not in (".", "=") or not path[-1]:
            raise ConfigError(f"--set {override}: expected key=value, for example select.budget=0.5; {HOW}")
        place += 1
        if following == "=":
            return _properties_whole(path), override[place:]


def _properties_whole(path: list[str]) -> list[str]:
    if path[0] != PROPERTIES or len(path) == 1:
        return path
    name = ".".join(path[1:])
    return [PROPERTIES, name if name.startswith("spark.") else f"spark.{name}"]
