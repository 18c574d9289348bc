"""YAML text as plain JSON values, read strictly: what a person would not see at a glance is an error with its
line.

Keys are text as it is written (`1990:`, `no:` and `2011-02-01:` too) and stand once in their mapping. Anchors
and merge keys (`<<`) work within bounds: the text with every alias written out may hold so much and no more,
and may not hold itself.
"""

import datetime
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lsml_spark.core.errors import ConfigError

MOST_BYTES = 4_000_000  # of a file
# characters of all values, with NODE for each of them, aliases counted as often as they stand
MOST_WRITTEN_OUT = 8_000_000
NODE = 16
DEEPEST = 50
LONGEST_NUMBER = 400  # characters of a number, a date or a truth value
TAG = "tag:yaml.org,2002:"
PLAIN = {f"{TAG}{kind}" for kind in ("null", "bool", "int", "float", "timestamp", "str")}
PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping of plain JSON values; ConfigError where it is missing, not YAML, or not a
    mapping.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(
                f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}; name the pipeline's YAML"
            )
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(
                f"{path}: cannot be read: {path.stat().st_size:,} bytes; a pipeline's YAML has "
                f"{MOST_BYTES:,} at most"
            )
        raw = path.read_bytes()
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ConfigError(f"{path}: cannot be read: it is UTF-16; save it as UTF-8")
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    values = read_value(text, str(path))
    if not isinstance(values, dict):
        kind = "nothing" if values is None else type(values).__name__
        raise ConfigError(f"{path}: expected a mapping of sections, found {kind}")
    return values


def read_value(text: str, where: str) -> Any:
    """The value of a YAML text; ConfigError, beginning with `where`, names line and column of what is wrong
    with it.
    """
    try:
        return _Reader(text, where).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        hint = "; indent with spaces, not tabs" if mark and _tab_near(text, mark.line) else ""
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{where}: not YAML: {at}{' '.join(words.split())}{hint}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
    except UnicodeError as error:
        raise ConfigError(f"{where}: not YAML: {error}") from error


def _tab_near(text: str, line: int) -> bool:
    lines = text.split("\n")
    return any(
        "\t" in lines[i][: len(lines[i]) - len(lines[i].lstrip())]
        for i in (line - 1, line)
        if 0 <= i < len(lines)
    )


class _Reader:
    """Builds values from the parser's events, each with its size: what it would take with every alias written
    out.
    """

    def __init__(self, text: str, where: str):
        self.where = where
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=PARSER))
        self.scalars = yaml.SafeLoader("")
        self.anchors: dict[str, tuple[Any, int] | None] = {}  # None: begun and not ended
        self.depth = 0

    def document(self) -> Any:
        next(self.events)  # the stream begins
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        value, _ = self.node(next(self.events))
        next(self.events)  # the document ends
        following = next(self.events)
        if isinstance(following, yaml.DocumentStartEvent):
            raise self.error(following, "a second document begins here; a file holds one")
        return value

    def error(self, event: Any, what: str) -> ConfigError:
        mark = event.start_mark
        return ConfigError(
            f"{self.where}: line {mark.line + 1}, column {mark.column + 1}: {' '.join(what.split())}"
        )

    def node(self, event: Any) -> tuple[Any, int]:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event)
            built = value, NODE + (len(value) if isinstance(value, str) else 0)
        else:
            if event.tag not in (None, "!", f"{TAG}seq", f"{TAG}map"):
                raise self.error(event, f"not YAML of values: the tag {event.tag} is not known here")
            self.depth += 1
            if self.depth > DEEPEST:
                raise self.error(event, f"more than {DEEPEST} levels deep")
            built = self.sequence() if isinstance(event, yaml.SequenceStartEvent) else self.mapping()
            self.depth -= 1
        if built[1] > MOST_WRITTEN_OUT:
            raise self.error(event, "too large with all its aliases written out")
        if event.anchor is not None:
            self.anchors[event.anchor] = built
        return built

    def alias(self, event: Any) -> tuple[Any, int]:
        if event.anchor not in self.anchors:
            raise self.error(
                event, f"*{event.anchor} names no anchor before it; put text that begins with * in quotes"
            )
        anchored = self.anchors[event.anchor]
        if anchored is None:
            raise self.error(event, f"*{event.anchor} stands within its own anchor, so it would hold itself")
        return anchored

    def sequence(self) -> tuple[list[Any], int]:
        items, size = [], NODE
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            item, more = self.node(event)
            items.append(item)
            size = self.sum(event, size, more)
        return items, size

    def mapping(self) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        lines: dict[str, int] = {}
        size = NODE
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            value, more = self.node(following := next(self.events))
            size = self.sum(event, size, more + len(key))
            if key == "<<" and event.implicit[0]:
                merged += self.to_merge(following, value)
                continue
            if key in lines:
                raise self.error(
                    event,
                    f"the key '{key}' stands here for the second time, first in line {lines[key]}; keep one "
                    "of them",
                )
            lines[key] = event.start_mark.line + 1
            values[key] = value
        for other in merged:  # the first to name a key wins, after the mapping itself
            values = values | {key: value for key, value in other.items() if key not in values}
        return values, size

    def sum(self, event: Any, size: int, more: int) -> int:
        if size + more > MOST_WRITTEN_OUT:
            raise self.error(event, "too large with all its aliases written out")
        return size + more

    def key(self, event: Any) -> str:
        if isinstance(event, yaml.AliasEvent):
            value, _ = self.alias(event)
            if isinstance(value, str):
                return value
        if not isinstance(event, yaml.ScalarEvent):
            raise self.error(
                event,
                "a key must be text, not a list or a mapping; put it in quotes (also a value like '{{ date "
                "}}')",
            )
        if not event.value:
            raise self.error(event, "a key is empty")
        if event.anchor is not None:
            self.anchors[event.anchor] = event.value, NODE + len(event.value)
        return self.text(event)

    def to_merge(self, event: Any, value: Any) -> list[dict[str, Any]]:
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in mappings):
            raise self.error(event, "<< takes a mapping or a list of mappings")
        return mappings

    def text(self, event: Any) -> str:
        """A scalar's text, if every file and every program can hold it."""
        value: str = event.value
        if "\0" in value:
            raise self.error(event, "a NUL character stands in the text")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.error(
                event, "half of a pair of UTF-16 surrogates stands in the text, which is no character"
            ) from None
        return value

    def scalar(self, event: Any) -> Any:
        value = self.text(event)
        tag = event.tag or self.scalars.resolve(yaml.ScalarNode, value, event.implicit)
        if tag in ("!", f"{TAG}str", f"{TAG}value", f"{TAG}merge"):
            return value
        if tag not in PLAIN:
            raise self.error(event, f"not YAML of values: the tag {tag} is not known here")
        kind = {"int": "a whole number", "float": "a number", "bool": "true or false", "null": "null"}.get(
            tag.removeprefix(TAG), "a date"
        )
        if len(value) > LONGEST_NUMBER:
            raise self.error(event, f"{kind} of {len(value):,} characters; put it in quotes if it is text")
        try:
            converted = self.scalars.yaml_constructors[tag](self.scalars, yaml.ScalarNode(tag, value))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
            raise self.error(
                event, f"'{value[:80]}' looks like {kind} and is none; put it in quotes if it is text"
            ) from None
        if isinstance(converted, int) and not -(2**63) <= converted < 2**63:
            raise self.error(
                event, f"the number {value[:80]} needs more than 64 bits; put it in quotes if it is text"
            )
        return str(converted) if isinstance(converted, datetime.date) else converted
