"""Parquet files: values under the types that the file has, the row's number in the file (from 1) as its line.

One reader says what there is, Arrow's: names as they are written, types from the footer. Spark's own reader
reads the rows where it reads the same; files in which a wanted column is of a kind that Spark has not
(quality/raw/parquet_types.py), and files with names that differ in case alone, are read by Arrow inside the
Spark tasks, a row group at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type

from lsml_spark.core.errors import QualityGateError
from lsml_spark.quality.raw import utf8
from lsml_spark.quality.raw.header import CORRUPT, WHY, Header
from lsml_spark.quality.raw.parquet_types import converted, packed_for_spark, plain, spark_reads
from lsml_spark.spark.ddl import ddl
from lsml_spark.spark.paths import literal
from lsml_spark.spark.tables import quoted

BYTES = "malformed row: text that is not UTF-8"
REASONS = (BYTES,)
NANOSECONDS, NULLS, INT96 = "nanoseconds", "nulls", "timestamp_int96"
TASKS = 1000  # at most, of the reader by Arrow
UNREADABLE = (OSError, pa.ArrowException, ValueError)  # of a name that is no UTF-8, too


def reasons(header: Header) -> tuple[str, ...]:
    """What may be wrong with a row of this file."""
    return REASONS if any("string" in type_ or "char" in type_ for type_ in header.types.values()) else ()


def read_header(path: Path) -> Header:
    """Names and types from the file's footer: Spark's names of types, and what Spark has not under
    Arrow's.
    """
    try:
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            schema, names = file.schema_arrow, file.schema_arrow.names
    except UNREADABLE as error:
        raise QualityGateError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from error
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise QualityGateError(f"{path}: its schema names {', '.join(map(repr, doubled))} twice")
    return Header(path, names, {field.name: _shown(field.type) for field in schema})


def _shown(type_: pa.DataType) -> str:
    """Spark's name of a type, or Arrow's where Spark has none."""
    if pa.types.is_null(type_):
        return "void"
    try:
        return from_arrow_type(type_, prefer_timestamp_ntz=True).simpleString()
    except PySparkException:
        return str(type_)


def unreadable(path: Path) -> str | None:
    """What is wrong with the file, if it cannot be read to its end."""
    try:
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            for _ in file.iter_batches():
                pass
    except UNREADABLE as error:
        return f"{path}: cannot be read to its end: {_first_line(error)}"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def read_records(
    spark: SparkSession, headers: Sequence[Header], contract: Mapping[str, str]
) -> list[DataFrame]:
    """The contract's columns as found (NULL where a file has none), `_corrupt` and `_why` (a row with text
    that is no UTF-8, as JSON), `_file`, `_line`. Files of one schema are one frame: a day may be written in
    thousands of parts. `contract`: its names by those of the files."""
    plans: dict[Plan, list[Header]] = {}
    for header in headers:
        plans.setdefault(_plan(header, contract), []).append(header)
    frames = []
    for (native, columns), alike in plans.items():
        frame = (_by_spark if native else _by_arrow)(spark, alike, dict(columns), contract)
        there = [
            quoted(called) if name in dict(columns) else f"cast(NULL AS string) AS {quoted(called)}"
            for name, called in contract.items()
        ]
        frames.append(
            utf8.set_aside(frame.selectExpr(*there, "_file", "_line"), contract, CORRUPT, WHY, BYTES)
        )
    return frames


# whether Spark reads the file; the wanted columns with how they are read
Plan = tuple[bool, tuple[tuple[str, str], ...]]


def _plan(header: Header, contract: Mapping[str, str]) -> Plan:
    with pq.ParquetFile(header.path) as file:
        schema, metadata, physical = file.schema_arrow, file.metadata, file.schema
    fields = [schema.field(name) for name in contract if name in header.columns]
    int96 = {
        column.name
        for column in map(physical.column, range(len(physical)))
        if column.physical_type == "INT96"
    }
    types = tuple((field.name, INT96 if field.name in int96 else _read_as(field.type)) for field in fields)
    folded = [name.casefold() for name in header.columns]
    clash = len(set(folded)) < len(folded) or len({name.casefold() for name in contract}) < len(contract)
    native = (
        not clash
        and all(type_ for _, type_ in types)
        and packed_for_spark(metadata, {field.name for field in fields})
    )
    return native, types if native else tuple((field.name, str(plain(field.type))) for field in fields)


def _read_as(type_: pa.DataType) -> str:
    """What Spark's reader is asked for; empty where it cannot be asked."""
    if pa.types.is_null(type_):
        return NULLS
    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        return f"{NANOSECONDS} {type_.tz or ''}".strip()
    return ddl(from_arrow_type(plain(type_), prefer_timestamp_ntz=True)) if spark_reads(type_) else ""


