"""Members of a known set."""

from typing import ClassVar

from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck


class OneOf(RowCheck):
    """The value is one of the listed ones."""

    values: list[str | int | float]

    shorthand: ClassVar[str] = "values"

    def describe(self) -> str:
        return f"not one of {', '.join(map(str, self.values[:5]))}{' …' if len(self.values) > 5 else ''}"

    def violated(self) -> Column:
        return ~F.col(self.column).isin(self.values)
