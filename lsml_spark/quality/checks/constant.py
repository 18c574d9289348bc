"""Columns that say nothing: one value in all rows, or none."""

from typing import ClassVar

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.lacking import lacking, listed


class Constant(TableCheck):
    """No column has one distinct value on the whole day. A model cannot learn from it, and often the source
    is broken.

    All columns, or those in `columns`, or `column`; those in `skip` may be constant. With `except_empty` a
    column without any value is left to `complete` and `filled`. Some values missing and the others alike is
    constant too. Days of fewer than `at_least` rows are not judged. `value` is the number of such columns.
    """

    columns: list[str] = []  # these alone
    skip: list[str] = []  # these not
    except_empty: bool = False  # leave out columns without any value
    at_least: int = 2  # rows below which nothing is judged

    shorthand: ClassVar[str] = "columns"

    def describe(self) -> str:
        return "one value in all rows"

    def judge(self, day: Day) -> Judged:
        named = [*self.columns, *([self.column] if self.column else [])]
        if lack := lacking(day, *named, *self.skip):
            return lack
        if day.rows < self.at_least:
            return Judged()
        names = [name for name in named or day.profile.get("columns", {}) if name not in self.skip]
        empty = [name for name in names if not self.except_empty and _empty(day, name)]
        alike = [name for name in names if not _empty(day, name) and _one(day, name)]
        problems = (
            [
                f"column{'s' * (len(alike) > 1)} with one value only: "
                f"{', '.join(self._shown(day, name) for name in alike[:10])}"
            ]
            if alike
            else []
        )
        problems += [f"without any value: {listed(empty, 10)}"] if empty else []
        return Judged("; ".join(problems) or None, value=float(len(alike) + len(empty)))

    def _shown(self, day: Day, name: str) -> str:
        top, bounds = day.column(name).get("top"), day.column(name).get("range")
        value = top[0][0] if top else bounds[0] if bounds else None
        return f"'{name}'" if value is None else f"'{name}' ({str(value)[:40]})"


def _empty(day: Day, name: str) -> bool:
    return day.metric(name, "missing") == day.rows


def _one(day: Day, name: str) -> bool:
    """Whether `distinct` is 1: exact on a small day, and HyperLogLog does not tell one value for several."""
    low, high = day.metric(name, "min"), day.metric(name, "max")
    if low is not None and high is not None and low != high:
        return False
    return day.metric(name, "distinct") == 1
