"""Parquet files: values under the types that the file has, the row's number in the file (from 1) as its line."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_type

from lsml_spark.core.errors import QualityGateError
from lsml_spark.quality.header import CORRUPT, WHY, Header
from lsml_spark.spark.tables import quoted


def reasons(header: Header) -> tuple[str, ...]:
    """What may be wrong with a row of this file: it can be read or it cannot."""
    return ()


def read_header(path: Path) -> Header:
    """Names and types from the file's footer."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise QualityGateError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return Header(path, schema.names, {field.name: _type(field.type) for field in schema})


def _type(type_: pa.DataType) -> str:
    try:
        return from_arrow_type(type_, prefer_timestamp_ntz=True).simpleString()
    except PySparkException:
        return str(type_)  # Spark has no such type, e.g. unsigned numbers, and reads it as another


def unreadable(path: Path) -> str | None:
    """What is wrong with the file, if it cannot be read to its end."""
    try:
        with pq.ParquetFile(path) as file:
            for _ in file.iter_batches():
                pass
    except (OSError, pa.ArrowException) as error:
        return f"{path}: cannot be read to its end: {str(error).splitlines()[0]}"
    return None


def read_records(spark: SparkSession, header: Header, contract: Sequence[str]) -> DataFrame:
    """The contract's columns as found (NULL where the file has none), `_corrupt` and `_why` (NULL), `_file`, `_line`."""
    columns = [quoted(name) if name in header.columns else f"cast(NULL AS string) AS {quoted(name)}" for name in contract]
    rest = [f"cast(NULL AS string) AS {name}" for name in (CORRUPT, WHY)]
    rows = spark.read.parquet(str(header.path)).selectExpr(*columns, *rest, "_metadata.row_index + 1 AS _line")
    return rows.select(*map(quoted, contract), CORRUPT, WHY, F.lit(header.path.name).alias("_file"), "_line")
