"""CSV lines, parsed by `from_csv` so that a rejected line can be kept as it was found.

Every column is read as a string first: a value that should be a number and is none is a finding, not a silent NULL.
"""

import csv
import zlib
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import QualityGateError
from lsml_spark.quality.header import CORRUPT, Header
from lsml_spark.quality.raw_lines import numbered_lines, open_raw
from lsml_spark.spark.tables import quoted

MALFORMED = "malformed line: wrong number of fields"


def read_header(path: Path) -> Header:
    """The first line of the file; QualityGateError where there is none or it is no text."""
    try:
        with open_raw(path) as file:
            first = file.readline(1 << 20)  # bytes: what is no UTF-8 further down is not the header's fault
        columns = next(csv.reader([first.splitlines()[0].decode("utf-8-sig")]), []) if first else []
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise QualityGateError(f"{path}: cannot be read as CSV: {error}") from error
    columns = [column.strip() for column in columns]
    if not any(columns):
        raise QualityGateError(f"{path}: {'its first line is blank' if first else 'empty file'}, not even a header line")
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled:
        raise QualityGateError(f"{path}: header names {', '.join(map(repr, doubled))} twice")
    return Header(path, columns, dict.fromkeys(columns, "string"))


def without_header(path: Path, columns: Sequence[str]) -> Header:
    """Of a file whose records have these columns and begin on its first line; QualityGateError where it has none."""
    try:
        with open_raw(path) as file:
            empty = not any(line.strip() for line in file)  # only as far as the first record
    except (OSError, EOFError, zlib.error) as error:
        raise QualityGateError(f"{path}: cannot be read as CSV: {error}") from error
    if empty:
        raise QualityGateError(f"{path}: empty file, without a single record")
    return Header(path, list(columns), dict.fromkeys(columns, "string"), first_record=1)


def read_records(spark: SparkSession, header: Header, contract: Sequence[str]) -> DataFrame:
    """The contract's columns as strings (NULL where the file has none), `_corrupt` (the line, where it has too few or too
    many fields), `_file`, `_line`.

    A quote inside quotes is doubled (RFC 4180); quoted line breaks are not supported, as by default in Spark.
    """
    fields = {column: f"_{i}" for i, column in enumerate(header.columns)}  # a header may hold any name, even an empty one
    schema = ", ".join(f"{field} string" for field in [*fields.values(), CORRUPT])
    record = F.from_csv("_text", schema, {"columnNameOfCorruptRecord": CORRUPT, "mode": "PERMISSIVE", "escape": '"'})
    columns = [f"_record.{fields[name]}" if name in fields else "cast(NULL AS string)" for name in contract]
    return (
        numbered_lines(spark, header.path)
        .where(f"_line >= {header.first_record}")
        .select(record.alias("_record"), F.lit(header.name).alias("_file"), "_line")
        .selectExpr(
            *[f"{column} AS {quoted(name)}" for column, name in zip(columns, contract, strict=True)],
            f"_record.{CORRUPT}",
            "_file",
            "_line",
        )
    )
