"""How many rows each key has: of all keys, or, beyond the budget, of the head and of a hashed sample of the
keys.

The sample keeps whole keys (one in N by a hash of the key, the same keys every night), so the spectrum of the
tail scales by N. The head, which such a sample would miss or overstate, is counted exactly: its candidates
are the heavy hitters of a sketch (`approx_top_k`: Misra–Gries as in Apache DataSketches), their counts are
not the sketch's.
"""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

TRACKED = 100_000  # keys the sketch tells apart: whoever has more than 2 / TRACKED of the rows is among them
SALT = 0x5EED  # not that of the rows' draws


def every_key(samples: DataFrame) -> DataFrame:
    """(key, count) of all keys."""
    return samples.groupBy("key").agg(F.count(F.lit(1)).alias("count"))


def many_keys(samples: DataFrame, most: int) -> bool:
    """Whether there are about (HyperLogLog++, 5 %) more than `most` keys; one scan."""
    (row,) = samples.agg(F.approx_count_distinct("key").alias("keys")).collect()
    return bool(row["keys"] > most)


def heaviest(samples: DataFrame, keys: int) -> DataFrame:
    """(key): about that many candidates for the most frequent keys, as a small local table; one scan."""
    (row,) = samples.select(F.expr(f"approx_top_k(key, {keys}, {max(TRACKED, keys)})").alias("top")).collect()
    return samples.sparkSession.createDataFrame([(item["item"],) for item in row["top"]], "key string")


def sampled_keys(samples: DataFrame, head: DataFrame, one_in: int) -> DataFrame:
    """(key, count) of the keys of `head` and of one key in `one_in`; one scan, no other row is shuffled."""
    marked = with_head(samples, head)
    return every_key(marked.where(F.col("head") | _drawn("key", one_in)))


def with_head(frame: DataFrame, head: DataFrame) -> DataFrame:
    """`frame` with a column `head`: whether the key is one of those."""
    marked = frame.join(F.broadcast(head.withColumn("head", F.lit(True))), "key", "left")
    return marked.withColumn("head", F.coalesce("head", F.lit(False)))


def _drawn(column: str, one_in: int) -> Column:
    return F.pmod(F.xxhash64(F.col(column), F.lit(SALT)), F.lit(one_in)) == 0


def spectrum(counts: DataFrame) -> np.ndarray:
    """Rows of (frequency, keys), ascending; int64 of shape (F, 2). All that comes to the driver."""
    pairs = counts.groupBy("count").agg(F.count(F.lit(1)).alias("keys")).collect()
    return np.array(sorted((row["count"], row["keys"]) for row in pairs), dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Errors:
    """Standard errors of figures that were scaled up from a sample of the keys."""

    rows: float
    keys: float
    unseen_mass: float


def scaled(head_F2: np.ndarray, tail_F2: np.ndarray, one_in: int) -> np.ndarray:
    """The spectrum (F, 2) of all keys: that of the head as counted, and `one_in` keys for each of the sampled
    tail.
    """
    both = np.concatenate([head_F2, tail_F2 * [1, one_in]])
    frequency_F, place = np.unique(both[:, 0], return_inverse=True)
    keys_F = np.zeros(len(frequency_F), np.int64)
    np.add.at(keys_F, place, both[:, 1])
    return np.stack([frequency_F, keys_F], axis=1)


def errors(tail_F2: np.ndarray, one_in: int, rows: int) -> Errors:
    """Poisson sampling of keys with chance 1/N: a total estimated as N Σ y has variance N(N−1) Σ y² (Särndal
    et al. 1992, §3.2).
    """
    frequency_F, keys_F = tail_F2.T.astype(float)
    scale = one_in * (one_in - 1)
    once = float(keys_F[frequency_F == 1].sum())
    total = float(np.sqrt(scale * (frequency_F**2 @ keys_F)))
    return Errors(
        round(total, 1),
        round(float(np.sqrt(scale * keys_F.sum())), 1),
        round(float(np.sqrt(scale * once)) / max(rows, 1), 9),
    )
