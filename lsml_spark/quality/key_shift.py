"""How far the shares of keys moved, where there are too many keys for a list: counted by Spark, of the clean
rows of both sides.

Only sums and the three keys that moved most come to the driver, so the number of keys does not matter.
"""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.quality.comparison import Compared
from lsml_spark.quality.day import Day, Past
from lsml_spark.quality.figures import noise
from lsml_spark.quality.lacking import percent
from lsml_spark.spark.tables import quoted


def key_shift(day: Day, column: str, pasts: Sequence[Past]) -> Compared | None:
    """Total variation of the key shares of the day and of the past days together; None where a side has no
    keys.
    """
    assert day.clean_rows is not None
    earlier = [past.load_clean() for past in pasts]
    known = [_keys(clean, column) for clean in earlier if column in clean.columns]
    if not known:
        return None
    was, now = (
        rows.groupBy("key").agg(F.count(F.lit(1)).alias(name))
        for rows, name in ((_union(known), "was"), (_keys(day.clean_rows(), column), "now"))
    )
    both = now.join(was, "key", "full").na.fill(0, ["now", "was"]).cache()
    try:
        totals = both.agg(F.sum("now"), F.sum("was")).first()
        n, m = (float(total or 0) for total in totals) if totals else (0.0, 0.0)
        if not n or not m:
            return None
        q, p = F.col("now") / n, F.col("was") / m
        mixed = (F.col("now") + F.col("was")) / (n + m)
        sums = both.agg(
            (F.sum(F.abs(q - p)) / 2).alias("distance"),
            F.sum(F.when(F.col("was") == 0, q)).alias("came"),
            F.sum(F.when(F.col("now") == 0, p)).alias("went"),
            F.sum(F.sqrt(mixed * (1 - mixed))).alias("spread"),
        ).first()
        assert sums is not None
        moved = both.orderBy(F.desc(F.abs(q - p)), "key").limit(3).collect()
    finally:
        both.unpersist()
    words = [
        f"keys that came hold {percent(sums.came or 0)} of the rows, keys that went held "
        f"{percent(sums.went or 0)}"
    ]
    words += [
        f"'{row.key}' {percent(row.now / n)} (was {percent(row.was / m)})"
        for row in moved
        if row.now / n != row.was / m
    ]
    return Compared(float(sums.distance), noise.total_variation_of(float(sums.spread), n, m), words)


def _keys(rows: DataFrame, column: str) -> DataFrame:
    key = F.col(quoted(column)).cast("string")
    return rows.select(key.alias("key")).where(key.isNotNull())


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)
