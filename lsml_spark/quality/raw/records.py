"""Raw days as records: CSV, JSON lines (both plain or packed) or Parquet, by the name of the file.

Records have the contract's columns as they were found; `_corrupt`, the line where it is malformed, and
`_why`, one of `malformed`; `_file` and `_line`.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from types import ModuleType

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.raw import PLAIN, Format
from lsml_spark.quality.raw import csv as raw_csv
from lsml_spark.quality.raw import csv_text, json_text
from lsml_spark.quality.raw import json as raw_json
from lsml_spark.quality.raw import parquet as raw_parquet
from lsml_spark.quality.raw.header import CORRUPT, WHY, Header
from lsml_spark.quality.raw.text import UNREADABLE, open_raw, plain_name
from lsml_spark.spark.tables import quoted

__all__ = [
    "CORRUPT",
    "WHY",
    "Header",
    "every_reason",
    "first_unreadable",
    "malformed",
    "read_days",
    "read_header",
    "without_header",
]


def _format(path: Path) -> ModuleType:
    name = plain_name(path)
    if name.endswith((".json", ".jsonl", ".ndjson")):
        return raw_json
    return raw_parquet if path.suffix == ".parquet" else raw_csv


def is_text(path: Path) -> bool:
    """Whether the file is read as CSV."""
    return _format(path) is raw_csv


def read_header(path: Path, form: Format = PLAIN, columns: Sequence[str] = ()) -> Header:
    """Columns of a file; QualityGateError where it cannot be read. `columns`: those that JSON lines are
    searched for to the end.
    """
    kind = _format(path)
    if kind is raw_json and form.multiline:
        raise ConfigError(
            f"{path}: raw.multiline: JSON is read as one object a line; it cannot go over several"
        )
    if kind is raw_json:
        return raw_json.read_header(path, form, columns)
    return raw_parquet.read_header(path) if kind is raw_parquet else raw_csv.read_header(path, form)


def without_header(path: Path, contract: Sequence[str], form: Format = PLAIN) -> Header:
    """The contract's columns in its order for a CSV file that names none; JSON lines and Parquet always name
    theirs.
    """
    return (
        raw_csv.without_header(path, contract, form)
        if _format(path) is raw_csv
        else read_header(path, form, contract)
    )


def malformed(headers: Sequence[Header]) -> list[str]:
    """All that may be wrong with the lines of these files: what `_why` says of a record."""
    return list(
        dict.fromkeys(reason for header in headers for reason in _format(header.path).reasons(header))
    )


def every_reason() -> list[str]:
    """All that may be wrong with a line of any file, and what an older version called it."""
    return list(
        dict.fromkeys(
            [
                *csv_text.REASONS,
                *json_text.REASONS,
                *raw_parquet.REASONS,
                "malformed line: not one JSON object",
            ]
        )
    )


def first_unreadable(paths: Sequence[Path], form: Format = PLAIN) -> str | None:
    """Why a job over these files failed, if a file is to blame: reads each to its end (only called after a
    failure).
    """
    for path in paths:
        if _format(path) is raw_parquet:
            if reason := raw_parquet.unreadable(path):
                return reason
            continue
        try:
            with open_raw(path, form) as file:
                while file.read(1 << 20):
                    pass
        except UNREADABLE as error:
            return f"{path}: cannot be read to its end: {error}"
    return None


def read_days(
    spark: SparkSession,
    headers: Sequence[Header],
    contract: Mapping[str, str] | Sequence[str],
    form: Format = PLAIN,
) -> DataFrame:
    """All raw files of the day under the contract's column names, missing ones NULL, others left out.

    `contract`: its names by what the files call the columns, which may be what no table can hold side by side
    (`Item` and `item`) or what we call our own (`_line`). A column that the files do not agree on is read as
    text.
    """
    called = dict(contract) if isinstance(contract, Mapping) else {name: name for name in contract}
    of_parquet = [header for header in headers if _format(header.path) is raw_parquet]
    text = [header for header in headers if _format(header.path) is not raw_parquet]
    frames = [
        _with_folders(_format(header.path).read_records(spark, header, called, form), header, called)
        for header in text
    ]
    for given in dict.fromkeys(tuple(header.folders.items()) for header in of_parquet):
        alike = [header for header in of_parquet if tuple(header.folders.items()) == given]
        frames += [
            _with_folders(frame, alike[0], called) for frame in raw_parquet.read_records(spark, alike, called)
        ]
    if len(frames) > 1:
        types = [dict(frame.dtypes) for frame in frames]
        unlike = {name for name in called.values() if len({dtypes[name] for dtypes in types}) > 1}
        frames = [frame.withColumns({name: _text(frame, name) for name in unlike}) for frame in frames]
    return reduce(DataFrame.unionByName, frames)


def _with_folders(frame: DataFrame, header: Header, called: Mapping[str, str]) -> DataFrame:
    """Columns that the file has not, but the names of its folders give."""
    given = {
        called[name]: value
        for name, value in header.folders.items()
        if name in called and name not in header.columns
    }
    return (
        frame.withColumns({name: F.lit(value).cast("string") for name, value in given.items()})
        if given
        else frame
    )


def _text(frame: DataFrame, name: str) -> Column:
    nested = dict(frame.dtypes)[name].startswith(("array", "map", "struct"))
    value = F.col(quoted(name))
    return F.to_json(value, {"ignoreNullFields": "false"}) if nested else value.cast("string")