def _by_spark(
    spark: SparkSession, headers: Sequence[Header], columns: dict[str, str], contract: Mapping[str, str]
) -> DataFrame:
    fields, given = [], []
    for name, type_ in columns.items():
        value, called = quoted(name), quoted(contract[name])
        if type_.startswith(NANOSECONDS):
            fields.append(f"{value} bigint")
            # towards the past
            micros = f"timestamp_micros({value} DIV 1000 - CASE WHEN {value} % 1000 < 0 THEN 1 ELSE 0 END)"
            given.append(
                f"{micros if type_ != NANOSECONDS else f'cast({micros} AS timestamp_ntz)'} AS {called}"
            )
        elif type_ == NULLS:
            given.append(f"cast(NULL AS string) AS {called}")
        else:
            fields.append(f"{value} {'timestamp' if type_ == INT96 else type_}")
            given.append(f"{value} AS {called}")
    frame = spark.read.schema(", ".join(fields)) if fields else spark.read
    rows = frame.parquet(*[literal(header.path) for header in headers]).selectExpr(
        *given, "_metadata.file_path AS _path", "_metadata.row_index + 1 AS _line"
    )
    if len(headers) == 1:
        return rows.drop("_path").withColumn("_file", F.lit(headers[0].name))
    uri = spark.sparkContext._jvm.org.apache.hadoop.fs.Path  # type: ignore[union-attr]
    paths = [(uri(f"file:{header.path}").toUri().toString(), header.name) for header in headers]
    named = spark.createDataFrame(paths, "_path string, _file string")
    return rows.join(F.broadcast(named), "_path", "left").drop("_path")


def _by_arrow(
    spark: SparkSession, headers: Sequence[Header], columns: dict[str, str], contract: Mapping[str, str]
) -> DataFrame:
    groups = []
    for header in headers:
        with pq.ParquetFile(header.path) as file:
            schema, line = file.schema_arrow, 1
            for group in range(file.num_row_groups):
                groups.append((str(header.path.absolute()), header.name, group, line))
                line += file.metadata.row_group(group).num_rows
    types = {name: plain(schema.field(name).type) for name in columns}
    spark_types = [ddl(from_arrow_type(type_, prefer_timestamp_ntz=True)) for type_ in types.values()]
    numbered = ", ".join(
        ["file string", "line long", *[f"c{i} {type_}" for i, type_ in enumerate(spark_types)]]
    )
    tasks = max(1, min(len(groups), TASKS))
    rows = spark.range(0, len(groups), 1, tasks).mapInArrow(_reader(groups, types), numbered)
    return rows.selectExpr(
        *[f"c{i} AS {quoted(contract[name])}" for i, name in enumerate(types)],
        "file AS _file",
        "line AS _line",
    )


def _reader(
    groups: Sequence[tuple[str, str, int, int]], types: dict[str, pa.DataType]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    names = ["file", "line", *[f"c{i}" for i in range(len(types))]]

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number in [number for batch in batches for number in batch.column(0).to_pylist()]:
            path, name, group, line = groups[number]
            with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
                for chunk in file.iter_batches(8192, row_groups=[group], columns=list(types)):
                    rows = chunk.num_rows
                    values = [
                        converted(pa.chunked_array([chunk.column(name)]), type_).combine_chunks()
                        for name, type_ in types.items()
                    ]
                    lines = pa.array(range(line, line + rows), pa.int64())
                    yield pa.RecordBatch.from_arrays(
                        [pa.array([name] * rows, pa.string()), lines, *values], names=names
                    )
                    line += rows

    return read
