"""Any predicate."""

from typing import ClassVar

from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck


class Sql(RowCheck):
    """A Spark SQL predicate that must hold for every row; NULL counts as held."""

    predicate: str  # what holds for a good row

    shorthand: ClassVar[str] = "predicate"

    def describe(self) -> str:
        return f"breaks {self.predicate}"

    def violated(self) -> Column:
        return ~F.expr(self.predicate)
