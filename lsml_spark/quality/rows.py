"""Enough rows."""

from typing import ClassVar

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day


class Rows(TableCheck):
    """The day has at least this many records."""

    at_least: int = 1

    shorthand: ClassVar[str] = "at_least"

    def describe(self) -> str:
        return f"fewer than {self.at_least} rows"

    def judge(self, day: Day) -> Judged:
        return Judged(f"{day.rows} rows, at least {self.at_least} wanted" if day.rows < self.at_least else None, value=day.rows)
