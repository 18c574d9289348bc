"""What earlier nights know of tonight's keys and rows: joins of keys with keys, and of rows with the scores
of their held-out day.
"""

from collections.abc import Iterable, Mapping

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.work import Source
from lsml_spark.spark import tables

# recalls are rounded to 1/64, surprises to 1/256: few groups of keys, rates that no one could tell apart
STEPS = 64
FINE = 256
SURPRISE = "__surprise"
PRIOR = 10  # rows that the recall of keys seen about as often counts for


def with_new(counts: DataFrame, previous: Source) -> DataFrame:
    """`counts` with `new`: the night before had no such key."""
    before = tables.read(counts.sparkSession, previous, table="counts").select(
        "key", F.lit(False).alias("new")
    )
    return counts.join(before, counts.key.eqNullSafe(before.key), "left").select(
        *[counts[name] for name in counts.columns], F.coalesce("new", F.lit(True)).alias("new")
    )


def with_recall(counts: DataFrame, scores: DataFrame) -> tuple[DataFrame, float | None]:
    """`counts` with `recall` in steps of 1/64, shrunk to the mean of keys seen about as often; and the mean
    over all scored rows.
    """
    per_key = scores.groupBy("key").agg(
        F.count(F.lit(1)).alias("seen"), F.sum(F.col("hit").cast("int")).alias("hits")
    )
    joined = counts.join(per_key, "key", "left").withColumn("band", _band(F.col("count")))
    bands = (
        joined.where("seen is not null")
        .groupBy("band")
        .agg(F.sum("seen").alias("seen"), F.sum("hits").alias("hits"))
        .collect()
    )
    seen = sum(row["seen"] for row in bands)
    if not seen:
        return counts, None
    average = sum(row["hits"] for row in bands) / seen
    prior: Column = F.lit(average)
    for row in bands:
        prior = F.when(
            F.col("band") == row["band"], (row["hits"] + PRIOR * average) / (row["seen"] + PRIOR)
        ).otherwise(prior)
    shrunk = (F.coalesce("hits", F.lit(0)) + PRIOR * prior) / (F.coalesce("seen", F.lit(0)) + PRIOR)
    return joined.withColumn("recall", F.round(shrunk * STEPS).cast("int")).select(
        *counts.columns, "recall"
    ), average


def scores_of(spark: SparkSession, inputs: Mapping[str, Source]) -> DataFrame | None:
    """(sample_id, key, hit, log_prob, night) of the rows that earlier nights held out, by the model that
    stood after each night; None where there are none, or the task gives rows no rank."""
    days = [name.removeprefix("scores/") for name in sorted(inputs) if name.startswith("scores/")]
    frames = [
        _standing(spark, inputs, day)
        for day in days
        if "rank" in inputs[f"scores/{day}"].manifest.tables["scores"].columns
    ]
    return _union(frames)


def with_surprise(train: DataFrame, scores: DataFrame) -> DataFrame:
    """`train` with SURPRISE: 1 − p̃ in steps of 1/256, NULL for a row that no night scored, −1 for what is no
    probability.
    """
    # a day can be held out twice
    last = scores.groupBy("sample_id").agg(F.max_by("log_prob", "night").alias("log_prob"))
    chance = F.exp("log_prob")
    step = F.when(
        chance.between(0.0, 1.0 + 1e-9) & ~F.isnan("log_prob"), F.round((1 - chance) * FINE).cast("int")
    ).otherwise(-1)
    return train.join(last.select("sample_id", step.alias(SURPRISE)), "sample_id", "left").select(
        *train.columns, SURPRISE
    )


def _standing(spark: SparkSession, inputs: Mapping[str, Source], day: str) -> DataFrame:
    evaluate, promote = inputs[f"scores/{day}"], inputs.get(f"promote/{day}")
    champion = promote.json("decision.json")["champion"] if promote else day
    system = "model" if champion in (day, None) else "champion"
    scored = tables.read(spark, evaluate, table="scores").where(F.col("system") == system)
    hit = F.col("rank") <= evaluate.manifest.metrics["k"]
    return scored.select("sample_id", "key", hit.alias("hit"), "log_prob", F.lit(day).alias("night"))


def _union(frames: Iterable[DataFrame]) -> DataFrame | None:
    both: DataFrame | None = None
    for frame in frames:
        both = frame if both is None else both.unionByName(frame)
    return both


def _band(count: Column) -> Column:
    """Once, 2–9, 10–99, …: as the evaluation bands keys."""
    return F.when(count <= 1, 0).otherwise(1 + F.floor(F.log10(count))).cast("int")
