"""Enough rows, and about as many as usual."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day, Past

ENOUGH_WEEKDAYS = 3


class Rows(TableCheck):
    """The day has at least this many records, no more than so many, and a number near that of earlier good
    nights.

    Fields:
        within: largest relative distance from the usual number: 0.5 allows half as many to one and a half
            times as many.
        of: the usual number is the median of the last `window` good nights, or that of the last one.
        same_weekday: look at nights of the same weekday alone, once there are three of them.
    """

    at_least: int = 1  # records
    no_more_than: int | None = None  # records
    within: float | None = Field(None, gt=0)
    of: Literal["trailing_median", "last"] = "trailing_median"
    window: int = Field(28, ge=1)  # good nights of the median
    same_weekday: bool = False

    shorthand: ClassVar[str] = "at_least"

    def describe(self) -> str:
        problems = [f"fewer than {self.at_least} rows"] if self.within is None or self.at_least > 1 else []
        problems += [f"more than {self.no_more_than} rows"] if self.no_more_than is not None else []
        problems += (
            [f"rows not within {self.within:.0%} of {self._usual_is()}"] if self.within is not None else []
        )
        return " or ".join(problems)

    def judge(self, day: Day) -> Judged:
        if day.rows < self.at_least:
            return Judged(f"{day.rows} rows, at least {self.at_least} wanted", value=day.rows)
        if self.no_more_than is not None and day.rows > self.no_more_than:
            return Judged(f"{day.rows} rows, at most {self.no_more_than} wanted", value=day.rows)
        if self.within is None or not day.history:
            return Judged(value=day.rows)
        pasts = self._alike(day)
        usual = float(np.median([_rows(past) for past in pasts]))
        off = day.rows / usual - 1 if usual else float("inf")
        if abs(off) <= self.within:
            return Judged(value=day.rows)
        change = f"{off:+.0%}" if usual else "more"
        return Judged(
            f"{day.rows} rows, {change} against {usual:g}, {self._usual_is(pasts)}; "
            f"±{self.within:.0%} allowed",
            value=day.rows,
        )

    def _alike(self, day: Day) -> Sequence[Past]:
        """The nights to compare with, the oldest first."""
        alike = [past for past in day.history if past.date.weekday() == day.date.weekday()]
        pasts = alike if self.same_weekday and len(alike) >= ENOUGH_WEEKDAYS else day.history
        return pasts[-1:] if self.of == "last" else pasts[-self.window :]

    def _usual_is(self, pasts: Sequence[Past] = ()) -> str:
        if self.of == "last":
            return f"that of {pasts[-1].date}" if pasts else "that of the last good night"
        alike = (
            " of the same weekday"
            if self.same_weekday and len({past.date.weekday() for past in pasts}) <= 1
            else ""
        )
        return f"the median of the last {len(pasts) or self.window} good nights{alike}"


def _rows(past: Past) -> float:
    return float(past.metrics.get(("", "rows"), past.profile.get("rows", 0)))
