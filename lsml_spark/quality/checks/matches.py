"""Text of the right form."""

from typing import ClassVar

from pyspark.sql import Column

from lsml_spark.quality.check import RowCheck


class Matches(RowCheck):
    """The text contains a match of a (Java) regular expression; anchor it with ^ and $ to mean the whole
    value.
    """

    pattern: str  # a regular expression

    shorthand: ClassVar[str] = "pattern"
    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"does not match {self.pattern}"

    def violated(self) -> Column:
        return ~self.value.cast("string").rlike(self.pattern)
