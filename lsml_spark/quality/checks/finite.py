"""Numbers that can be computed with."""

from typing import ClassVar

from pyspark.sql import Column

from lsml_spark.quality.check import RowCheck

NOT_FINITE = r"^([+-]?(Infinity|inf)|NaN)$|[\[,] ?(-?Infinity|NaN)[\],]"


class Finite(RowCheck):
    """The number is neither NaN nor infinite, nor is one in a list of numbers; NULL is kept.

    Looks at the value as text, so that it takes a column of any type: `isnan` takes neither dates nor lists.
    """

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return "NaN or infinite"

    def violated(self) -> Column:
        return self.value.cast("string").rlike(NOT_FINITE)
