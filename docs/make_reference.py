"""Writes the keys of docs/reference.md from the Config classes, between the page's own markers: `make docs`.

What stands about a key is what the code says of it: pydantic's `description`, the comment behind the field,
or the words "`key`: …" of its class's docstring. A new section, key or component stands in the page without a
change here.
"""

import ast
import inspect
import io
import json
import re
import textwrap
import tokenize
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pages import between, wrapped, write_or_check
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lsml_spark.core.components import Named, component_names, find_component
from lsml_spark.core.config import Component, Strict
from lsml_spark.core.stages import BY_NAME, STAGES
from lsml_spark.flow.pipeline import General, stage_module

PAGE = Path(__file__).parent / "reference.md"
ELSEWHERE = {("quality", "raw"), ("train", "task"), ("features", "targets")}  # what the YAML has elsewhere
WORDS = {
    int: "whole number",
    float: "number",
    bool: "boolean",
    str: "text",
    type(None): "`null`",
    Any: "anything",
}
UNIONS = (typing.Union, types.UnionType)


def keys() -> str:
    """All sections, then all components that they name."""
    named: dict[Named, None] = {}
    parts = ["## The top of the file", described(General, named, General.model_fields)]
    for stage in STAGES:
        config = stage_module(stage).Config
        listed = [key for key in config.model_fields if (stage, key) not in ELSEWHERE]
        parts += [f"## `{stage}:` {BY_NAME[stage].does}", described(config, named, listed)]
    told: list[Named] = []
    while rest := [base for base in named if base not in told]:  # a component may name others
        parts += family(rest[0], named)
        told.append(rest[0])
    return "\n\n".join(filter(None, parts))


def family(base: Named, named: dict[Named, None]) -> Iterator[str]:
    """Base class of components, then each of them."""
    yield f"## {heading(base)}"
    common = [name for name in base.base.model_fields if name != "use"]
    if common:
        yield "Common to all of them:\n\n" + entries(base.base, named, common)
    for name in component_names(base.base, base.package):
        found = find_component(base.base, base.package, name)
        own = [key for key in found.model_fields if key not in common or changed(found, base.base, key)]
        bare = f"\n\nA bare value means `{found.shorthand}`." if getattr(found, "shorthand", "") else ""
        yield f"### `{name}`\n\n{described(found, named, own)}{bare}"


