"""Rows of a frame through a Python function, as Arrow's batches, as few and as cheaply as Spark can."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DatetimeType, NumericType, StringType

FLAT = (BooleanType, DatetimeType, NumericType, StringType)
BATCH_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
WIDE = 1000  # columns


def in_arrow(
    frame: DataFrame, function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]], schema: str
) -> DataFrame:
    """`mapInArrow`, which cannot resolve a name with a dot in it, and which looks each column up among all:
    of many, one struct.
    """
    numbered = frame.toDF(*map(str, range(len(frame.columns))))
    if len(frame.columns) <= WIDE:
        return numbered.mapInArrow(function, schema)

    def unpacked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return function(pa.RecordBatch.from_struct_array(batch.column(0)) for batch in batches)

    return numbered.select(F.struct("*").alias("row")).mapInArrow(unpacked, schema)


@contextmanager
def whole_batches(frame: DataFrame) -> Iterator[None]:
    """Batches of 10,000 rows whatever their bytes, where each column is a number or a short text.

    Spark measures the batch after every row to hold it under 64 MB, a third of the time that rows take on
    their way to Python. Bytes, lists and structs can be large: they keep that limit.
    """
    spark = frame.sparkSession
    before = spark.conf.get(BATCH_BYTES, None)
    if all(isinstance(field.dataType, FLAT) for field in frame.schema):
        spark.conf.set(BATCH_BYTES, str(2**31 - 1))  # the one value at which Spark does not measure
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(BATCH_BYTES)
        else:
            spark.conf.set(BATCH_BYTES, before)


def partitions_of(frame: DataFrame) -> int:
    """How many partitions a frame has, without running anything.

    A plan that Spark adapts as it runs says how its last shuffle is cut, or it has none but broadcasts: then
    the files count.
    """
    plan = frame._jdf.queryExecution().executedPlan()
    if plan.nodeName() != "AdaptiveSparkPlan":
        return int(plan.execute().getNumPartitions())
    leaves = plan.initialPlan().collectLeaves()
    shuffled = plan.initialPlan().outputPartitioning().numPartitions()
    return int(shuffled or sum(leaves.apply(i).execute().getNumPartitions() for i in range(leaves.length())))


def part() -> int:
    """The partition that this task works on."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return context.partitionId() if context else 0
