"""Text files as lines with their physical line number, plain or gzip."""

import gzip
from functools import reduce
from pathlib import Path
from typing import BinaryIO

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.spark.paths import literal


def open_raw(path: Path) -> BinaryIO:
    """The bytes of a file, unpacked where it is called .gz."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def numbered_lines(spark: SparkSession, path: Path) -> DataFrame:
    """`_text` and `_line` of every line that is not blank, the first line of the file being line 1, for every partitioning."""
    lines = spark.read.text(literal(path)).selectExpr(
        "value AS _text", "spark_partition_id() AS _part", f"monotonically_increasing_id() & {(1 << 33) - 1}L AS _index"
    )
    return lines.withColumn("_line", F.expr("_index + 1") + _lines_before(lines)).where("trim(_text) != ''")


def _lines_before(lines: DataFrame) -> Column:
    """Lines in the file before the partition of a row: partitions of one file are in the order of its bytes."""
    if lines.rdd.getNumPartitions() <= 1:
        return F.lit(0).cast("long")
    counts = {row["_part"]: row["count"] for row in lines.groupBy("_part").count().collect()}
    before, total = {}, 0
    for part in sorted(counts):
        before[part], total = total, total + counts[part]
    return reduce(lambda column, part: column.when(F.col("_part") == part, before[part]), before, F.when(F.lit(False), 0)).cast("long")
