"""Strict configuration: frozen pydantic models, unknown keys refused with the near name, components named by `use:`.

`{{ date }}` and `${VARIABLE}` (or `${VARIABLE:-default}`) are the only templating; `--set a.b=c` the only override.
"""

import difflib
import hashlib
import importlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializeAsAny, ValidationError, model_validator

from lsml_spark.core.errors import ConfigError

T = TypeVar("T", bound="Strict")
C = TypeVar("C")


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """' (did you mean "x"?)' or, where nothing is near, the list of what there is."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f" (did you mean '{near[0]}'?)"
    return f" (known: {', '.join(sorted(known))})" if known else ""


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


def find_component(base: type[C], package: str, name: str) -> type[C]:
    """The class that `use: name` means: `<package>/<name>.py` and its CamelCase class, or a dotted path of the user's."""
    if "." in name:
        module_name, _, class_name = name.rpartition(".")
    else:
        module_name, class_name = f"{package}.{name}", "".join(part.capitalize() for part in name.split("_"))
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module exists, something that it imports does not
        found = None
    if not (isinstance(found, type) and issubclass(found, base)) or found is base:
        raise ValueError(f"there is no {base.__name__.lower()} '{name}'{did_you_mean(name, component_names(base, package))}")
    if missing := getattr(found, "__abstractmethods__", None):
        raise ValueError(f"{base.__name__.lower()} '{name}' does not define {', '.join(sorted(missing))}")
    return found


def component_names(base: type, package: str) -> list[str]:
    """Names in `package` whose module derives a class of that name from `base`; modules are read, not imported."""
    folder = Path(importlib.import_module(package).__path__[0])
    modules = {path.stem: path.read_text() for path in sorted(folder.glob("*.py"))}
    parent = {name: of for text in modules.values() for name, of in re.findall(r"^class (\w+)\((\w+)", text, re.MULTILINE)}

    def derived(name: str) -> bool:
        return name in parent and (parent[name] == base.__name__ or derived(parent[name]))

    return [module for module in modules if derived("".join(part.capitalize() for part in module.split("_")))]


def component(base: type[Any], package: str) -> Any:
    """The annotation of a config field that holds a component: `policy: component(Policy, "lsml_spark.select")`."""

    def build(value: Any) -> Any:
        if isinstance(value, base):
            return value
        if isinstance(value, str):
            value = {"use": value}
        if not isinstance(value, Mapping) or "use" not in value:
            raise ValueError(f"say which one: `use: name`{did_you_mean('', component_names(base, package))}")
        return find_component(base, package, str(value["use"]))(**value)

    return Annotated[SerializeAsAny[base], BeforeValidator(build)]  # type: ignore[valid-type, misc]


def validate(model: type[T], values: Any, where: str) -> T:
    """`model(**values)`, with the first problem as a one-line ConfigError that starts with `where` (file and section)."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected a mapping of keys, found {type(values).__name__}")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] not in ("value_error", "missing"):
            message += f", found {problem['input']!r}"[:120]
        raise ConfigError(f"{where}{'.' if path else ''}{path}: {message}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping; ConfigError where it is missing, not YAML, or not a mapping."""
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, found {type(values).__name__}")
    return values


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """`--set a.b=c` for each override; the value is read as YAML. Returns a changed deep copy."""
    values = json.loads(json.dumps(values, default=str))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override}: expected key=value, for example select.budget=0.5")
        *path, last = key.strip().split(".")
        node = values
        for part in path:
            if node.get(part) is None:  # not there, or a section that is left empty
                node[part] = {}
            node = node[part]
            if not isinstance(node, dict):
                raise ConfigError(f"--set {override}: '{part}' is a value, not a section")
        try:
            node[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {override}: '{text}' is not a YAML value") from None
    return values


def render(value: Any, **names: str) -> Any:
    """Replace `{{ name }}` and `${VARIABLE}` in every string of a nested value."""
    if isinstance(value, Mapping):
        return {key: render(item, **names) for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, **names) for item in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name, default)
        if found is None:
            raise ConfigError(f"environment variable {name} is not set; set it, or write ${{{name}:-default}}")
        return found

    def template(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            raise ConfigError(f"'{{{{ {name} }}}}' is unknown{did_you_mean(name, list(names))}")
        return names[name]

    value = re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", variable, value)
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", template, value)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of a value, as hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
