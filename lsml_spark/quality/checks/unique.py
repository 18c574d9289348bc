"""No row twice."""

from functools import reduce
from typing import ClassVar

from pydantic import Field
from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.compared import compared
from lsml_spark.spark.tables import quoted


class Unique(RowCheck):
    """No earlier line of the day has the same values in these columns; the first of equals is kept.

    NULL equals nothing, as in SQL: a row that lacks one of the values is nobody's duplicate. Costs one
    shuffle of the day, which the other checks do not need.
    """

    columns: list[str] = Field(min_length=1)  # that are compared together

    shorthand: ClassVar[str] = "columns"

    def describe(self) -> str:
        return f"duplicate of an earlier line by {', '.join(self.columns)}"

    def violated(self) -> Column:
        among = Window.partitionBy(*map(quoted, self.columns), compared(self))
        whole = reduce(Column.__and__, [F.col(quoted(name)).isNotNull() for name in self.columns])
        return whole & (F.row_number().over(among.orderBy("_file", "_line")) > 1)
