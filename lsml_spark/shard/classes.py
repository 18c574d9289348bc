"""Classes of rows: what shares its files with nobody else, by table (train, the splits, test), fold, and pace
of a curriculum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.errors import IntegrityError
from lsml_spark.shard import split
from lsml_spark.shard.config import TEST, TRAIN, Config
from lsml_spark.shard.place import BIN, ORDER, bin_of, literal, order_by_hash
from lsml_spark.spark.tables import quoted

TABLE, FOLD, PACE = "__table", "__fold", "pace"


@dataclass(frozen=True, order=True)
class Class:
    """`table`: 0 train, then the splits, then test; fold and pace are 0 where there are none."""

    table: int
    fold: int
    pace: int


@dataclass(frozen=True)
class Classes:
    """The classes that have rows, in the order of their files. `counts[i]`: rows of class i by bin of their
    hash, shape (2^bits,).
    """

    classes: tuple[Class, ...]
    counts: tuple[np.ndarray, ...]

    @cached_property
    def rows(self) -> tuple[int, ...]:
        return tuple(int(counts_B.sum()) for counts_B in self.counts)

    def of_table(self, table: int) -> list[int]:
        """Numbers of a table's classes."""
        return [i for i, class_ in enumerate(self.classes) if class_.table == table]

    def number(self, marked: DataFrame) -> Column:
        """A row's class, looked up by its table, fold and pace."""
        shape = tuple(
            1 + max((getattr(class_, part) for class_ in self.classes), default=0)
            for part in ("table", "fold", "pace")
        )
        number = np.zeros(shape, np.int64)
        for i, class_ in enumerate(self.classes):
            number[class_.table, class_.fold, class_.pace] = i
        place = (F.col(TABLE) * shape[1] + F.col(FOLD)) * shape[2] + _pace(marked)
        return F.get(literal(number.ravel().tolist()), place).cast("int")


def mark(
    frames: Mapping[str, DataFrame],
    config: Config,
    names: Sequence[str],
    seed: int,
    order_seed: int,
    grouped: bool,
) -> DataFrame:
    """The rows of both tables with TABLE (place in `names`), FOLD, and ORDER; what only one table has is NULL
    in the other.
    """
    types = {
        field.name: field.dataType for frame in reversed(list(frames.values())) for field in frame.schema
    }
    every = list(dict.fromkeys(name for frame in frames.values() for name in frame.columns))
    table = {TRAIN: split.table_of(config.split, types, seed), TEST: F.lit(len(names) - 1)}
    fold = F.when(F.col(TABLE) == 0, split.fold_of(config.folds, seed)).otherwise(0)
    parts = []
    for name, frame in frames.items():
        marked = frame.withColumn(TABLE, table[name].cast("int")).withColumn(FOLD, fold)
        filled = [
            F.col(quoted(c)) if c in frame.columns else F.lit(None).cast(types[c]).alias(c) for c in every
        ]
        parts.append(marked.select(*filled, TABLE, FOLD))
    return reduce(DataFrame.unionByName, parts).withColumn(ORDER, order_by_hash(order_seed, grouped))


def _pace(marked: DataFrame) -> Column:
    """The pace of a training row, 0 of others; a NULL counts as 0 until the layout refuses it by name."""
    if PACE not in marked.columns:
        return F.lit(0)
    return F.when(F.col(TABLE) == 0, F.coalesce(F.col(PACE), F.lit(0))).otherwise(0).cast("int")


def count(marked: DataFrame, config: Config, bits: int) -> Classes:
    """From one job that reads the ids and little else. IntegrityError for a pace below 0, or a split's column
    that does not say.
    """
    keyed = marked.select(TABLE, FOLD, _pace(marked).alias(PACE), bin_of(bits).alias(BIN))
    counts_by_class: dict[Class, np.ndarray] = {}
    for row in keyed.groupBy(TABLE, FOLD, PACE, BIN).count().toArrow().to_pylist():
        if row[PACE] < 0:
            raise IntegrityError(
                f"column '{PACE}' holds {row[PACE]}, expected stages from 0; run the select stage again"
            )
        counts_B = counts_by_class.setdefault(
            Class(row[TABLE], row[FOLD], row[PACE]), np.zeros(2**bits, np.int64)
        )
        counts_B[row[BIN]] += row["count"]
    if any(class_.table == split.UNKNOWN for class_ in counts_by_class):
        split.refuse_unknown(marked.where(F.col(TABLE) == split.UNKNOWN), config.split)
    ordered = tuple(sorted(counts_by_class))
    return Classes(ordered, tuple(counts_by_class[class_] for class_ in ordered))
