"""No line twice."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.compared import compared
from lsml_spark.spark.tables import quoted


class DistinctRow(RowCheck):
    """No earlier line of the day has the same text in every column of the contract; the first of equals is
    kept.

    Columns that the contract does not name are not compared. Costs one shuffle of the day; `unique` compares
    some columns alone.
    """

    def describe(self) -> str:
        return "the same as an earlier line"

    def attach(self, rows: DataFrame) -> DataFrame:
        raw = [F.col(quoted(name)).cast("string") for name in rows.columns if name.startswith("_raw_")]
        among = Window.partitionBy(*raw, compared(self)).orderBy("_file", "_line")
        return rows.withColumn(self.attached, F.row_number().over(among) > 1)

    def violated(self) -> Column:
        return F.col(self.attached)
