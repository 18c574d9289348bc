"""Keys that another table knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import model_validator
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck
from lsml_spark.spark.paths import literal
from lsml_spark.spark.tables import quoted


class References(RowCheck):
    """The value is a key of another table (referential integrity, SQL's MATCH SIMPLE: a row with a NULL among
    its columns is kept).

    A table that is missing or empty is a config error, for a check never passes on nothing. Keys are read as
    the column's type.

    Fields:
        table: path or glob of Parquet, or of CSV with a header where the name has `.csv` in it.
        key: column or columns of that table.
        columns: columns of the day, in the order of `key`; left out where the check stands below its column.
    """

    table: str
    key: str | list[str]
    columns: list[str] = []

    @model_validator(mode="after")
    def _as_many_columns_as_keys(self) -> Self:
        if len(self._keys) != len(self._columns) or not self._keys:
            raise ValueError(
                f"references: {len(self._keys)} key(s) for {len(self._columns)} column(s); name as many "
                "`columns` as `key`s"
            )
        return self

    @property
    def _keys(self) -> list[str]:
        return [self.key] if isinstance(self.key, str) else self.key

    @property
    def _columns(self) -> list[str]:
        return self.columns or [self.column]

    def names(self) -> Iterator[tuple[str, str]]:
        """The day's columns; `key` is the other table's."""
        return (pair for pair in super().names() if pair[0] != "key")

    def describe(self) -> str:
        return f"{', '.join(self.columns)} not in {self.table}".strip()

    def attach(self, rows: DataFrame) -> DataFrame:
        names = [f"{self.attached}_{i}" for i in range(len(self._keys))]
        types = [rows.schema[column].dataType for column in self._columns]
        keys = self.reference(rows.sparkSession).select(
            *[
                F.col(quoted(key)).try_cast(type_).alias(name)
                for key, type_, name in zip(self._keys, types, names, strict=True)
            ]
        )
        keys = keys.dropna().distinct()  # a key twice would double the day's rows
        if keys.isEmpty():
            raise ConfigError(
                f"quality: references: {self.table} has no rows with a {', '.join(self._keys)} that fits the "
                "column's type"
            )
        same = [
            F.col(quoted(column)) == F.col(name) for column, name in zip(self._columns, names, strict=True)
        ]
        # Spark broadcasts the keys where they are few
        joined = rows.join(keys.withColumn(self.attached, F.lit(True)), same, "left")
        return joined.drop(*names)

    def reference(self, spark: SparkSession) -> DataFrame:
        """The other table; ConfigError where it cannot be read or lacks a key."""
        try:
            csv = ".csv" in self.table
            # else a pattern, or a table of a store
            path = literal(self.table) if Path(self.table).exists() else self.table
            table = spark.read.csv(path, header=True, escape='"') if csv else spark.read.parquet(path)
        except PySparkException as error:
            raise ConfigError(
                f"quality: references: {self.table} cannot be read: {str(error).strip().splitlines()[0]}"
            ) from error
        for key in self._keys:
            if key not in table.columns:
                raise ConfigError(
                    f"quality: references: {self.table} has no column "
                    f"'{key}'{did_you_mean(key, table.columns)}"
                )
        return table

    def violated(self) -> Column:
        complete = F.lit(True)
        for column in self._columns:
            complete = complete & F.col(quoted(column)).isNotNull()
        return complete & F.col(self.attached).isNull()
