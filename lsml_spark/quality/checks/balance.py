"""How unequal the classes are."""

from typing import ClassVar

from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.figures.categories import Categories
from lsml_spark.quality.lacking import lacking, percent


class Balance(TableCheck):
    """Every class of a label column has at least `smallest` and at most `largest` of the rows with a label.

    Where there are more classes than the profile lists, those not listed are judged by their mean share: one
    of them is at most that frequent. Classes that are not there at all are found with `classes`, the number
    expected. `value` is the largest class's share.
    """

    smallest: float | None = Field(None, ge=0, le=1)  # share of a class
    largest: float | None = Field(0.9, gt=0, le=1)  # share of a class
    classes: int | None = Field(None, ge=1)  # number expected

    shorthand: ClassVar[str] = "column"
    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        problems = [f"a class below {percent(self.smallest)}"] if self.smallest is not None else []
        problems += [f"a class above {percent(self.largest)}"] if self.largest is not None else []
        problems += [f"fewer than {self.classes} classes"] if self.classes is not None else []
        return " or ".join(problems) or "no bound on the classes"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, self.column):
            return lack
        column = day.column(self.column)
        if "top" not in column:
            return Judged(
                f"column '{self.column}' has no list of values ({column.get('kind', 'unknown')}): labels are "
                "text, boolean or few numbers"
            )
        categories = Categories.of([column])
        if not categories.rows:
            return Judged(f"column '{self.column}' has no labels")
        shares = [(name, rows / categories.rows) for name, rows in column["top"]]
        unlisted = (
            max(0, round(column["metrics"].get("distinct", 0)) - len(shares)) if categories.others else 0
        )
        problems = self._too_large(*shares[0]) + self._too_small(
            shares, unlisted, categories.others / categories.rows
        )
        if self.classes is not None and len(shares) + unlisted < self.classes:
            problems.append(f"{len(shares) + unlisted} classes, {self.classes} expected")
        return Judged(f"{self.column}: {'; '.join(problems)}" if problems else None, value=shares[0][1])

    def _too_large(self, name: str, share: float) -> list[str]:
        if self.largest is None or share <= self.largest:
            return []
        return [f"class '{name}' has {percent(share)} of the rows, at most {percent(self.largest)} wanted"]

    def _too_small(self, shares: list[tuple[str, float]], unlisted: int, rest: float) -> list[str]:
        if self.smallest is None:
            return []
        small = [f"'{name}' {percent(share)}" for name, share in reversed(shares) if share < self.smallest]
        problems = (
            [
                f"classes below {percent(self.smallest)}: "
                f"{', '.join(small[:3])}{f' and {len(small) - 3} more' if len(small) > 3 else ''}"
            ]
            if small
            else []
        )
        if unlisted and rest / unlisted < self.smallest:
            problems.append(f"{unlisted} rarer classes share {percent(rest)} of the rows")
        return problems
