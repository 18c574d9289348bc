"""One line of JSON as the texts of its values, without Spark and without a double in between.

Numbers, lists and objects are the text that stands there, strings what they mean. One reason per cause where
a line is not one JSON object.
"""

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from lsml_spark.quality.raw.text import HALF, undecodable

BYTES = "malformed line: bytes that are not of the encoding"
NO_JSON = "malformed line: not JSON"
NO_OBJECT = "malformed line: JSON, but not an object"
MORE = "malformed line: text after the JSON object"
DOUBLED = "malformed line: a key stands twice in one JSON object"
SURROGATE = "malformed line: half a surrogate pair, which is no character"
DEEP = "malformed line: JSON nested too deeply"
REASONS = (BYTES, NO_JSON, NO_OBJECT, MORE, DOUBLED, SURROGATE, DEEP)

BLANKS = re.compile(r"[ \t\n\r]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
WORDS = {
    "true": "boolean",
    "false": "boolean",
    "null": "null",
    "NaN": "number",
    "Infinity": "number",
    "-Infinity": "number",
}
WORD = re.compile("|".join(WORDS))


class Malformed(ValueError):
    """The line is not one JSON object; says which of `REASONS`."""


class Value(NamedTuple):
    """`kind`: string, number, boolean, null, array or object. `text`: none for null. `parsed`: of arrays and
    objects.
    """

    key: str
    kind: str
    text: str | None
    parsed: Any = None


class Number(str):
    """A number inside a list or an object, as the text that stands there."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed(DOUBLED)
    return members


_nested = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Number, parse_int=Number, parse_constant=Number
).scan_once  # type: ignore[attr-defined]


def values(line: str) -> list[Value]:
    """The members of the one object that the line is, in their order; Malformed where it is not one."""
    if undecodable(line):
        raise Malformed(BYTES)
    try:
        members, end = _members(line, _after_blanks(line, 0))
    except RecursionError:
        raise Malformed(DEEP) from None
    if _after_blanks(line, end) != len(line):
        raise Malformed(MORE)
    keys = {value.key for value in members}
    if len(keys) != len(members):
        raise Malformed(DOUBLED)
    if "\\u" in line and any(map(_halved, members)):
        raise Malformed(SURROGATE)
    return members


def _members(line: str, at: int) -> tuple[list[Value], int]:
    if not line.startswith("{", at):
        raise Malformed(NO_OBJECT if _is_json(line, at) else NO_JSON)
    members: list[Value] = []
    at = _after_blanks(line, at + 1)
    if line.startswith("}", at):
        return members, at + 1
    while True:
        if not line.startswith('"', at):
            raise Malformed(NO_JSON)
        key, at = _string(line, at)
        at = _after_blanks(line, at)
        if not line.startswith(":", at):
            raise Malformed(NO_JSON)
        value, at = _value(line, _after_blanks(line, at + 1), key)
        members.append(value)
        at = _after_blanks(line, at)
        if line.startswith("}", at):
            return members, at + 1
        if not line.startswith(",", at):
            raise Malformed(NO_JSON)
        at = _after_blanks(line, at + 1)


def _value(line: str, at: int, key: str) -> tuple[Value, int]:
    first = line[at : at + 1]
    if first == '"':
        text, end = _string(line, at)
        return Value(key, "string", text), end
    if first in ("{", "["):
        parsed, end = _scanned(line, at)
        return Value(key, "object" if first == "{" else "array", line[at:end], parsed), end
    if word := WORD.match(line, at):
        kind = WORDS[word[0]]
        return Value(key, kind, None if kind == "null" else word[0]), word.end()
    if first and (number := NUMBER.match(line, at)):
        return Value(key, "number", number[0]), number.end()
    raise Malformed(NO_JSON)


def _string(line: str, at: int) -> tuple[str, int]:
    try:
        text, end = scanstring(line, at + 1, True)
    except ValueError:
        raise Malformed(NO_JSON) from None
    return text, end


def _scanned(line: str, at: int) -> tuple[Any, int]:
    try:
        return _nested(line, at)
    except Malformed:
        raise
    except (ValueError, StopIteration):
        raise Malformed(NO_JSON) from None


def _is_json(line: str, at: int) -> bool:
    try:
        _, end = _nested(line, at)
    except Malformed:
        return True
    except (ValueError, StopIteration, RecursionError):
        return False
    return _after_blanks(line, end) == len(line)


def _after_blanks(line: str, at: int) -> int:
    return BLANKS.match(line, at).end()  # type: ignore[union-attr]


def _halved(value: Value) -> bool:
    return any(
        HALF.search(text)
        for text in (value.key, *_texts(value.parsed if value.parsed is not None else value.text))
    )


def _texts(parsed: Any) -> Iterator[str]:
    """Every key and string inside."""
    waiting = [parsed]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
