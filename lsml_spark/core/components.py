"""Components by name: `use: zipf` is a class of ours, `use: my.shop.RareFirst` one of the user's.

A user's module is looked for beside the pipeline's YAML and in the current folder, after everything that is
installed: no file there can take the place of the standard library. So a pipeline YAML is code: `use:`
imports the module that it names.
"""

import importlib
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, SerializeAsAny, ValidationError

from lsml_spark.core.errors import LsmlError
from lsml_spark.core.words import did_you_mean

C = TypeVar("C")
FOLDERS = "LSML_USE_PATH"  # where processes that this one starts look for the modules of `use:`
# modules whose functions hear signals
HANDLERS = ("lsml_spark.core.stopping", "lsml_spark.train.survival.watch")
FRAME = re.compile(r'File "([^"]+)", line (\d+)')  # of a traceback as text

_used: set[str] = set()  # first names of the modules that a `use:` with dots has named


def importable(*folders: Path) -> None:
    """Let `use:` find modules in these folders, here and in processes that this one starts."""
    known = os.environ.get(FOLDERS, "").split(os.pathsep)
    folders_in_order = dict.fromkeys([*filter(None, known), *(str(folder.resolve()) for folder in folders)])
    os.environ[FOLDERS] = os.pathsep.join(name for name in folders_in_order if os.pathsep not in name)
    _extend_path()


def _extend_path() -> None:
    for folder in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        if folder not in sys.path:
            sys.path.append(folder)


def users_modules() -> list[ModuleType]:
    """Modules that were found in the folders of `importable`, which other hosts may not have."""
    folders = [f"{folder}{os.sep}" for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    first = [
        Path(name).resolve() for name in sys.path if name and name not in {folder[:-1] for folder in folders}
    ]
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    names = [
        name
        for name, file in files.items()
        if file and file.startswith(tuple(folders)) and name.partition(".")[0] in _used
    ]
    return [
        sys.modules[name]
        for name in names
        if not any(Path(str(files[name])).is_relative_to(folder) for folder in first)
    ]


def find_component(base: type[C], package: str, name: str) -> type[C]:
    """The class that `use: name` means: `<package>/<name>.py` and its CamelCase class, or a dotted path of
    the user's.

    ValueError says what is wrong with the name, or in which file and line the user's module fails.
    """
    kind = base.__name__.lower()
    if not re.fullmatch(r"\w+(\.\w+)*", name) or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"there is no {kind} '{name}'{did_you_mean(name, component_names(base, package))}")
    if "." in name:
        module_name, _, class_name = name.rpartition(".")
        _extend_path()
        _used.update({name.partition(".")[0]} - {"lsml_spark"})
    else:
        module_name, class_name = f"{package}.{name}", _class_name(name)
        if not (_folder(package) / f"{name}.py").is_file():
            raise ValueError(
                f"there is no {kind} '{name}'{did_you_mean(name, component_names(base, package))}"
            )
    member = _member(module_name, class_name, name)
    if not (isinstance(member, type) and issubclass(member, base)) or member is base:
        raise ValueError(f"there is no {kind} '{name}'{did_you_mean(name, component_names(base, package))}")
    if missing := getattr(member, "__abstractmethods__", None):
        raise ValueError(f"{kind} '{name}' does not define {', '.join(sorted(missing))}")
    return member


def _member(module_name: str, class_name: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module_name), class_name, None)
    except LsmlError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"cannot import {module_name} for '{name}': No module named '{error.name}'; "
                "modules are looked for beside the pipeline's YAML and in the current folder"
            ) from error
        raise ValueError(told(error)) from error  # the module exists, something that it imports does not
    except (Exception, SystemExit) as error:
        if _raised_by_signal(error):
            raise
        raise ValueError(told(error)) from error


