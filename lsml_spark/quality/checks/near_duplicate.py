"""Rows that say or show almost the same as an earlier one."""

from collections.abc import Callable
from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.functions import arrow_udf

from lsml_spark.core.errors import ConfigError
from lsml_spark.media import column as media
from lsml_spark.media import image_hash
from lsml_spark.media.files import load
from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.compared import compared
from lsml_spark.quality.figures import minhash
from lsml_spark.spark.tables import quoted

HEADS = 32  # rows of a bucket with which all others of it are compared
BLANK = r"\s+"


class NearDuplicate(RowCheck):
    """No earlier line of the day has a text at least this similar, or an image that differs in at most so
    many bits.

    Texts (lower case, white space made one space): Jaccard similarity of their shingles; candidates by
    MinHash, which misses a pair at the threshold in one of 1,000 cases, each then compared exactly. Images:
    Hamming distance of a 64-bit perceptual hash, candidates by pieces of it. Equal texts count once, so a
    common one costs nothing; of a bucket that many rows share, all are compared with its first 32 alone. The
    same answer for every partitioning. NULL, blank text, and images that do not decode or have one colour
    only are kept.

    Fields:
        text: column of text; its shingles are so many `characters`, or `words` where that is given.
        image: column of bytes, or of paths below `folder`.
    """

    text: str = ""
    image: str = ""
    similarity: float = Field(0.9, ge=0.3, le=1)  # Jaccard, of texts
    characters: int = Field(5, ge=1)  # of a shingle
    words: int = Field(0, ge=0)  # of a shingle, in place of characters; 0: none
    bits: int = Field(4, ge=0, le=8)  # of the hash of images
    folder: str = ""  # below which paths are looked for
    most_pixels: int = Field(100_000_000, gt=0)  # a larger image is not loaded

    @model_validator(mode="after")
    def _text_or_image(self) -> Self:
        if bool(self.text) == bool(self.image):
            raise ValueError("near_duplicate needs either `text: column` or `image: column`")
        return self

    def describe(self) -> str:
        if self.text:
            return f"{self.text} at least {self.similarity:g} similar to an earlier line's"
        return f"{self.image} within {self.bits} bits of an earlier line's"

    def attach(self, rows: DataFrame) -> DataFrame:
        rows = rows.withColumn(self.attached, F.when(compared(self), self.thing(rows)))
        first = F.min(F.struct("_file", "_line")).alias("first")
        things = (
            rows.where(F.col(self.attached).isNotNull())
            .groupBy(F.col(self.attached).alias("thing"))
            .agg(first)
        )
        bucketed = things.select("thing", "first", F.explode(self.buckets(F.col("thing"))).alias("bucket"))
        late = earlier_twins(bucketed, self.is_alike).select("thing", F.lit(True).alias("late"))
        marks = things.join(late, "thing", "left").select(
            F.col("thing").alias(f"{self.attached}_thing"),
            F.col("first").alias(f"{self.attached}_first"),
            F.col("late").alias(f"{self.attached}_late"),
        )
        marked = rows.join(marks, F.col(self.attached) == F.col(f"{self.attached}_thing"), "left")
        is_duplicate = F.col(f"{self.attached}_late").isNotNull() | (
            F.struct("_file", "_line") > F.col(f"{self.attached}_first")
        )
        return marked.withColumn(self.attached, is_duplicate).drop(
            *[f"{self.attached}_{part}" for part in ("thing", "first", "late")]
        )

    def violated(self) -> Column:
        return F.col(self.attached)

    def thing(self, rows: DataFrame) -> Column:
        """What is compared: the text, or the image's hash."""
        name = self.text or self.image
        if name not in rows.columns:
            raise ConfigError(f"quality: near_duplicate: there is no column {name}")
        if self.text:
            text = F.lower(F.trim(F.regexp_replace(F.col(quoted(name)).cast("string"), BLANK, " ")))
            return F.when(text != "", text)
        media.require("image", f"{name}: near_duplicate", rows.schema[name].dataType, self.folder)
        folder, most = self.folder, self.most_pixels

        @arrow_udf("bigint")  # type: ignore[call-overload]  # its stub asks for what it warns of
        def hashes(values: pa.Array) -> pa.Array:
            files = (None if value is None else load(value, folder) for value in values.to_pylist())
            return pa.array(
                [None if data is None else image_hash.image_hash(data, most) for data in files], pa.int64()
            )

        hashed: Column = hashes(F.col(quoted(name)))
        return hashed

    def buckets(self, thing: Column) -> Column:
        if self.text:
            return text_buckets(self.similarity)(self._shingles(thing))
        bits = self.bits

        @arrow_udf("array<bigint>")  # type: ignore[call-overload]  # its stub asks for what it warns of
        def pieces(hashes: pa.Array) -> pa.Array:
            return pa.array(
                [image_hash.buckets(value, bits) for value in hashes.to_pylist()], pa.list_(pa.int64())
            )

        buckets: Column = pieces(thing)
        return buckets

    def _shingles(self, text: Column) -> Column:
        """Hashes of the distinct shingles; a text shorter than one is a shingle itself."""
        units, size = (F.split(text, " "), self.words) if self.words else (text, self.characters)
        length = F.size(units) if self.words else F.length(units)
        starts = F.sequence(F.lit(1), F.greatest(length - size + 1, F.lit(1)))
        cut = F.slice if self.words else F.substring
        return F.array_distinct(F.transform(starts, lambda start: F.xxhash64(cut(units, start, F.lit(size)))))

    def is_alike(self, one: Column, other: Column) -> Column:
        if self.image:
            return F.bit_count(one.bitwiseXOR(other)) <= self.bits
        return jaccard(self.characters, self.words)(one, other) >= self.similarity - 1e-9


