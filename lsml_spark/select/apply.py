"""Rates on rows: the one place that joins what the policy says with the rows of the window.

For policies of keys only the keys whose rate is not that of most keys (the few above the level) are listed
and broadcast; rows are filtered where they lie, no row is shuffled, the tail is never listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.select.listed import MOST
from lsml_spark.select.policies.policy import Spectrum
from lsml_spark.select.summary import FREQUENCY


@dataclass(frozen=True)
class Groups:
    """Keys by how often they were seen and what is known of them. `table`: a row per key; `names`: what
    groups differ in.
    """

    table: DataFrame  # key and `names`
    names: tuple[str, ...]
    values: tuple[tuple, ...]  # per group, in the order of `names`
    keys_S: np.ndarray

    @classmethod
    def of(cls, table: DataFrame) -> "Groups":
        """One aggregate over the keys; only the groups come to the driver."""
        names = tuple(name for name in table.columns if name != "key")
        rows = sorted(
            tuple(row) for row in table.groupBy(*names).agg(F.count(F.lit(1)).alias("keys")).collect()
        )
        return cls(
            table,
            names,
            tuple(row[:-1] for row in rows),
            np.array([row[-1] for row in rows], dtype=np.int64),
        )

    def column(self, name: str) -> np.ndarray | None:
        """A value per group, None where nothing is known of it; shape (S,)."""
        return (
            np.array([value[self.names.index(name)] for value in self.values]) if name in self.names else None
        )


@dataclass(frozen=True)
class Rated:
    """`frame`: the rows with the columns wanted, and FREQUENCY of the listed keys (NULL for all others)."""

    frame: DataFrame
    listed_S: np.ndarray  # bool: the groups whose keys are listed
    heaviest: list[list]  # [key, count] of the listed keys that lose the most rows


def by_key(
    train: DataFrame, groups: Groups, columns: Mapping[str, np.ndarray], spectrum: Spectrum, most: int
) -> Rated:
    """Give every row the values of its key's group. `columns`: name → (S,), one of them `keep_rate`."""
    each = list(zip(*(values_S.tolist() for values_S in columns.values()), strict=True))
    keys_of: dict[tuple, int] = {}
    for value, keys in zip(each, spectrum.keys.tolist(), strict=True):
        keys_of[value] = keys_of.get(value, 0) + keys
    base = max(sorted(keys_of), key=lambda value: keys_of[value])
    listed_S = np.array([value != base for value in each])
    bases = {name: F.lit(value) for name, value in zip(columns, base, strict=True)}
    if not listed_S.any():
        return Rated(train.withColumns(bases | {FREQUENCY: F.lit(None).cast("long")}), listed_S, [])
    types = {
        "count": pa.int64(),
        "new": pa.bool_(),
        "recall": pa.int32(),
        "keep_rate": pa.float64(),
        "pace": pa.int32(),
    }
    rows = [
        (*value, *given) for value, given, listed in zip(groups.values, each, listed_S, strict=True) if listed
    ]
    fields = zip((*groups.names, *columns), zip(*rows, strict=True), strict=True)
    # Arrow, since a list of Python's own would be read by Python workers that must start first.
    of_group = train.sparkSession.createDataFrame(
        pa.table({name: pa.array(values, types[name]) for name, values in fields})
    )
    listed = groups.table.join(F.broadcast(of_group), list(groups.names)).select(
        F.col("key").alias("__key"),
        F.col("count").alias(FREQUENCY),
        *[F.col(name).alias(f"__{name}") for name in columns],
    )
    lost = F.col(FREQUENCY) * (1 - F.col("__keep_rate"))
    heaviest = listed.where(lost > 0).orderBy(F.desc(lost), "__key").limit(most).collect()
    # `listed.coarse` holds most lists short; protected keys of the tail can make one that no driver should
    # hold: Spark then shuffles.
    short = spectrum.keys[listed_S].sum() <= MOST
    joined = train.join(
        F.broadcast(listed) if short else listed, F.col("key").eqNullSafe(F.col("__key")), "left"
    )
    filled = {name: F.coalesce(F.col(f"__{name}"), value) for name, value in bases.items()}
    frame = joined.withColumns(filled).select(*train.columns, *columns, FREQUENCY)
    return Rated(frame, listed_S, [[row["__key"], row[FREQUENCY]] for row in heaviest])


def uniform(column: str, seed: int) -> Column:
    """A draw in [0, 1) per row: the upper 53 bits of xxhash64(id, seed), so that repeats agree and budgets
    nest.
    """
    return F.shiftrightunsigned(F.xxhash64(F.col(column), F.lit(seed)), 11).cast("double") * F.lit(2.0**-53)
