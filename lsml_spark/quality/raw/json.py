"""JSON lines: one object a line, every value as the text that stands there; lists and objects as their JSON
(json_text.py).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import QualityGateError
from lsml_spark.core.raw import Format
from lsml_spark.quality.raw.csv_scan import spark_splits
from lsml_spark.quality.raw.header import Header
from lsml_spark.quality.raw.json_text import REASONS, Malformed, Number, Value, values
from lsml_spark.quality.raw.lines import Row, parsed_lines, streamed
from lsml_spark.quality.raw.text import UNREADABLE, as_found, physical_lines, undecodable, without_end

LOOKED_AT = 10_000  # lines that tell which columns there are
KINDS = {str: "string", Number: "number", dict: "object", list: "array", bool: "boolean", type(None): "null"}


def read_header(path: Path, form: Format, columns: Sequence[str] = ()) -> Header:
    """Keys of the first 10,000 lines in the order in which they appear, each with the type of its first
    value; further down only keys that are in `columns` and have not been seen yet."""
    kinds: dict[str, dict[str, None]] = {}
    types: dict[str, str] = {}
    lines, first = 0, ""
    try:
        for lines, line in enumerate(physical_lines(path, form), 1):
            first = first or line.strip()
            if lines > LOOKED_AT:
                missing = [name for name in columns if name not in types]
                if not missing:
                    break
                if "\\u" not in line and not any(f'"{name}"' in line for name in missing):
                    continue
            for value in _members(line):
                if lines <= LOOKED_AT or value.key in missing:
                    types[value.key] = (
                        types.get(value.key, "null") if value.kind == "null" else _first(types, value)
                    )
                    _look_inside(value.key, value, kinds)
    except UNREADABLE as error:
        raise QualityGateError(f"{path}: cannot be read as JSON lines: {error}") from error
    if not types:
        reason = f"none of its first lines is a JSON object; {_hint(first)}" if lines else "empty file"
        raise QualityGateError(f"{path}: {reason}")
    return Header(
        path,
        list(types),
        types,
        ordered=False,
        kinds=kinds,
        way="lines" if spark_splits(path, form) else "stream",
    )


def _hint(first: str) -> str:
    """What the first line looks like, and what it may be."""
    if "\0" in first or undecodable(first):
        return f"it begins with {as_found(first)[:40]!r}: is it of another encoding? Then say raw.encoding"
    kind = {
        "[": ": one object a line is read, not a list of them",
        "{": ": an object must not go over several lines",
    }.get(first[:1], "")
    return f"it begins with {first[:40]!r}{kind}"


def _first(types: dict[str, str], value: Value) -> str:
    return value.kind if types.get(value.key, "null") == "null" else types[value.key]


def _members(line: str) -> list[Value]:
    try:
        return values(without_end(line))
    except Malformed:
        return []


def _look_inside(path: str, value: Value, kinds: dict[str, dict[str, None]]) -> None:
    kinds.setdefault(path, {})[value.kind] = None
    if value.kind in ("object", "array"):
        waiting: list[tuple[str, Any]] = [(path, value.parsed)]
        while waiting:
            at, item = waiting.pop()
            inside = item.items() if isinstance(item, dict) else ((None, each) for each in item)
            for key, child in inside:
                below = f"{at}[]" if key is None else f"{at}.{key}"
                kinds.setdefault(below, {})[KINDS[type(child)]] = None
                if isinstance(child, (dict, list)):
                    waiting.append((below, child))


def reasons(header: Header) -> tuple[str, ...]:
    """What may be wrong with a line of this file."""
    return REASONS


def read_records(spark: SparkSession, header: Header, contract: Mapping[str, str], form: Format) -> DataFrame:
    """The contract's columns as strings, `_corrupt` and `_why` (a line that is not exactly one object, and
    what is wrong with it), `_file`, `_line`. `contract`: its names by those of the file."""
    read = parsed_lines if header.way == "lines" else streamed
    parse = partial(_rows, places={name: i for i, name in enumerate(contract)}, form=form)
    return read(spark, header.path, form, 1, parse, list(contract.values())).withColumn(
        "_file", F.lit(header.name)
    )


def _rows(lines: Iterable[tuple[int, str]], places: dict[str, int], form: Format) -> Iterator[Row]:
    for number, line in lines:
        text = without_end(line)
        if not text.strip(" "):
            continue
        texts: list[str | None] = [None] * len(places)
        try:
            for value in values(text):
                place = places.get(value.key)
                if place is not None:
                    texts[place] = value.text
        except Malformed as error:
            yield number, text, str(error), [None] * len(places)
        else:
            yield number, None, None, texts