def jaccard(characters: int, words: int) -> Callable[[Column, Column], Column]:
    """A function from two columns of text to the Jaccard similarity of their shingles; exact, on the shingles
    themselves.
    """

    @arrow_udf("double")  # type: ignore[call-overload]  # its stub asks for what it warns of
    def compare(ones: pa.Array, others: pa.Array) -> pa.Array:
        pairs = list(zip(ones.to_pylist(), others.to_pylist(), strict=True))
        # a text is in many pairs
        sets = {text: minhash.shingles(text, characters, words) for pair in pairs for text in pair}
        shared = [(len(sets[one] & sets[other]), len(sets[one]) + len(sets[other])) for one, other in pairs]
        return pa.array([both / (total - both) for both, total in shared], pa.float64())

    # it is not; but Spark would else compare before it has made the pairs distinct
    return compare.asNondeterministic()


def text_buckets(similarity: float) -> Callable[[Column], Column]:
    """A function from a column of shingle hashes (none empty) to the buckets of each row."""

    @arrow_udf("array<bigint>")  # type: ignore[call-overload]  # its stub asks for what it warns of
    def find(sets: pa.Array) -> pa.Array:
        if not len(sets):
            return pa.array([], pa.list_(pa.int64()))
        offsets = sets.offsets.to_numpy()
        bucket_SB = minhash.buckets(sets.values.to_numpy()[: offsets[-1]], offsets[:-1], similarity)
        edges = np.arange(len(bucket_SB) + 1, dtype=np.int32) * bucket_SB.shape[1]
        return pa.ListArray.from_arrays(edges, bucket_SB.ravel())

    return find


def earlier_twins(bucketed: DataFrame, alike: Callable[[Column, Column], Column]) -> DataFrame:
    """Each `thing` for which an earlier one (by `first`) in one of its buckets is alike; columns thing,
    first, bucket in.
    """
    rank = F.row_number().over(Window.partitionBy("bucket").orderBy("first"))
    heads = bucketed.withColumn("rank", rank).where(F.col("rank") <= HEADS)
    heads = heads.select("bucket", F.col("first").alias("head_first"), F.col("thing").alias("earlier"))
    pairs = (
        bucketed.join(heads, "bucket")
        .where(F.col("head_first") < F.col("first"))
        .select("thing", "earlier")
        .distinct()
    )
    return pairs.where(alike(F.col("earlier"), F.col("thing"))).select("thing").distinct()
