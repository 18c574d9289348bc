"""New enough."""

import datetime
import re
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.lacking import lacking

HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}


class Fresh(TableCheck):
    """The newest value of a time column lies within so long of the end of the logical date, before it or
    after it.

    The end of the logical date (midnight UTC) and not the clock, so that a day judged again next year is
    judged alike. `column` may be left out where the day has one time column.
    """

    within: str = Field("36h", description="minutes, hours or days: 90m, 36h, 2d")

    shorthand: ClassVar[str] = "within"

    @field_validator("within", mode="before")
    @classmethod
    def _a_duration(cls, value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(r"\d+(\.\d+)?[mhd]", value):
            raise ValueError(f"expected minutes, hours or days such as 90m, 36h or 2d, found {value!r}")
        return value

    @property
    def hours(self) -> float:
        return float(self.within[:-1]) * HOURS[self.within[-1]]

    def describe(self) -> str:
        return f"newest value not within {self.within} of the end of the day"

    def judge(self, day: Day) -> Judged:
        column = self.column
        if not column and day.rows:
            times = [
                name
                for name, profile in day.profile.get("columns", {}).items()
                if profile.get("kind") == "time"
            ]
            if len(times) != 1:
                return Judged(
                    f"say which time column: `fresh: {{within: {self.within}, column: …}}`; found "
                    f"{', '.join(times) or 'none'}"
                )
            (column,) = times
        if lack := lacking(day, column, kinds=("time",)):
            return lack
        newest = day.metric(column, "max")
        if newest is None:
            return Judged(f"column '{column}' has no value, so nothing says how fresh the day is")
        end = datetime.datetime.combine(day.date + datetime.timedelta(days=1), datetime.time(), datetime.UTC)
        age = (end.timestamp() - newest) / 3600
        if abs(age) <= self.hours:
            return Judged(value=age)
        side = "older than" if age > 0 else "later than"
        shown = str(np.datetime64(int(newest), "s")).replace("T", " ")  # a year may have five digits
        problem = (
            f"newest {column} is {shown}, {abs(age):.1f} hours {side} the end of {day.date}; "
            f"{self.within} allowed"
        )
        return Judged(problem, value=age)
