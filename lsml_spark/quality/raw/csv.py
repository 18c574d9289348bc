"""CSV files as records: by Spark's `from_csv` where the whole file is ordinary (csv_scan.py), else by
csv_text.py.

Every column is read as a string first: a value that should be a number and is none is a finding, not a silent
NULL.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import QualityGateError
from lsml_spark.core.raw import Format
from lsml_spark.quality.raw import csv_text
from lsml_spark.quality.raw.csv_scan import way_to_read
from lsml_spark.quality.raw.csv_text import FIELDS, Record, records
from lsml_spark.quality.raw.header import CORRUPT, WHY, Header
from lsml_spark.quality.raw.lines import Row, numbered_lines, parsed_lines, streamed
from lsml_spark.quality.raw.text import UNREADABLE, as_found, physical_lines, without_end
from lsml_spark.spark.tables import quoted

MAGIC = {  # how packed files begin, read as text
    "\x1f\udc8b": "packed by gzip: say raw.compression: gzip, or end its name in .gz",
    "PK\x03\x04": "a ZIP archive (or a spreadsheet): unpack it first",
    "BZh": "packed by bzip2: say raw.compression: bzip2, or end its name in .bz2",
    "\udcfd7zXZ": "packed by xz: say raw.compression: xz, or end its name in .xz",
    "PAR1": "Parquet: its name must end in .parquet",
}
LONGEST_HEADER = 10_000  # physical lines


def read_header(path: Path, form: Format) -> Header:
    """The first record of the file; QualityGateError where there is none or it is no text."""
    try:
        lines = physical_lines(path, form)
        first = next(lines, None)
        if first is None:
            raise QualityGateError(f"{path}: empty file, not even a header line")
        if not without_end(first).strip():
            raise QualityGateError(f"{path}: its first line is blank, not even a header line")
        head = itertools.islice(itertools.chain([first], lines), LONGEST_HEADER)
        record = next(records(enumerate(head, 1), form), None)
    except UNREADABLE as error:
        raise QualityGateError(f"{path}: cannot be read as CSV: {error}") from error
    if record is None:
        raise QualityGateError(f"{path}: nothing but comments, not even a header line")
    if packed := [
        what
        for magic, what in MAGIC.items()
        if first.startswith(magic) and (record.fields is None or "\4" in magic)
    ]:
        raise QualityGateError(f"{path}: cannot be read as CSV: it is {packed[0]}")
    if record.fields is None:
        raise QualityGateError(
            f"{path}: cannot be read as CSV: its header: {_why(record, form)}: {as_found(record.text)[:80]!r}"
        )
    if record.text.count("\0") > len(record.text) / 4:
        raise QualityGateError(
            f"{path}: cannot be read as CSV: NUL bytes in its header; if it is UTF-16, say raw.encoding: "
            "utf-16-le"
        )
    columns = [column.strip() for column in record.fields]
    if not any(columns):
        raise QualityGateError(f"{path}: its first line is blank, not even a header line")
    doubled = (
        sorted({column for column in columns if columns.count(column) > 1})
        if len(set(columns)) < len(columns)
        else []
    )
    if doubled:
        raise QualityGateError(f"{path}: header names {', '.join(map(repr, doubled))} twice")
    after = record.line + len(re.findall(r"\r\n|\n|\r", record.text)) + 1
    return Header(
        path,
        columns,
        dict.fromkeys(columns, "string"),
        first_record=after,
        way=_way(path, form, len(columns)),
    )


def _why(record: Record, form: Format) -> str:
    if record.why == csv_text.BYTES:
        return f"bytes that are not {form.encoding} (raw.encoding names another)"
    return record.why or ""


def without_header(path: Path, columns: Sequence[str], form: Format) -> Header:
    """Of a file whose records have these columns and begin on its first line; QualityGateError where it has
    none.
    """
    try:
        # only as far as the first record
        empty = not any(without_end(line).strip() for line in physical_lines(path, form))
    except UNREADABLE as error:
        raise QualityGateError(f"{path}: cannot be read as CSV: {error}") from error
    if empty:
        raise QualityGateError(f"{path}: empty file, without a single record")
    way = _way(path, form, len(columns))
    return Header(path, list(columns), dict.fromkeys(columns, "string"), first_record=1, way=way)


def _way(path: Path, form: Format, columns: int) -> str:
    try:
        return way_to_read(path, form, columns)
    except UNREADABLE as error:
        raise QualityGateError(f"{path}: cannot be read to its end: {error}") from error


def reasons(header: Header) -> tuple[str, ...]:
    """What may be wrong with a line of this file."""
    return {"ordinary": (FIELDS,), "lines": (FIELDS, csv_text.BYTES)}.get(header.way, csv_text.REASONS)


def read_records(spark: SparkSession, header: Header, contract: Mapping[str, str], form: Format) -> DataFrame:
    """The contract's columns as strings (NULL where the file has none), `_corrupt` and `_why` (a malformed
    line, and what is wrong with it), `_file`, `_line`. `contract`: its names by those of the file."""
    if header.way == "ordinary":
        return _by_spark(spark, header, contract, form)
    read = parsed_lines if header.way == "lines" else streamed
    at = {name: i for i, name in enumerate(header.columns)}
    places = [at.get(name) for name in contract]
    parse = partial(_rows, form=form, places=places, columns=len(header.columns))
    return read(spark, header.path, form, header.first_record, parse, list(contract.values())).withColumn(
        "_file", F.lit(header.name)
    )


def _rows(
    lines: Iterable[tuple[int, str]], form: Format, places: Sequence[int | None], columns: int
) -> Iterator[Row]:
    for record in records(lines, form):
        fields = record.fields or []
        values = [
            fields[place] or None if place is not None and place < len(fields) else None for place in places
        ]
        if len(fields) == columns:
            yield record.line, None, None, values
        else:
            yield record.line, record.text, record.why or FIELDS, values


def _by_spark(spark: SparkSession, header: Header, contract: Mapping[str, str], form: Format) -> DataFrame:
    # a header may hold any name, even an empty one
    fields = {column: f"_{i}" for i, column in enumerate(header.columns)}
    schema = ", ".join(f"{field} string" for field in [*fields.values(), CORRUPT])
    options = {"columnNameOfCorruptRecord": CORRUPT, "mode": "PERMISSIVE", "sep": form.delimiter}
    record = F.from_csv("_text", schema, options | {"quote": form.quote, "escape": form.quote or "\0"})
    columns = [f"_record.{fields[name]}" if name in fields else "cast(NULL AS string)" for name in contract]
    lines = numbered_lines(spark, header.path).where(f"_line >= {header.first_record}")
    if form.comment:
        lines = lines.where(~F.startswith("_text", F.lit(form.comment)))
    return lines.select(record.alias("_record"), F.lit(header.name).alias("_file"), "_line").selectExpr(
        *[f"{column} AS {quoted(name)}" for column, name in zip(columns, contract.values(), strict=True)],
        f"_record.{CORRUPT}",
        f"CASE WHEN _record.{CORRUPT} IS NOT NULL THEN '{FIELDS}' END AS {WHY}",
        "_file",
        "_line",
    )
