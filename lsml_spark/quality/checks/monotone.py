"""Values that only grow."""

from typing import ClassVar

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.compared import compared
from lsml_spark.spark.tables import quoted


class Monotone(RowCheck):
    """The value is not below that of the line before it in its file (`strictly`: above it).

    Only the line that falls is violated, not those after it. NULL, NaN and malformed lines are skipped; the
    first line holds. Text is compared character by character. Costs a sort of each file, in one task per file
    and group.

    Fields:
        by: columns; lines are compared within equal values of these, e.g. one sensor.
    """

    strictly: bool = False  # equal values break it too
    by: list[str] = []

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        groups = f" within {', '.join(self.by)}" if self.by else ""
        return f"{'does not grow' if self.strictly else 'falls'} from line to line{groups}"

    def violated(self) -> Column:
        there = compared(self) & (self.value.cast("string") != "NaN")
        value = F.when(there, self.value)
        lines = Window.partitionBy("_file", *map(quoted, self.by)).orderBy("_line")
        before = F.last(value, ignorenulls=True).over(lines.rowsBetween(Window.unboundedPreceding, -1))
        return value <= before if self.strictly else value < before
