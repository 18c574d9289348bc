"""Values that are not NULL."""

from typing import ClassVar

from pyspark.sql import Column

from lsml_spark.quality.check import RowCheck


class NonNull(RowCheck):
    """The value is not NULL. NaN and the empty string are values here: see `finite`, `length` and
    `complete`.
    """

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return "NULL"

    def violated(self) -> Column:
        return self.value.isNull()