def _raised_by_signal(error: BaseException) -> bool:
    """A signal's handler of ours raised it: it came while the module was imported, the module is not to
    blame.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    return (
        isinstance(error, SystemExit)
        and bool(frames)
        and str(frames[-1][0].f_globals.get("__name__")).startswith(HANDLERS)
    )


def told(error: BaseException) -> str:
    """`my/shop.py line 7: ValueError: what it says`: where the user's own code raised, as far as can be
    told.
    """
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".removesuffix(": ")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename} line {error.lineno}: {type(error).__name__}: {error.msg}"
    installed = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    here = (__file__, "<", str(Path(__file__).parents[1]))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*here, *installed))
    ]
    frames = frames or [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")
    ]
    return f"{frames[-1].filename} line {frames[-1].lineno}: {what}" if frames else what


def blamed(error: BaseException) -> str | None:
    """What `told` says where the user's own code raised an error, in this process or in one of Spark's; None
    where ours did.
    """
    files = {
        str(module.__file__)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in _used and _file(module)
    }
    frames = [(frame.filename, str(frame.lineno)) for frame in traceback.extract_tb(error.__traceback__)]
    in_text = FRAME.findall(str(error))  # Spark's errors hold the traceback of its Python worker
    own = str(Path(__file__).parents[1])
    for frames_of in (in_text, frames):
        ours = [frame for frame in frames_of if frame[0] in files or frame[0].startswith(own)]
        if ours and ours[-1][0] in files:
            lines = [
                line.strip()
                for line in str(error).splitlines()
                if re.match(r"\w*(Error|Exception|Exit|Interrupt)\b", line.strip())
            ]
            what = (
                lines[-1]
                if frames_of is in_text and lines
                else f"{type(error).__name__}: {' '.join(str(error).split())}"
            )
            return f"{ours[-1][0]} line {ours[-1][1]}: {what[:300]}"
    return None


def _file(module: ModuleType) -> bool:
    return isinstance(getattr(module, "__file__", None), str)


def component_names(base: type, package: str) -> list[str]:
    """Names in `package` whose module derives a class of that name from `base`; modules are read, not
    imported.
    """
    modules, parent = _classes(package)

    def derived(name: str) -> bool:
        return name in parent and (parent[name] == base.__name__ or derived(parent[name]))

    return [module for module in modules if derived(_class_name(module))]


@cache  # a wide contract names a thousand checks
def _classes(package: str) -> tuple[list[str], dict[str, str]]:
    """(names of the modules, the parent of each class by its name)."""
    texts = {path.stem: path.read_text() for path in sorted(_folder(package).glob("*.py"))}
    found = re.findall(r"^class (\w+)\((\w+)", "\n".join(texts.values()), re.MULTILINE)
    return list(texts), dict(found)


def _folder(package: str) -> Path:
    return Path(importlib.import_module(package).__path__[0])


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@dataclass(frozen=True)
class Named:
    """Stands in the annotation of a field that holds a component: its base class, and the folder of ours."""

    base: type[Any]
    package: str


def component(base: type[Any], package: str) -> Any:
    """The annotation of a config field that holds a component: `policy: component(Policy,
    "lsml_spark.select.policies")`.
    """

    def build(value: Any) -> Any:
        if isinstance(value, base):
            return value
        if isinstance(value, str):
            value = {"use": value}
        if not isinstance(value, Mapping) or "use" not in value:
            raise ValueError(f"say which one: `use: name`{did_you_mean('', component_names(base, package))}")
        return built(find_component(base, package, str(value["use"])), value)

    return Annotated[SerializeAsAny[base], BeforeValidator(build), Named(base, package)]  # type: ignore[valid-type, misc]


def built(found: Any, values: Mapping[str, Any]) -> Any:
    """A component from its keys. What its own code raises beside ValueError becomes one that names file and
    line.
    """
    try:
        return found.model_validate(dict(values))
    except (ValidationError, LsmlError, ValueError, AssertionError):
        raise
    except Exception as error:
        raise ValueError(told(error)) from error
