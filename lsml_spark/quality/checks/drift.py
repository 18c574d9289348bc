"""The distribution of a column, against last night's or that of a trailing window."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.comparison import NAMES, Compared, Distance, compare
from lsml_spark.quality.day import Day, Past, Profile
from lsml_spark.quality.key_shift import key_shift
from lsml_spark.quality.lacking import lacking, listed


class Drift(TableCheck):
    """A column's distribution lies within `below` of that of earlier good nights, beyond what chance
    explains.

    `distance`: for categories linf, js (divergence in bits, 0 to 1), psi or zipf (total variation of key
    shares); for numbers and times psi (deciles of the reference; js and linf likewise), ks or wasserstein (in
    interquartile ranges of the reference). Of more than 100 categories js and linf see the head; zipf then
    counts the clean rows of both sides. Missing values are the business of `complete` and `anomaly`, not of
    this check.

    Fields:
        below: the largest distance allowed. What two samples of these sizes from one law exceed once in a
            thousand times (quality/figures/noise.py) is added to it.
        against: the last good night, or the mixture of the last `window` good nights.
        unit: a column whose distinct values are what is independent of each other, e.g. the invoice: the
            noise then counts those instead of rows.
    """

    distance: Distance = "js"
    below: float = Field(0.1, ge=0)
    against: Literal["last", "window"] = "last"
    window: int = Field(7, ge=1)  # good nights of `against: window`
    unit: str = ""

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        than = "the last good night" if self.against == "last" else f"the last {self.window} good nights"
        return f"{self.distance} drift above {self.below:g} from {than}"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, self.column):
            return lack
        pasts = day.history[-(1 if self.against == "last" else self.window) :]
        if not pasts:
            return Judged()
        known = [past for past in pasts if self.column in past.profile.get("columns", {})]
        if not known:
            return Judged(f"column '{self.column}' was not there on {nights(pasts)}")
        n_today, n_known = (
            _observed(day.profile, self.column, self.unit),
            [_observed(p.profile, self.column, self.unit) for p in known],
        )
        if not n_today or not sum(n_known):
            if n_today == sum(n_known):
                return Judged(value=0.0)  # empty then and now
            return Judged(
                f"column '{self.column}' has {'no' if not n_today else 'its first'} values, other than on "
                f"{nights(known)}"
            )
        seen = [
            (past.profile["columns"][self.column], n) for past, n in zip(known, n_known, strict=True) if n
        ]
        long_tailed = any(
            "top" not in column or column.get("others")
            for column in [day.column(self.column), *[column for column, _ in seen]]
        )
        comparison = (
            key_shift(day, self.column, known)
            if self.distance == "zipf" and long_tailed and day.clean_rows
            else None
        )
        try:
            comparison = comparison or compare(
                self.distance,
                day.column(self.column),
                [column for column, _ in seen],
                n_today,
                [n for _, n in seen],
            )
        except ValueError as error:
            return Judged(f"column '{self.column}': {error}")
        wrong = comparison.distance > self.below + comparison.noise
        return Judged(self._sentence(comparison, known) if wrong else None, value=comparison.distance)

    def _sentence(self, comparison: Compared, pasts: Sequence[Past]) -> str:
        sentence = (
            f"{self.column}: {NAMES[self.distance]} {comparison.distance:.3g} from {nights(pasts)}, "
            f"at most {self.below:g} allowed and {comparison.noise:.2g} for chance"
        )
        sentence += f"; moved most: {', '.join(comparison.moved)}" if comparison.moved else ""
        return sentence + (f"; new: {listed(comparison.new)}" if comparison.new else "")


def nights(pasts: Sequence[Past]) -> str:
    """`2011-01-31` or `2011-01-25 to 2011-01-31`."""
    return f"{pasts[0].date}" if len(pasts) == 1 else f"{pasts[0].date} to {pasts[-1].date}"


def _observed(profile: Profile, column: str, unit: str) -> float:
    """Independent observations behind a column's points and top list: sampled rows with a value, or its units
    if fewer.
    """
    figures: Mapping[str, Any] = profile["columns"][column].get("metrics", {})
    rows = profile.get("rows", 0)
    if not rows:
        return 0.0
    with_value = rows - sum(figures.get(metric, 0) for metric in ("missing", "nan", "infinite"))
    sampled = profile.get("sampled", rows) / rows
    units = profile["columns"].get(unit, {}).get("metrics", {}).get("distinct") if unit else None
    return max(0.0, min(with_value, with_value if units is None else units) * sampled)
