"""Spark SQL types as text, compared field by field."""

import re
from collections.abc import Iterator

ALIASES = {
    "integer": "int",
    "long": "bigint",
    "short": "smallint",
    "byte": "tinyint",
    "real": "float",
    "dec": "decimal",
    "numeric": "decimal",
}


def type_paths(type_: str, path: str = "") -> dict[str, str]:
    """Every leaf of a type by its path: `struct<a:int,b:array<struct<c:string>>>` is {"a": "int", "b[]":
    "array", "b[].c": "string"}.

    Elements of a list are `[]`, keys and values of a map `{key}` and `{value}`; containers are leaves of
    their own, so that a list that becomes a struct is one change.
    """
    type_ = type_.strip()
    outer, _, inner = type_.partition("<")
    outer = outer.strip().lower()
    if not inner:
        return {path: _plain(type_)}
    inner = inner.rpartition(">")[0]
    types = {path: outer}
    if outer == "array":
        return types | type_paths(inner, f"{path}[]")
    if outer == "map":
        key, value = _parts(inner)
        return types | type_paths(key, f"{path}{{key}}") | type_paths(value, f"{path}{{value}}")
    for part in _parts(inner):
        name, _, of = _field(part)
        types |= type_paths(of, f"{path}.{name}" if path else name)
    return types


def type_changes(was: str, is_: str) -> list[str]:
    """Sentences on what differs, none where the types are the same."""
    before, after = type_paths(was), type_paths(is_)

    # in a container that is the same on both sides, else that container is what changed
    def held(path: str) -> bool:
        holder = _holder(path, after if path in after else before)
        return holder in before and before[holder] == after.get(holder)

    sentences = [
        f"field '{path}' appeared ({after[path]})" for path in after if path not in before and held(path)
    ]
    sentences += [
        f"field '{path}' vanished (was {before[path]})" for path in before if path not in after and held(path)
    ]
    for path in before:
        if path in after and before[path] != after[path]:
            field = f"field '{path}'" if path else "it"
            sentences.append(f"{field} is {after[path]} (was {before[path]})")
    return sentences


def _holder(path: str, known: dict[str, str]) -> str:
    """The container that a field lies in: a change of the container itself is told once."""
    return max((other for other in known if other != path and path.startswith(other)), key=len, default="")


def _plain(type_: str) -> str:
    word = re.sub(r"\s+", "", type_.lower())
    name, bracket, rest = word.partition("(")
    return ALIASES.get(name, name) + bracket + rest


def _field(part: str) -> tuple[str, str, str]:
    """Name and type of `name:type` or `name: type`; a name in backticks may hold anything."""
    if match := re.match(r"\s*`((?:[^`]|``)*)`\s*:\s*", part):
        return match.group(1).replace("``", "`"), ":", part[match.end() :]
    name, colon, of = part.partition(":")
    return name.strip(), colon, of


def _parts(text: str) -> Iterator[str]:
    """Split at commas that are in no bracket and no backticks."""
    depth, start, quoted = 0, 0, False
    for i, character in enumerate(text):
        if character == "`":
            quoted = not quoted
        elif not quoted and character in "<(":
            depth += 1
        elif not quoted and character in ">)":
            depth -= 1
        elif not quoted and character == "," and not depth:
            yield text[start:i]
            start = i + 1
    yield text[start:]
