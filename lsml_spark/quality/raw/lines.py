"""Text files in Spark: as lines with their physical number, read in parallel, or as records that Python reads
in one go.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.raw import Format
from lsml_spark.quality.raw.header import CORRUPT, WHY
from lsml_spark.quality.raw.text import as_found, decoded, physical_lines
from lsml_spark.spark.paths import literal
from lsml_spark.spark.tables import quoted

# line, the text and the reason where malformed, values
Row = tuple[int, str | None, str | None, Sequence[str | None]]
Parse = Callable[[Iterable[tuple[int, str]]], Iterator[Row]]  # of numbered lines
ROWS, CHARACTERS = 8192, 1 << 24  # of a batch


def numbered_lines(spark: SparkSession, path: Path) -> DataFrame:
    """`_text` and `_line` of every line that is not blank, the first line of the file being line 1, for every
    partitioning.
    """
    lines = spark.read.text(literal(path)).selectExpr(
        "value AS _text",
        "spark_partition_id() AS _part",
        f"monotonically_increasing_id() & {(1 << 33) - 1}L AS _index",
    )
    before = F.lit(0).cast("long") if _is_one_partition(spark, path) else _lines_before(lines)
    return lines.withColumn("_line", F.expr("_index + 1") + before).where("trim(_text) != ''")


def _is_one_partition(spark: SparkSession, path: Path) -> bool:
    """Whether the file is too small to be cut, which Spark takes half a second to say: a day may be hundreds
    of parts.
    """
    conf = spark._jsparkSession.sessionState().conf()
    return path.stat().st_size <= min(conf.filesMaxPartitionBytes(), conf.filesOpenCostInBytes())


def _lines_before(lines: DataFrame) -> Column:
    """Lines in the file before the partition of a row: partitions of one file are in the order of its
    bytes.
    """
    if lines.rdd.getNumPartitions() <= 1:
        return F.lit(0).cast("long")
    counts = {row["_part"]: row["count"] for row in lines.groupBy("_part").count().collect()}
    before, total = {}, 0
    for part in sorted(counts):
        before[part], total = total, total + counts[part]
    return reduce(
        lambda column, part: column.when(F.col("_part") == part, before[part]),
        before,
        F.when(F.lit(False), 0),
    ).cast("long")


def parsed_lines(
    spark: SparkSession,
    path: Path,
    form: Format,
    first: int,
    parse: Parse,
    names: Sequence[str],
) -> DataFrame:
    """Records by `parse`, a line each, in as many partitions as Spark cuts the file into: columns `names`,
    `_corrupt`, `_why`, `_line`.
    """

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        lines = (
            pair
            for batch in batches
            for pair in zip(*[column.to_pylist() for column in batch.columns], strict=True)
        )
        return _batches(parse((number, decoded(line, form)) for number, line in lines), len(names))

    lines = (
        numbered_lines(spark, path)
        .where(f"_line >= {first}")
        .selectExpr("_line", "cast(_text AS binary) AS _text")
    )
    return _named(lines.mapInArrow(read, _schema(len(names))), names)


def streamed(
    spark: SparkSession,
    path: Path,
    form: Format,
    first: int,
    parse: Parse,
    names: Sequence[str],
) -> DataFrame:
    """The same, read by one task from the beginning of the file to its end: a record may be several lines."""
    path = path.absolute()  # the task's working folder may be another

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        lines = (pair for pair in enumerate(physical_lines(path, form), 1) if pair[0] >= first)
        return _batches(parse(lines), len(names))

    return _named(spark.range(0, 1, 1, 1).mapInArrow(read, _schema(len(names))), names)


def _schema(columns: int) -> str:
    return ", ".join(["line long", "corrupt string", "why string", *[f"c{i} string" for i in range(columns)]])


def _named(frame: DataFrame, names: Sequence[str]) -> DataFrame:
    columns = [f"c{i} AS {quoted(name)}" for i, name in enumerate(names)]
    return frame.selectExpr(*columns, f"corrupt AS {CORRUPT}", f"why AS {WHY}", "line AS _line")


def _batches(rows: Iterator[Row], columns: int) -> Iterator[pa.RecordBatch]:
    names = ["line", "corrupt", "why", *[f"c{i}" for i in range(columns)]]
    types = [pa.int64(), *[pa.string()] * (columns + 2)]
    pending: list[tuple[Any, ...]] = []
    characters = 0

    def batch() -> pa.RecordBatch:
        column_values = list(zip(*pending, strict=True))
        return pa.RecordBatch.from_arrays(
            [pa.array(values, type_) for values, type_ in zip(column_values, types, strict=True)], names=names
        )

    for line, corrupt, why, values in rows:
        pending.append((line, None if corrupt is None else as_found(corrupt), why, *values))
        characters += len(corrupt or "") + sum(len(value) for value in values if value)
        if len(pending) == ROWS or characters > CHARACTERS:
            yield batch()
            pending, characters = [], 0
    if pending:
        yield batch()
