"""Strict configuration: frozen pydantic models, unknown keys refused with the near name, components named by
`use:`.

`{{ date }}` and `${VARIABLE}` (or `${VARIABLE:-default}`) are the only templating; `--set a.b=c` the only
override.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from lsml_spark.core.components import component, component_names, find_component, told
from lsml_spark.core.errors import ConfigError, LsmlError
from lsml_spark.core.overrides import apply_overrides
from lsml_spark.core.variables import mask, render
from lsml_spark.core.words import did_you_mean
from lsml_spark.core.yaml_text import read_yaml

__all__ = [
    "Component",
    "Strict",
    "apply_overrides",
    "canonical",
    "component",
    "component_names",
    "did_you_mean",
    "digest",
    "find_component",
    "read_yaml",
    "render",
    "validate",
]

T = TypeVar("T", bound="Strict")


class Strict(BaseModel):
    """Base of every config: frozen, and an unknown key is an error that names the near one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            known = [name for name in cls.model_fields if not name.startswith("_")]
            for key in values:
                if key not in known:
                    raise ValueError(f"unknown key '{key}'{did_you_mean(str(key), known)}")
        return values


class Component(Strict):
    """A part that the YAML names by `use:`; its other fields are its parameters."""

    use: str = ""


def validate(model: type[T], values: Any, where: str) -> T:
    """`model(**values)`, with the first problem as a one-line ConfigError that starts with `where`: file and
    section.

    Where there is no section, `where` ends with a colon and a blank.
    """
    place = where.removesuffix(": ")
    if not isinstance(values, Mapping):
        raise ConfigError(f"{place}: expected a mapping of keys, found {type(values).__name__}")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part).removesuffix("_") for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] not in ("value_error", "missing"):
            message += f", found {mask(repr(problem['input']))}"[:120]
        joint = "" if not path else ": " if place != where else "."
        raise ConfigError(mask(f"{place}{joint}{path}: {message}")) from error
    except LsmlError as error:  # says the section itself
        file, _, section = place.rpartition(": ")
        start = f"{file}: " if file and str(error).startswith(section) else f"{place}: "
        raise type(error)(mask(f"{start}{error}")) from error
    except Exception as error:  # of a class of the user's: ours raise ValueError
        raise ConfigError(mask(f"{place}: {told(error)}")) from error


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of a value, as hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
