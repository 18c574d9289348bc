"""Which row goes into which shard: by the order of its hash, cut so that the shards of a class hold equal
numbers of rows.

A class is what shares its files with nobody else: a split, a fold, a pace of a curriculum. The driver counts
a histogram of the hashes, finds the bins in which a shard begins, and has Spark name the row in each that is
the shard's first: exact to the row for any number of rows, and all that the driver ever holds is the
histogram and one edge per shard.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.data.parquet.shards import GROUP

ORDER, CLASS, BIN = "__order", "__class", "__bin"
BITS = 53  # of the hash, so that a share of its range is an exact float
GROUP_BITS = 40  # of them, where groups lie together


def order_by_hash(seed: int, grouped: bool = False) -> Column:
    """A row's place in the shuffle: 53 bits of the hash of its id; in front of them 40 of its group's, whose
    rows then lie together.
    """
    row = F.xxhash64("sample_id", F.lit(seed))
    if not grouped:
        return F.shiftrightunsigned(row, 64 - BITS)
    group = F.when(F.col(GROUP).isNull(), row).otherwise(F.xxhash64(GROUP, F.lit(seed)))
    return F.shiftleft(
        F.shiftrightunsigned(group, 64 - GROUP_BITS), BITS - GROUP_BITS
    ) + F.shiftrightunsigned(row, 64 - BITS + GROUP_BITS)


def bin_bits(rows: int) -> int:
    """Bits of the histogram's bins: about 64 rows in each, at most 65,536 bins."""
    return min(16, max(4, (rows // 64).bit_length()))


def bin_of(bits: int) -> Column:
    return F.shiftright(F.col(ORDER), BITS - bits).cast("int")


@dataclass(frozen=True)
class Edges:
    """Where shards begin. `first_K`: smallest hash of each shard, class after class, of which class c has
    `shards_C[c]`.

    `ties`: (shard, hash, sample id) of the shards whose first row has the hash of the row before it.
    """

    shards_C: tuple[int, ...]
    first_K: tuple[int, ...]
    ties: tuple[tuple[int, int, str], ...] = ()

    @property
    def offset_C(self) -> np.ndarray:
        """Number of the first shard of each class; shape (classes,), int64."""
        return np.cumsum([0, *self.shards_C])[:-1]

    @property
    def slack(self) -> int:
        """How far a shard begins from where it would if the hashes lay evenly, in shards; the bound of the
        search for a row's.
        """
        farthest = 0
        for offset, shards in zip(self.offset_C.tolist(), self.shards_C, strict=True):
            first = np.asarray(self.first_K[offset + 1 : offset + shards], dtype=np.float64)
            guessed = np.floor(first * (shards * 2.0**-BITS))
            farthest = max(farthest, int(np.abs(guessed - np.arange(1, shards)).max(initial=0)))
        return farthest + 1  # rows between two edges are guessed at most one further

    def numbers(self, class_: int) -> range:
        """The shards of a class."""
        first = int(self.offset_C[class_])
        return range(first, first + self.shards_C[class_])

    def rows(self, rows_C: Sequence[int]) -> list[int]:
        """Rows of each shard, from those of each class."""
        return [
            rows * (k + 1) // shards - rows * k // shards
            for rows, shards in zip(rows_C, self.shards_C, strict=True)
            for k in range(shards)
        ]


def edges(frame: DataFrame, counts_C: Sequence[np.ndarray], shards_C: Sequence[int], bits: int) -> Edges:
    """The edges that give each class shards of equal rows (± 1). `frame` has CLASS, ORDER and `sample_id`.

    `counts_C`: rows of each class by bin, shape (2^bits,) each; `shards_C`: how many shards it gets, at most
    its rows.
    """
    places = [(c, *place) for c, shards in enumerate(shards_C) for place in _places(counts_C[c], shards)]
    starts = _rows_at(frame, places, bits) if places else {}
    first: list[int] = []
    ties = []
    for c, shards in enumerate(shards_C):
        for k in range(shards):
            hash_, sample_id, before = starts[c, k] if k else (-1, "", None)
            if hash_ == before:
                ties.append((len(first), hash_, sample_id))
            first.append(hash_)
    return Edges(tuple(shards_C), tuple(first), tuple(ties))


def _places(counts_B: np.ndarray, shards: int) -> list[tuple[int, int, int]]:
    """(shard, bin, rank within the bin) of the first row of each shard but the first."""
    ends_B = np.cumsum(counts_B)
    firsts = np.arange(1, shards) * int(ends_B[-1]) // shards
    bins = np.searchsorted(ends_B, firsts, side="right")
    ranks = firsts - (ends_B[bins] - counts_B[bins])
    return list(zip(range(1, shards), bins.tolist(), ranks.tolist(), strict=True))


def _rows_at(
    frame: DataFrame, places: Sequence[tuple[int, int, int, int]], bits: int
) -> dict[tuple[int, int], tuple[int, str, int | None]]:
    """(hash, sample id, hash of the row before it in its bin) of the rows at (class, shard, bin, rank), by
    class and shard.
    """
    columns = [
        pa.array(column, pa.int32() if i < 3 else pa.int64())
        for i, column in enumerate(zip(*places, strict=True))
    ]
    lookup = frame.sparkSession.createDataFrame(pa.table(columns, names=[CLASS, "shard", BIN, "rank"]))
    rows = frame.select(CLASS, ORDER, "sample_id").withColumn(BIN, bin_of(bits))
    candidates = rows.join(F.broadcast(lookup.select(CLASS, BIN).distinct()), [CLASS, BIN], "left_semi")
    sorted_ = candidates.groupBy(CLASS, BIN).agg(
        F.sort_array(F.collect_list(F.struct(ORDER, "sample_id"))).alias("rows")
    )
    here, before = F.get("rows", F.col("rank").cast("int")), F.get("rows", F.col("rank").cast("int") - 1)
    matches = (
        lookup.join(sorted_, [CLASS, BIN])
        .select(CLASS, "shard", here.alias("row"), before[ORDER].alias("before"))
        .collect()
    )
    return {(row[CLASS], row.shard): (row.row[ORDER], row.row.sample_id, row.before) for row in matches}


def shard_of(edges: Edges) -> Column:
    """The number of a row's shard: guessed from its hash, then moved past the edges that are not beyond
    it.
    """
    if not edges.first_K:
        return F.lit(0)  # of no row
    first, shards, offset = (
        literal(values) for values in (edges.first_K, edges.shards_C, edges.offset_C.tolist())
    )
    mine, begin = F.get(shards, F.col(CLASS)), F.get(offset, F.col(CLASS))
    if max(edges.shards_C) == 1:
        return begin.cast("int")
    slack = edges.slack
    guess = F.floor(F.col(ORDER).cast("double") * (mine.cast("double") * F.lit(2.0**-BITS)))
    low = F.greatest(guess - F.lit(slack), F.lit(0)).cast("int")
    within = low
    for step in range(1, 2 * slack + 1):
        beyond = (low + step < mine) & (F.get(first, (begin + low + step).cast("int")) <= F.col(ORDER))
        within = within + F.when(beyond, 1).otherwise(0)
    for shard, hash_, sample_id in edges.ties:
        c = int(np.searchsorted(edges.offset_C, shard, side="right")) - 1
        earlier = (F.col(CLASS) == c) & (F.col(ORDER) == hash_) & (F.col("sample_id") < sample_id)
        within = within - F.when(earlier, 1).otherwise(0)
    return (begin + within).cast("int")


def literal(values: Sequence[int]) -> Column:
    """An array as one foldable expression: ten thousand literals would each cross to the JVM."""
    return F.split(F.lit(",".join(map(str, values))), ",").cast("array<bigint>")
