"""Raw days as records: CSV, JSON lines (both plain or .gz) or Parquet, by the name of the file.

Records have the contract's columns as they were found, `_corrupt`, `_file` and `_line`.
"""

import zlib
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from types import ModuleType

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.quality import raw_csv, raw_json, raw_parquet
from lsml_spark.quality.header import CORRUPT, Header
from lsml_spark.quality.raw_lines import open_raw
from lsml_spark.spark.tables import quoted

__all__ = ["CORRUPT", "Header", "first_unreadable", "malformed", "read_days", "read_header", "without_header"]


def _format(path: Path) -> ModuleType:
    name = path.name.removesuffix(".gz")
    if name.endswith((".json", ".jsonl")):
        return raw_json
    return raw_parquet if path.suffix == ".parquet" else raw_csv


def read_header(path: Path) -> Header:
    """Columns of a file; QualityGateError where it cannot be read."""
    header: Header = _format(path).read_header(path)
    return header


def without_header(path: Path, contract: Sequence[str]) -> Header:
    """The contract's columns in its order for a CSV file that names none; JSON lines and Parquet always name theirs."""
    return raw_csv.without_header(path, contract) if _format(path) is raw_csv else read_header(path)


def malformed(paths: Sequence[Path]) -> str:
    """What is wrong with the malformed lines of these files."""
    reasons = {_format(path).MALFORMED for path in paths}
    return reasons.pop() if len(reasons) == 1 else "malformed line"


def first_unreadable(paths: Sequence[Path]) -> str | None:
    """Why a job over these files failed, if a file is to blame: reads each to its end (only called after a failure)."""
    for path in paths:
        if _format(path) is raw_parquet:
            if reason := raw_parquet.unreadable(path):
                return reason
            continue
        try:
            with open_raw(path) as file:
                while file.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            return f"{path}: cannot be read to its end: {error}"
    return None


def read_days(spark: SparkSession, headers: Sequence[Header], contract: Sequence[str]) -> DataFrame:
    """All raw files of the day under the contract's column names, missing ones NULL, others left out.

    A column that the files do not agree on is read as text.
    """
    frames = [_with_folders(_format(header.path).read_records(spark, header, contract), header) for header in headers]
    if len(frames) > 1:
        types = [dict(frame.dtypes) for frame in frames]
        unlike = {name for name in contract if len({found[name] for found in types}) > 1}
        frames = [frame.withColumns({name: _text(frame, name) for name in unlike}) for frame in frames]
    return reduce(DataFrame.unionByName, frames)


def _with_folders(frame: DataFrame, header: Header) -> DataFrame:
    """Columns that the file has not, but the names of its folders give."""
    given = {name: value for name, value in header.folders.items() if name in frame.columns and name not in header.columns}
    return frame.withColumns({name: F.lit(value).cast("string") for name, value in given.items()}) if given else frame


def _text(frame: DataFrame, name: str) -> Column:
    nested = dict(frame.dtypes)[name].startswith(("array", "map", "struct"))
    value = F.col(quoted(name))
    return F.to_json(value, {"ignoreNullFields": "false"}) if nested else value.cast("string")
