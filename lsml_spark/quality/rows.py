"""Enough rows."""

from typing import ClassVar

from lsml_spark.quality.check import Counts, TableCheck


class Rows(TableCheck):
    """The day has at least this many records."""

    at_least: int = 1

    shorthand: ClassVar[str] = "at_least"

    def describe(self) -> str:
        return f"fewer than {self.at_least} rows"

    def problem(self, counts: Counts) -> str | None:
        return f"{counts.rows} rows, at least {self.at_least} wanted" if counts.rows < self.at_least else None
