"""Enough of the rows fit to keep."""

from typing import ClassVar

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day


class Kept(TableCheck):
    """At least this share of the day's rows passes the row checks; an empty day does not."""

    at_least: float = 0.5  # share of the rows

    shorthand: ClassVar[str] = "at_least"

    def describe(self) -> str:
        return f"less than {self.at_least:.0%} of the rows kept"

    def judge(self, day: Day) -> Judged:
        share = day.clean / day.rows if day.rows else 0.0
        if share >= self.at_least:
            return Judged(value=share)
        return Judged(
            f"{day.clean} of {day.rows} rows kept ({share:.1%}), at least {self.at_least:.0%} wanted",
            value=share,
        )
