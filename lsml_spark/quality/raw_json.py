"""JSON lines: one object a line, every value as the text that stands there; lists and objects as their JSON."""

import json
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import QualityGateError
from lsml_spark.quality.header import CORRUPT, Header
from lsml_spark.quality.raw_lines import numbered_lines, open_raw
from lsml_spark.spark.attempt import attempt
from lsml_spark.spark.tables import quoted

MALFORMED = "malformed line: not one JSON object"
LOOKED_AT = 10_000  # lines that tell which columns there are
NAMES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def read_header(path: Path) -> Header:
    """Keys of the first 10,000 lines in the order in which they appear, each with the type of its first value."""
    types: dict[str, str | None] = {}
    lines = 0
    try:
        with open_raw(path) as file:
            for line in islice(file, LOOKED_AT):
                lines += 1
                for key, value in _object(line).items():
                    types[key] = types.get(key) or NAMES.get(type(value))
    except (OSError, EOFError, zlib.error) as error:
        raise QualityGateError(f"{path}: cannot be read as JSON lines: {error}") from error
    if not types:
        raise QualityGateError(f"{path}: {'none of its first lines is a JSON object' if lines else 'empty file'}")
    return Header(path, list(types), {key: type_ or "null" for key, type_ in types.items()}, ordered=False)


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_records(spark: SparkSession, header: Header, contract: Sequence[str]) -> DataFrame:
    """The contract's columns as strings, `_corrupt` (the line, where it is not exactly one object), `_file`, `_line`.

    The line is parsed as a list of one, for Spark takes the first object of a line and forgets what comes after it.
    """
    schema = ", ".join(f"{quoted(name)}: string" for name in contract)
    text = F.regexp_replace("_text", "^\ufeff", "")
    parsed = attempt(F.from_json(F.concat(F.lit("["), text, F.lit("]")), f"array<struct<{schema}>>", {"mode": "FAILFAST"}))
    return (
        numbered_lines(spark, header.path)
        .select(parsed.alias("_records"), "_text", F.lit(header.name).alias("_file"), "_line")
        .selectExpr(
            "CASE WHEN size(_records) = 1 AND ltrim(_text) NOT LIKE '[%' THEN _records[0] END AS _record", "_text", "_file", "_line"
        )
        .selectExpr(
            *[f"_record.{quoted(name)} AS {quoted(name)}" for name in contract],
            f"CASE WHEN _record IS NULL THEN _text END AS {CORRUPT}",
            "_file",
            "_line",
        )
    )
