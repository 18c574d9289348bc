"""Enough of the rows fit to keep."""

from typing import ClassVar

from lsml_spark.quality.check import Counts, TableCheck


class Kept(TableCheck):
    """At least this share of the day's rows passes the row checks; an empty day does not."""

    at_least: float = 0.5

    shorthand: ClassVar[str] = "at_least"

    def describe(self) -> str:
        return f"less than {self.at_least:.0%} of the rows kept"

    def problem(self, counts: Counts) -> str | None:
        share = counts.clean / counts.rows if counts.rows else 0.0
        if share >= self.at_least:
            return None
        return f"{counts.clean} of {counts.rows} rows kept ({share:.1%}), at least {self.at_least:.0%} wanted"
