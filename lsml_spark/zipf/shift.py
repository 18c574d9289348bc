"""Which keys came, went and moved since the last night, from the two tables of counts.

Total variation distance of the shares, ½ Σ |p_k − q_k|: the least share of the rows whose key must change to
turn one night into the other. Sums and the largest movers come to the driver, never the keys.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def shift(
    now: DataFrame, before: DataFrame, rows_now: int, rows_before: int, movers: int = 20
) -> dict | None:
    """Tables (key, count) of both nights and their rows; None where a night has none.

    Returns: `entered` and `left`: {keys, share} (of the rows tonight, of those before); `distance`; `movers`:
    [[key, share before, share now], …] by falling change of share, then by key.
    """
    if not rows_now or not rows_before:
        return None
    nothing = F.lit(0.0)
    tonight = now.select("key", nothing.alias("before"), (F.col("count") / rows_now).alias("now"))
    last = before.select("key", (F.col("count") / rows_before).alias("before"), nothing.alias("now"))
    # A full join of two tables that hold each key once, without its sort.
    both = tonight.union(last).groupBy("key").agg(F.sum("before").alias("before"), F.sum("now").alias("now"))
    both = both.withColumn("change", F.abs(F.col("now") - F.col("before")))
    entered, left = F.col("before") == 0, F.col("now") == 0
    size = F.round("change", 9).alias("size")
    (total,) = both.agg(
        F.count_if(entered).alias("entered"),
        F.sum(F.when(entered, F.col("now")).otherwise(0.0)).alias("entered_share"),
        F.count_if(left).alias("left"),
        F.sum(F.when(left, F.col("before")).otherwise(0.0)).alias("left_share"),
        F.sum("change").alias("change"),
        # The key decides ties, so that a rerun names the same.
        F.max_by(F.struct("key", "before", "now", size), F.struct(size, "key"), movers).alias("movers"),
    ).collect()
    moved = sorted(
        (row for row in total["movers"] if row["size"]), key=lambda row: (-row["size"], row["key"] or "")
    )
    return {
        "entered": {"keys": total["entered"], "share": round(total["entered_share"], 6)},
        "left": {"keys": total["left"], "share": round(total["left_share"], 6)},
        "distance": round(total["change"] / 2, 6),
        "movers": [[row["key"], round(row["before"], 9), round(row["now"], 9)] for row in moved],
    }