def heading(base: Named) -> str:
    """`Policies` of lsml_spark.select.policies; of checks, which are of two kinds, the kind: `Row checks`."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", base.base.__name__).lower().split()
    plural = base.package.rpartition(".")[2]
    return " ".join([*words[:-1], plural]).capitalize()


def changed(found: type[BaseModel], base: type[BaseModel], key: str) -> bool:
    """Whether a component has a type, bound or default of its own for a key of its base."""
    return repr(found.model_fields[key]) != repr(base.model_fields[key])


def described(model: type[BaseModel], named: dict[Named, None], keys: Iterable[str]) -> str:
    """A class: what it is, and these keys as a list."""
    about, _ = words_on(model)
    return "\n\n".join(filter(None, [*map(wrapped, about), entries(model, named, keys)]))


def entries(model: type[BaseModel], named: dict[Named, None], keys: Iterable[str]) -> str:
    """Keys of a class as a list."""
    _, texts = words_on(model)
    return "\n".join(entry(key, model.model_fields[key], texts, named, "") for key in keys if key != "use")


def entry(key: str, field: FieldInfo, texts: Mapping[str, str], named: dict[Named, None], indent: str) -> str:
    """One key, and below it the keys of what it holds."""
    facts = "; ".join(filter(None, facts_of(field, named)))
    text = "; ".join(dict.fromkeys(filter(None, [field.description, texts.get(key)]))).rstrip(".")
    lines = [listed(f"`{key.removesuffix('_')}` ({facts})" + (f": {text}" if text else ""), indent)]
    for held in nested(field.annotation):
        about, inner = words_on(held)
        lines += [wrapped(" ".join(about), indent + "  ", indent + "  ")] if about else []
        lines += [entry(name, of, inner, named, indent + "  ") for name, of in held.model_fields.items()]
    return "\n".join(lines)


def facts_of(field: FieldInfo, named: dict[Named, None]) -> tuple[str, str]:
    """(type and bounds, default); of what may be left out and has no default, `optional` alone."""
    kind, default = field.annotation, field.get_default(call_default_factory=True)
    if default is None and typing.get_origin(kind) in UNIONS:
        kind = typing.Union[tuple(part for part in typing.get_args(kind) if part is not type(None))]  # noqa: UP007
        return words_of(kind, field.metadata, named), "optional"
    words = words_of(kind, field.metadata, named)
    if field.is_required():
        return words, "needed"
    plain = isinstance(default, BaseModel) and not getattr(default, "use", "")
    return words, "" if plain else f"default `{_yaml(default)}`"


def words_of(kind: Any, metadata: typing.Sequence[Any], named: dict[Named, None]) -> str:
    """A type in words, with its bounds."""
    for mark in metadata:
        if isinstance(mark, Named):
            named.setdefault(mark)
            return f"one of the [{heading(mark).lower()}](#{heading(mark).lower().replace(' ', '-')})"
    return _plain(kind, named) + _bounds(metadata)


def _plain(kind: Any, named: dict[Named, None]) -> str:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return words_of(
            inside[0],
            [part for part in inside[1:] if not isinstance(part, FieldInfo)] + _of_fields(inside[1:]),
            named,
        )
    if origin is Literal:
        return _or([f"`{_yaml(value)}`" for value in inside])
    if origin in UNIONS:
        return _or([words_of(part, (), named) for part in inside])
    if origin in (list, set, frozenset) or (origin is tuple and inside[1:] == (...,)):
        return f"list of {words_of(inside[0], (), named)}"
    if origin is tuple:
        return f"list of {len(inside)}: {', '.join(words_of(part, (), named) for part in inside)}"
    if origin in (dict, Mapping):
        return f"mapping of names to {words_of(inside[1], (), named)}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "one of the row checks" if inspect.isabstract(kind) else "keys below"
    if isinstance(kind, type) and issubclass(kind, int) and kind is not bool:
        return WORDS[int]
    return WORDS.get(kind) or str(getattr(kind, "__name__", kind))


def _of_fields(marks: typing.Sequence[Any]) -> list[Any]:
    """Bounds of `Field(…)` inside Annotated."""
    return [bound for mark in marks if isinstance(mark, FieldInfo) for bound in mark.metadata]


def _bounds(metadata: typing.Sequence[Any]) -> str:
    signs = {
        Ge: "≥ {0.ge}",
        Gt: "> {0.gt}",
        Le: "≤ {0.le}",
        Lt: "< {0.lt}",
        MinLen: "(at least {0.min_length})",
    }
    said = [re.sub(r"\.0$", "", signs[type(mark)].format(mark)) for mark in metadata if type(mark) in signs]
    return " " + ", ".join(said) if said else ""


def _or(parts: list[str]) -> str:
    parts = list(dict.fromkeys(parts))
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _yaml(value: Any) -> str:
    """A value as the YAML has it."""
    if isinstance(value, str):
        return value if re.fullmatch(r"[\w.-]+", value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    if isinstance(value, BaseModel):
        return str(getattr(value, "use", "") or "{}")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def nested(kind: Any) -> list[type[BaseModel]]:
    """The classes of keys that a type holds, components left out: they stand by themselves."""
    if typing.get_origin(kind) is Annotated and any(
        isinstance(mark, Named) for mark in typing.get_args(kind)
    ):
        return []
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [] if inspect.isabstract(kind) else [kind]
    return list(dict.fromkeys(held for part in typing.get_args(kind) for held in nested(part)))


def words_on(model: type[BaseModel]) -> tuple[list[str], dict[str, str]]:
    """(paragraphs about the class, what is said of each key)."""
    texts: dict[str, str] = {}
    about: list[str] = []
    ours = [kind for kind in model.__mro__ if issubclass(kind, Strict) and kind not in (Strict, Component)]
    for origin in reversed(ours):
        about, said = docstring(origin, list(model.model_fields))
        texts |= said | comments_of(origin)
    return about, texts


def docstring(model: type[BaseModel], fields: list[str]) -> tuple[list[str], dict[str, str]]:
    """(paragraphs, texts of keys): `Fields:` with a line a key, or sentences that begin with the key."""
    text = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    text, _, block = text.partition("Fields:\n")
    texts: dict[str, str] = {}
    for names, said in re.findall(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", block, re.MULTILINE):
        texts |= {name: " ".join(said.split()) for name in names.split(", ")}
    start = rf"(?:^|(?<=[.;] ))(?:`(?:{'|'.join(fields)})`(?:, | and )?)+: " if fields else "$^"
    about = []
    for paragraph in filter(None, (" ".join(part.split()) for part in text.split("\n\n"))):
        places = [match.span() for match in re.finditer(start, paragraph)]
        ends = [*(begin for begin, _ in places), len(paragraph)][1:]
        for (begin, after), end in zip(places, ends, strict=True):
            names = re.findall(r"`(\w+)`", paragraph[begin:after])
            texts |= dict.fromkeys(names, paragraph[after:end].strip().rstrip(".;"))
        rest = paragraph[: places[0][0]] if places else paragraph
        about += [rest.strip()] if rest.strip() else []
    return about, texts


def comments_of(model: type[BaseModel]) -> dict[str, str]:
    """What is said behind the fields, or above them, in the class's source."""
    source = textwrap.dedent(inspect.getsource(model))
    fields = [node for node in ast.parse(source).body[0].body if isinstance(node, ast.AnnAssign)]  # type: ignore[attr-defined]
    found: dict[str, str] = {}
    lines = source.splitlines()
    above = {field.lineno: comment_lines(lines, field.lineno) for field in fields}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        text = re.sub(r"#?\s*type: ignore\S*\s*", "", token.string).strip("# ")
        for field in fields:
            name = ast.unparse(field.target)
            if text and field.lineno <= token.start[0] <= (field.end_lineno or 0):
                found[name] = text
            elif field.lineno in above and token.start[0] in above[field.lineno]:
                found[name] = f"{found[name]} {text}" if name in found else text
    return found


def comment_lines(lines: list[str], before: int) -> range:
    """Numbers, from 1 on, of the lines directly before one that are comments."""
    first = before
    while lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return range(first, before)


def listed(text: str, indent: str) -> str:
    """An item of a list."""
    return wrapped(f"- {text}", indent, indent + "  ")


if __name__ == "__main__":
    write_or_check({PAGE: between(PAGE, "keys", keys())})
