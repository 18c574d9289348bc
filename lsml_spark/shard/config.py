"""The `shard:` section of a pipeline."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field, model_validator

from lsml_spark.core.config import Strict
from lsml_spark.data.parquet.fields import Layout

TRAIN, TEST = "train", "test"
Dtype = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"
]
Encoding = Literal[
    "plain", "delta_binary_packed", "delta_length_byte_array", "delta_byte_array", "byte_stream_split"
]


class Tensor(Strict):
    """A column of one shape in every row: lists of numbers, flat or as deep as the shape, or bytes that are
    such a tensor already.
    """

    shape: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)  # without the rows
    dtype: Dtype = "float32"  # of the values

    @model_validator(mode="after")
    def _fits_a_value(self) -> "Tensor":
        if self.layout.width >= 2**31:
            raise ValueError(
                f"shape: {list(self.shape)} of {self.dtype} is {self.layout.width} bytes a row; Parquet "
                "holds less than 2 GiB"
            )
        return self

    @property
    def layout(self) -> Layout:
        return Layout("tensor", self.dtype, shape=self.shape)


class Stored(Strict):
    """How a column of a shard is stored; what is left out is chosen by measurement."""

    compression: Literal["none", "snappy", "lz4", "zstd", "gzip"] | None = None  # of its pages
    encoding: Encoding | None = None  # of its values, as Parquet calls it


class Split(Strict):
    """Rows that leave the training table for one of their own.

    `key_hash`: a share of the keys, `row_hash`: of the rows, `column`: those that a column of the features
    names (as text: the split's name, or `train`; as boolean: true). `leakage`: what keys or rows that a
    column puts on both sides mean.
    """

    use: Literal["key_hash", "row_hash", "column"]
    share: float | None = Field(None, gt=0, lt=1)  # of the keys or rows
    column: str | None = None  # `key_hash`: hashed in place of the key; `column`: names the split
    leakage: Literal["warn", "fail"] = "warn"

    @model_validator(mode="after")
    def _share_or_column(self) -> "Split":
        if self.use == "column" and (self.column is None or self.share is not None):
            raise ValueError("use: column wants `column: name`, and no share")
        if self.use != "column" and self.share is None:
            raise ValueError(f"use: {self.use} wants `share`, for example share: 0.1")
        if self.use == "row_hash" and self.column is not None:
            raise ValueError("use: row_hash takes no column; the hash is of the sample's id")
        return self


class Folds(Strict):
    """The training rows in `number` parts, by key (no key in two folds) or by row; each fold has files of its
    own.
    """

    number: int = Field(ge=2, le=1000)  # how many
    use: Literal["key_hash", "row_hash"] = "key_hash"


def _folds(value: Any) -> Any:
    return {"number": value} if isinstance(value, int) else value


class Config(Strict):
    """How the rows become shards.

    `shards`: files of the training table (of each fold and pace); auto: as many as hold `target_bytes` each,
    in step with the `lanes`. `rows_per_group`: rows of a row group, the unit of reading and shuffling; auto:
    whole batches, about 4 MiB. `lanes` and `batch` are those of `train:` unless said here; they matter where
    one of the two is auto.
    """

    shards: Literal["auto"] | Annotated[int, Field(ge=1, le=100_000)] = "auto"
    target_bytes: Annotated[ByteSize, Field(ge=1)] = ByteSize(128_000_000)  # of a file, uncompressed
    rows_per_group: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    lanes: int = Field(8, ge=1)  # of a batch
    batch: int = Field(512, ge=1)  # rows of a step
    pack: Literal["all"] | list[str] = []  # features that go into one record per dtype
    tensors: dict[str, Tensor] = {}  # columns that have one shape in every row
    columns: dict[str, Stored] = {}  # what measurement is not to choose
    # tables beside `train`, `test`
    split: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Split] = {}
    folds: Annotated[Folds | None, BeforeValidator(_folds)] = None  # parts of the training rows
    checksum: Literal["xxh128", "sha256"] = "xxh128"  # of the files; sha256 where somebody might forge them

    @model_validator(mode="after")
    def _splits_leave_rows_to_train(self) -> "Config":
        for name in (TRAIN, TEST):
            if name in self.split:
                raise ValueError(f"split.{name}: there is such a table already; give the split another name")
        for use in ("key_hash", "row_hash"):
            if math.fsum(rule.share or 0 for rule in self.split.values() if rule.use == use) >= 1:
                raise ValueError(
                    f"split: the shares by {use} add up to 1 or more; nothing would be left to train on"
                )
        return self
