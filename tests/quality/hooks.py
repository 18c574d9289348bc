"""A check over rows given as Python values, hooks and all, as the stage calls it."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.spark.tables import quoted


def frame_of(
    spark: SparkSession,
    schema: str,
    rows: Sequence[tuple],
    lines: Sequence[tuple] | None = None,
    partitions: int = 2,
) -> DataFrame:
    """The frame that a check sees. `lines`: (file, line, corrupt text or None) of each row; by default lines
    2, 3, … of one file.
    """
    lines = lines or [("day.csv", i + 2, None) for i in range(len(rows))]
    full = f"{schema}, _file string, _line bigint, _corrupt string"
    found = [(*row, file, line, corrupt) for row, (file, line, corrupt) in zip(rows, lines, strict=True)]
    frame = spark.createDataFrame(found, full).repartition(partitions)
    contract = [name for name in frame.columns if name not in ("_file", "_line", "_corrupt")]
    return frame.withColumns({f"_raw_{name}": F.col(quoted(name)).cast("string") for name in contract})


def judge(item: Any, frame: DataFrame, column: str = "v") -> list[bool]:
    """Which rows break the check, in the order of file and line; the stage's own guards included."""
    check = parse(item, RowCheck, column=column)
    if names := list(check.reads()):
        check = check.fit(frame.select(*map(quoted, names)).toArrow())
    rows = check.attach(frame)
    where = F.expr(check.where) if check.where else F.lit(True)
    bad = F.coalesce(F.col("_corrupt").isNull() & where & check.violated(), F.lit(False))
    found = rows.select("_file", "_line", bad.alias("bad")).orderBy("_file", "_line").collect()
    assert len(found) == frame.count(), "a check adds no row and drops none"
    return [row.bad for row in found]


def judge_values(spark: SparkSession, item: Any, type_: str, values: Sequence[Any]) -> list[bool]:
    """Which of these values of column `v` break the check."""
    return judge(item, frame_of(spark, f"v {type_}", [(value,) for value in values]))
