"""A view of shards for Spark SQL: lists, tensors and records as the arrays and columns that they were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type

from lsml_spark.core import manifest
from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.parquet.fields import Layout, layout_of
from lsml_spark.shard.decode import from_bytes, from_record
from lsml_spark.spark.paths import literal
from lsml_spark.spark.tables import quoted

# Spark has no unsigned numbers and no halves.
WIDER = {
    "uint8": pa.int16(),
    "uint16": pa.int32(),
    "uint32": pa.int64(),
    "uint64": pa.decimal128(20),
    "float16": pa.float32(),
}


def view(spark: SparkSession, folder: Path, name: str, table: str = "train") -> DataFrame:
    """Register the temporary view `name` of a table of a shard stage's folder; the same frame comes back.

    Scalars are read by Spark itself, with all its pushdown; the others pass through Arrow, and only where a
    query asks for them. ConfigError where the folder holds no such table.
    """
    manifest_ = manifest.read(folder)
    if manifest_ is None:
        raise ConfigError(f"{folder}: no manifest; name the folder of a finished shard stage, …/<date>/shard")
    if table not in manifest_.tables:
        raise ConfigError(f"{folder}: no table '{table}'{did_you_mean(table, list(manifest_.tables))}")
    paths = [folder / file.path for file in manifest_.tables[table].files]
    if not paths:
        raise ConfigError(f"{folder}: table '{table}' has no rows")
    frame = spark.read.parquet(*map(literal, paths))
    columns: list[Column] = []
    for field in pq.read_schema(paths[0]):
        columns += _columns(field.name, layout_of(field))
    decoded = frame.select(*columns)
    decoded.createOrReplaceTempView(name)
    return decoded


def _columns(name: str, layout: Layout) -> list[Column]:
    column = F.col(quoted(name))
    if layout.kind not in ("record", "ragged", "tensor"):
        return [column]
    dtype = str(layout.dtype)
    numbers = WIDER.get(dtype, pa.from_numpy_dtype(dtype))
    if layout.kind == "record":
        type_ = pa.struct([(part, numbers) for part in layout.columns])
        whole = _decoder(_struct, layout, type_)(column)
        return [whole.getField(part).alias(part) for part in layout.columns]
    for _ in layout.shape or (0,):
        numbers = pa.list_(numbers)
    return [_decoder(from_bytes, layout, numbers)(column).alias(name)]


def _decoder(decode: Callable[[pa.Array, Layout], pa.Array], layout: Layout, type_: pa.DataType) -> Any:
    def run(array: pa.Array) -> pa.Array:
        return decode(array, layout).cast(type_)

    return F.arrow_udf(run, from_arrow_type(type_))  # type: ignore[call-overload]


def _struct(array: pa.Array, layout: Layout) -> pa.StructArray:
    parts = from_record(array, layout)
    return pa.StructArray.from_arrays(list(parts.values()), names=list(parts))
