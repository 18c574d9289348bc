"""A sample of the rows as they will lie in the shards: what a row weighs, and how its columns are best
stored.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.parquet.fields import Layout
from lsml_spark.shard.classes import TABLE, Classes
from lsml_spark.shard.config import Config
from lsml_spark.shard.layout import Form, Unfit, to_shard
from lsml_spark.shard.place import BITS, ORDER
from lsml_spark.shard.stored import Storage, choose
from lsml_spark.spark.tables import quoted

ROWS, BYTES = 4096, 2**26  # of the sample, on the driver
ANY_LENGTH = 2**16  # bytes that a value without a fixed length may have
NUMBERS = ("byte", "short", "integer", "long", "float", "double", "boolean")


@dataclass(frozen=True)
class Sample:
    """`laid_out`: the sampled rows, in the shards' columns. `storage`: how these are stored."""

    laid_out: pa.Table
    storage: Storage

    @property
    def bytes_per_row(self) -> float:
        """In memory, uncompressed."""
        return self.laid_out.nbytes / max(self.laid_out.num_rows, 1)


def is_number(type_: DataType) -> bool:
    return type_.typeName() in NUMBERS


def form_of(config: Config, train: DataFrame, features: Sequence[str], made: Mapping[str, Layout]) -> Form:
    """What is packed and what is a tensor: those of the config, and those `made` by a transform. ConfigError
    for columns that are not there or cannot be."""
    types = {field.name: field.dataType for field in train.schema}
    for name in config.tensors:
        if name not in types:
            raise ConfigError(
                f"shard.tensors.{name}: the features have no such column{did_you_mean(name, features)}"
            )
        if name in made:
            raise ConfigError(
                f"shard.tensors.{name}: is a tensor already, of shape {list(made[name].shape)}; leave it out "
                "here"
            )
    packed = [name for name in features if is_number(types[name])] if config.pack == "all" else config.pack
    for name in packed:
        if name not in features:
            raise ConfigError(f"shard.pack: '{name}' is no feature{did_you_mean(name, features)}")
        if not is_number(types[name]):
            raise ConfigError(
                f"shard.pack: '{name}' is {types[name].simpleString()}; only numbers can be packed into a "
                "record"
            )
    return Form(tuple(packed), {name: tensor.layout for name, tensor in config.tensors.items()} | dict(made))


def take(marked: DataFrame, columns: Sequence[str], form: Form, config: Config, classes: Classes) -> Sample:
    """The rows of lowest hash of the training table (of the next where it has none): the same for any
    partitions of the input.
    """
    table = min((class_.table for class_ in classes.classes), default=0)
    there = sum(classes.rows[i] for i in classes.of_table(table))
    width = sum(_width(field, form) for field in marked.schema if field.name in columns)
    sample_rows = min(ROWS, max(64, BYTES // max(width, 1)))
    below = 2**BITS if there <= sample_rows else sample_rows * 2**BITS // there
    chosen = marked.where((F.col(TABLE) == table) & (F.col(ORDER) < below)).orderBy(ORDER, "sample_id")
    drawn = chosen.select(*map(quoted, columns)).toArrow()
    if table:  # without those columns that only training rows have
        drawn = drawn.select(
            [name for name in drawn.column_names if drawn[name].null_count < max(drawn.num_rows, 1)]
        )
    with in_words():
        laid_out = to_shard(drawn, form)
    return Sample(laid_out, choose(laid_out, config.columns))


def _width(field: StructField, form: Form) -> int:
    """Bytes of a value on the driver, at a guess."""
    if field.name in form.tensors:
        return form.tensors[field.name].width
    return ANY_LENGTH if field.dataType.typeName() in ("array", "binary") else 8


@contextmanager
def in_words() -> Iterator[None]:
    """What the layout refuses, as an error for people (no file is damaged); Spark wraps it in pages of
    traces.
    """
    try:
        yield
    except Unfit as error:
        raise ConfigError(f"shard: {error}") from error
    except PySparkException as error:
        if match := re.search(r"Unfit: (.*)", str(error)):
            raise ConfigError(f"shard: {match[1]}") from error
        raise
