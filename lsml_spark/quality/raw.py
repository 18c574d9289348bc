"""Raw CSV days as text lines with their file and line number, parsed by the contract that the YAML declares.

Lines are read as text and parsed by `from_csv`, so that a rejected line can be kept as it was found. Every column is
read as a string first: a value that should be a number and is none is a finding, not a silent NULL.
"""

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import BinaryIO

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import QualityGateError

CORRUPT = "_corrupt"


@dataclass(frozen=True)
class Header:
    """Column names of one raw file, compared with the contract."""

    path: Path
    columns: list[str]

    def drift(self, contract: Sequence[str]) -> list[str]:
        """Sentences on columns that appeared, vanished or moved."""
        found, name = self.columns, self.path.name
        said = [
            f"column {column!r} appeared in {name}; it is not in the contract and is not used" for column in found if column not in contract
        ]
        said += [f"column {column!r} vanished from {name}" for column in contract if column not in found]
        if not said and found != list(contract):
            said.append(f"columns of {name} are reordered: {', '.join(found)}")
        return said


def _open(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def read_header(path: Path) -> Header:
    """The first line of a CSV file (gzip or plain); QualityGateError where there is none or it is no text."""
    try:
        with _open(path) as file:
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
    return Header(path, columns)


def first_unreadable(paths: Sequence[Path]) -> str | None:
    """Why a job over these files failed, if a file is to blame: reads each to its end (only called after a failure)."""
    for path in paths:
        try:
            with _open(path) as file:
                while file.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            return f"{path}: cannot be read to its end: {error}"
    return None


def read_lines(spark: SparkSession, header: Header, contract: Sequence[str]) -> DataFrame:
    """Records of one file: the contract's columns as strings (NULL where the file has none), `_corrupt` (the line, where it
    has too few or too many fields), `_file`, `_line`.

    `_line` is the physical line number, the header being line 1; the same for every partitioning. A quote inside quotes
    is doubled (RFC 4180); quoted line breaks are not supported, as by default in Spark.
    """
    lines = spark.read.text(str(header.path)).select(
        F.col("value").alias("_text"),
        F.spark_partition_id().alias("_part"),
        F.monotonically_increasing_id().bitwiseAND(F.lit((1 << 33) - 1)).alias("_index"),
    )
    fields = {column: f"_{i}" for i, column in enumerate(header.columns)}  # a header may hold any name, even an empty one
    schema = ", ".join(f"{field} string" for field in [*fields.values(), CORRUPT])
    record = F.from_csv("_text", schema, {"columnNameOfCorruptRecord": CORRUPT, "mode": "PERMISSIVE", "escape": '"'})
    columns = [F.col(f"_record.{fields[name]}") if name in fields else F.lit(None).cast("string") for name in contract]
    return (
        lines.withColumn("_line", F.col("_index") + 1 + _lines_before(lines))
        .where((F.col("_line") > 1) & (F.trim("_text") != ""))
        .select(record.alias("_record"), F.lit(header.path.name).alias("_file"), "_line")
        .select(*[column.alias(name) for column, name in zip(columns, contract, strict=True)], f"_record.{CORRUPT}", "_file", "_line")
    )


def _lines_before(lines: DataFrame) -> Column:
    """Lines in the file before the partition of a row: partitions of one file are in the order of its bytes."""
    if lines.rdd.getNumPartitions() <= 1:
        return F.lit(0).cast("long")
    counts = {row["_part"]: row["count"] for row in lines.groupBy("_part").count().collect()}
    before, total = {}, 0
    for part in sorted(counts):
        before[part], total = total, total + counts[part]
    return reduce(lambda column, part: column.when(F.col("_part") == part, before[part]), before, F.when(F.lit(False), 0)).cast("long")


def read_days(spark: SparkSession, headers: Sequence[Header], contract: Sequence[str]) -> DataFrame:
    """All raw files of the day under the contract's column names, missing ones NULL, others left out."""
    return reduce(DataFrame.unionByName, [read_lines(spark, header, contract) for header in headers])
