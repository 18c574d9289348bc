"""What was kept of which keys, and with which weights: counted while the rows pass into the writer."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.spark.tables import Watch

# of a row's key, NULL where it need not be known; no name that a sample's own column has
FREQUENCY = "__frequency"
PARTS = 4  # bins of the histogram of weights per power of two
AT_ONCE = 16  # batches: a frequency that occurs in them all is looked up once


@dataclass
class Tally:
    """Of one partition, or of all: kept rows by bin of weight, by frequency of the key (where one was given),
    by named key.
    """

    names: frozenset[str] = frozenset()
    weights: Counter[int] = field(default_factory=Counter)
    frequencies: Counter[int] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
    squares: float = 0.0
    waiting: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch) -> None:
        self.waiting.append(batch)
        if len(self.waiting) == AT_ONCE:
            self._count()

    def _count(self) -> None:
        if not self.waiting:
            return
        rows = pa.Table.from_batches([batch.select(["weight", FREQUENCY, "key"]) for batch in self.waiting])
        self.waiting = []
        weight_N = rows["weight"].to_numpy()
        bin_N = np.floor(np.log2(weight_N) * PARTS + 1e-9).astype(np.int64)
        lowest = int(bin_N.min())
        self.weights.update(
            {lowest + i: count for i, count in enumerate(np.bincount(bin_N - lowest).tolist()) if count}
        )
        self.total += float(weight_N.sum())
        self.squares += float((weight_N**2).sum())
        self.frequencies.update(_counted(rows[FREQUENCY].drop_null()))
        self.keys.update(
            _counted(
                rows["key"].filter(pc.is_in(rows["key"], value_set=pa.array(list(self.names), pa.string())))
            )
        )

    def finish(self) -> bytes:
        self._count()
        parts = [list(counter.items()) for counter in (self.weights, self.frequencies, self.keys)]
        return json.dumps([*parts, self.total, self.squares]).encode()

    @property
    def ess(self) -> float:
        """Kish's effective sample size of the kept rows."""
        return self.total**2 / self.squares if self.squares else 0.0

    @property
    def histogram(self) -> list[list[float]]:
        """[low, high, rows], ascending."""
        return [
            [round(2 ** (bin_ / PARTS), 6), round(2 ** ((bin_ + 1) / PARTS), 6), rows]
            for bin_, rows in sorted(self.weights.items())
        ]


def watch(names: Sequence[str]) -> Watch:
    """Tallies of a frame with `weight`, FREQUENCY and `key`."""
    return Watch(
        ["weight", FREQUENCY, "key"], lambda: Tally(frozenset(names)), lambda seen: combined(seen).finish()
    )


def combined(seen: Sequence[bytes]) -> Tally:
    """One tally of several; the order in which partitions report does not matter."""
    tally = Tally()
    parts = [json.loads(report) for report in seen]
    for weights, frequencies, keys, _, _ in parts:
        for counter, pairs in (
            (tally.weights, weights),
            (tally.frequencies, frequencies),
            (tally.keys, keys),
        ):
            for value, count in pairs:
                counter[value] += count
    tally.total, tally.squares = math.fsum(part[3] for part in parts), math.fsum(part[4] for part in parts)
    return tally


def recount(kept: DataFrame, counts: DataFrame, most: int) -> tuple[dict[int, int], list[list]]:
    """From the written rows: kept rows by frequency of the key, and [key, rows, kept] of the keys that lost
    most. A shuffle of keys.
    """
    per_key = kept.groupBy("key").agg(F.count(F.lit(1)).alias("kept"))
    both = counts.join(per_key, counts.key.eqNullSafe(per_key.key), "left")
    joined = both.select(counts.key, "count", F.coalesce("kept", F.lit(0)).alias("kept"))
    by_frequency = joined.groupBy("count").agg(F.sum("kept").alias("kept")).collect()
    lost = (
        joined.where("kept < count")
        .orderBy(F.desc(F.col("count") - F.col("kept")), "key")
        .limit(most)
        .collect()
    )
    return {row["count"]: row["kept"] for row in by_frequency}, [
        [row["key"], row["count"], row["kept"]] for row in lost
    ]


def _counted(values: pa.ChunkedArray) -> dict:
    """How often each value occurs."""
    counts = pc.value_counts(values)
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
