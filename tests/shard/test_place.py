"""Rows to shards: equal to the row and in the order of the hash, whatever the hashes are; compared with a
sort in numpy.
"""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from lsml_spark.shard.place import BITS, CLASS, ORDER, bin_bits, bin_of, edges, shard_of

pytestmark = pytest.mark.spark
BIG = 2**BITS


def numbered(spark, rows: pd.DataFrame, shards: list[int], bits: int) -> pd.DataFrame:
    """The rows with their shard, as the stage computes it: counts, edges, number."""
    frame = spark.createDataFrame(rows, f"{CLASS} int, {ORDER} long, sample_id string").repartition(3)
    counts = [np.zeros(2**bits, np.int64) for _ in shards]
    for row in frame.groupBy(CLASS, bin_of(bits).alias("bin")).count().collect():
        counts[row[CLASS]][row["bin"]] = row["count"]
    found = edges(frame, counts, shards, bits)
    return frame.withColumn("shard", shard_of(found)).toPandas(), found


def rows_of(hashes: list[np.ndarray], seed: int = 0) -> pd.DataFrame:
    ids = np.random.default_rng(seed).permutation(sum(map(len, hashes)))
    return pd.DataFrame(
        {
            CLASS: np.repeat(range(len(hashes)), list(map(len, hashes))),
            ORDER: np.concatenate(hashes).astype(np.int64),
            "sample_id": [f"s{i:06d}" for i in ids],
        }
    )


@pytest.mark.parametrize(
    ("hashes", "shards"),
    [
        (
            [np.random.default_rng(1).integers(0, BIG, 5000), np.random.default_rng(2).integers(0, BIG, 13)],
            [7, 13],
        ),
        (
            [
                np.random.default_rng(3).integers(0, BIG // 1000, 3000),
                np.random.default_rng(4).integers(0, 40, 2000) * 3,
            ],
            [50, 16],
        ),
        ([np.full(1000, BIG - 1), np.arange(4)], [8, 1]),
    ],
    ids=["even hashes", "skewed hashes with many ties", "one hash for all"],
)
def test_shards_hold_equal_rows_in_the_order_of_hash_and_id(spark, hashes, shards):
    found, planned = numbered(spark, rows_of(hashes), shards, bits=10)
    first = 0
    for c, count in enumerate(shards):
        mine = found[found[CLASS] == c].sort_values([ORDER, "sample_id"])
        sizes = mine.shard.value_counts()
        assert sizes.max() - sizes.min() <= 1
        assert sizes.sort_index().tolist() == planned.rows([len(h) for h in hashes])[first : first + count]
        assert (np.diff(mine.shard.to_numpy()) >= 0).all()
        assert set(mine.shard) == set(range(first, first + count))
        first += count


def test_all_rows_in_one_partition_or_under_one_key_are_spread_like_any(spark):
    ids = spark.range(4000).select(F.concat(F.lit("s"), F.col("id")).alias("sample_id")).coalesce(1)
    frame = ids.withColumn(ORDER, F.shiftrightunsigned(F.xxhash64("sample_id"), 64 - BITS)).withColumn(
        CLASS, F.lit(0)
    )
    bits = bin_bits(4000)
    counts = np.zeros(2**bits, np.int64)
    for row in frame.groupBy(bin_of(bits).alias("bin")).count().collect():
        counts[row["bin"]] = row["count"]
    found = edges(frame, [counts], [16], bits)
    assert found.slack <= 2
    assert {row["count"] for row in frame.groupBy(shard_of(found)).count().collect()} == {250}
