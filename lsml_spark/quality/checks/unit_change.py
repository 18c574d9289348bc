"""Cents for euros, grams for kilos: values that are off by a factor."""

import math
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.figures import noise
from lsml_spark.quality.figures.distances import Points, kolmogorov_smirnov
from lsml_spark.quality.lacking import lacking, percent

QUARTILES = np.array([0.25, 0.5, 0.75])


class UnitChange(TableCheck):
    """No power of ten (or other factor, or its inverse) lies between the day's values and those of the last
    good night.

    The whole column: the ratios of the quartiles to last night's all lie near one factor (within `near` in
    logarithm) and nearer to it than to 1; quartiles that are 0 or change their sign are not looked at. A part
    of it: the day's distribution is the mixture (1 − s) F(x) + s F(x / factor) of last night's F, with s of
    at least `share`; what the mixture leaves must be under a quarter of the Kolmogorov–Smirnov distance to F,
    and that distance above twice what chance gives. `value` is the share of rows that seems to have changed
    its unit.
    """

    factors: list[float] = [10, 100, 1000]  # each, and its inverse
    near: float = Field(0.3, gt=0)  # in logarithm
    share: float = Field(0.2, gt=0, le=1)  # of the rows

    shorthand: ClassVar[str] = "column"
    of_a_column: ClassVar[bool] = True

    @field_validator("factors")
    @classmethod
    def _above_one(cls, factors: list[float]) -> list[float]:
        if not factors or min(factors) <= 1:
            raise ValueError(f"factors are above 1 (their inverses are looked for too), found {factors}")
        return factors

    def describe(self) -> str:
        return (
            f"off by a factor of {', '.join(f'{factor:g}' for factor in self.factors)} from the last "
            "good night"
        )

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, self.column, kinds=("number",)):
            return lack
        if day.last is None:
            return Judged()
        was, is_ = day.last.profile.get("columns", {}).get(self.column, {}), day.column(self.column)
        if not was.get("points", {}).get("values") or not is_.get("points", {}).get("values"):
            missing = str(day.date) if was.get("points", {}).get("values") else str(day.last.date)
            return Judged(f"column '{self.column}' has no numbers on {missing} to compare")
        before, after = Points.mixture([was["points"]], [1.0]), Points.mixture([is_["points"]], [1.0])
        factors = [f for factor in sorted(self.factors) for f in (float(factor), 1 / factor)]
        factor = whole(before, after, factors, self.near)
        if factor is not None:
            medians = (
                f"median {after.quantiles(QUARTILES)[1]:.6g}, {before.quantiles(QUARTILES)[1]:.6g} on "
                f"{day.last.date}"
            )
            return Judged(
                f"{self.column}: values are {_times(factor)} those of the last good night ({medians})",
                value=1.0,
            )
        sampled = [min(p.get("sampled", p["rows"]), p["rows"]) for p in (day.last.profile, day.profile)]
        factor, share = partly(
            before, after, factors, noise.kolmogorov_smirnov(before, *(max(n, 1) for n in sampled))
        )
        if factor is None or share < self.share:
            return Judged(value=share)
        problem = (
            f"{self.column}: about {percent(share)} of the values are {_times(factor)} what they were on "
            f"{day.last.date}"
        )
        return Judged(problem, value=share, rows=round(share * day.rows))


def whole(before: Points, after: Points, factors: list[float], near: float) -> float | None:
    """The factor near which all quartile ratios lie, if there are at least two with one sign and none is
    0.
    """
    was, is_ = before.quantiles(QUARTILES), after.quantiles(QUARTILES)
    usable = (was != 0) & (is_ != 0) & (np.sign(was) == np.sign(is_))
    if usable.sum() < 2:
        return None
    log_ratio = np.log(is_[usable] / was[usable])
    best = min(factors, key=lambda factor: float(np.abs(log_ratio - math.log(factor)).max()))
    off = float(np.abs(log_ratio - math.log(best)).max())
    return best if off <= near and off < float(np.abs(log_ratio).min()) else None


def partly(before: Points, after: Points, factors: list[float], chance: float) -> tuple[float | None, float]:
    """(factor, share): the mixture of F and F(x / factor) nearest to the day's distribution, by least squares
    over all values.
    """
    far = kolmogorov_smirnov(before, after)
    best: tuple[float | None, float] = (None, 0.0)
    least = far / 4
    if far <= 2 * chance:
        return best
    for factor in factors:
        moved = before.scaled(factor)
        at = np.union1d(np.union1d(before.value_P, after.value_P), moved.value_P)
        gap, shift = after.cdf(at) - before.cdf(at), moved.cdf(at) - before.cdf(at)
        power = float((shift**2).sum())
        share = min(1.0, max(0.0, float((gap * shift).sum()) / power)) if power else 0.0
        left = float(np.abs(gap - share * shift).max())
        if share and left < least:
            best, least = (factor, share), left
    return best


def _times(factor: float) -> str:
    return f"{factor:g} times" if factor > 1 else f"1/{1 / factor:g} of"
