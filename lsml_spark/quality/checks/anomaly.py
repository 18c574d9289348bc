"""Any figure of the day, against its own history."""

import math
from collections.abc import Iterator

import numpy as np
from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.figures.distances import robust_z
from lsml_spark.quality.lacking import lacking

# Figures that grow with the rows are judged as shares of them. Extremes (min, max, length_max, …) have no
# scale of their own and are the business of `in_range`; `every` leaves them out, `metric: max` still asks for
# one.
COUNTS = frozenset(
    {"missing", "nan", "infinite", "zeros", "negative", "empty", "true", "clean", "quarantined"}
)
SHARES = frozenset({"missing_share", "kept_share"})
SIZES = frozenset({"rows", "distinct"})
SPREADS = frozenset({"stddev", "mad"})
EVERY = frozenset(
    {"missing", "nan", "infinite", "zeros", "negative", "empty", "true", "quarantined", "rows", "distinct"}
) | frozenset({"q25", "median", "q75", "length_mean", "size_mean"})


class Anomaly(TableCheck):
    """A figure lies within `above` robust standard deviations of its own last nights.

    The score is `distances.robust_z`: median and MAD of the last `window` good nights, read as Student's t.
    The scale has a floor, since a figure that never moved has none: one percentage point for shares (and what
    chance gives a share of so many rows), 5 % for numbers of rows and of distinct values and for spreads (on
    a log scale), 10 % of the median's size or of the usual interquartile range for the rest. Fewer than
    `nights` nights with the figure: not judged.

    Fields:
        metric, column: one figure of docs/reference.md, "profile.json"; no column means the table's own
            figures.
        every: all figures of all columns (or of `column`), without extremes and tail quantiles.
        same_weekday: against nights of the same weekday alone.
    """

    metric: str = ""
    every: bool = False
    above: float = Field(5.0, gt=0)  # robust standard deviations
    nights: int = Field(7, ge=3)  # good nights that it needs
    window: int = Field(60, ge=3)  # good nights that it looks at
    same_weekday: bool = False
    skip: list[str] = Field([], description="columns that `every` leaves out")

    def describe(self) -> str:
        return (
            f"{self.metric or 'any figure'} more than {self.above:g} robust standard deviations from its "
            "history"
        )

    def judge(self, day: Day) -> Judged:
        if not self.metric and not self.every:
            return Judged(
                "say which figure: `anomaly: {metric: missing_share, column: …}` or `anomaly: {every: true}`"
            )
        if lack := lacking(day, *([self.column] if self.column else [])):
            return lack
        if self.metric and self._value(day, self.column, self.metric) is None:
            return Judged(f"{_name(self.column, self.metric)} is not among the figures of the day")
        scored = [
            (score, column, metric)
            for column, metric in self._wanted(day)
            if (score := self.score(day, column, metric)) is not None
        ]
        if not scored:
            return Judged()
        scored.sort(key=lambda item: -abs(item[0]))
        wrong = [item for item in scored if abs(item[0]) > self.above]
        worst = abs(scored[0][0])
        if not wrong:
            return Judged(value=worst)
        problems = [self._told(day, *item) for item in wrong[:3]]
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return Judged(f"{'; '.join(problems)}{more} ({len(scored)} figures looked at)", value=worst)

    def score(self, day: Day, column: str, metric: str) -> float | None:
        """The robust z of one figure, None where the history is too short for it."""
        value, history = self._value(day, column, metric), self._history(day, column, metric)
        if value is None or not math.isfinite(value) or len(history) < self.nights:
            return None
        return robust_z(
            float(_scaled(np.array(value), metric)),
            _scaled(history, metric),
            self._floor(day, column, metric, history),
        )

    def _wanted(self, day: Day) -> Iterator[tuple[str, str]]:
        if self.metric:
            yield self.column, self.metric
            return
        names = [self.column] if self.column else ["", *day.profile.get("columns", {})]
        for name in names:
            if name in self.skip:
                continue
            figures = day.column(name).get("metrics", {}) if name else day.profile.get("metrics", {})
            times = name and day.column(name).get("kind") == "time"
            yield from (
                (name, metric)
                for metric in figures
                if metric in EVERY and not (times and metric in ("q25", "median", "q75"))
            )

    def _value(self, day: Day, column: str, metric: str) -> float | None:
        value = day.metric(column, metric)
        return value / day.rows if value is not None and metric in COUNTS and day.rows else value

    def _history(self, day: Day, column: str, metric: str) -> np.ndarray:
        pasts = [
            past for past in day.history if not self.same_weekday or past.date.weekday() == day.date.weekday()
        ]
        values = []
        for past in pasts[-self.window :]:
            value, rows = past.metrics.get((column, metric)), past.metrics.get(("", "rows"))
            if value is not None and math.isfinite(value) and (metric not in COUNTS or rows):
                values.append(value / rows if metric in COUNTS and rows else value)
        return np.array(values, float)

    def _floor(self, day: Day, column: str, metric: str, history: np.ndarray) -> float:
        middle = float(np.median(history))
        if metric in COUNTS | SHARES:
            return max(0.01, math.sqrt(max(middle * (1 - middle), 0.0) / day.rows))
        if metric in SIZES | SPREADS:
            return 0.05
        spreads = day.series(column, "q75") - day.series(column, "q25")
        return 0.1 * max(abs(middle), float(np.median(spreads)) if len(spreads) else 0.0)

    def _told(self, day: Day, score: float, column: str, metric: str) -> str:
        history, value = self._history(day, column, metric), self._value(day, column, metric)
        unit = " of the rows" if metric in COUNTS else ""
        return (
            f"{_name(column, metric)} is {value:.4g}{unit}, {score:+.1f} robust standard deviations from "
            f"its median {np.median(history):.4g} over {len(history)} nights"
        )


def _name(column: str, metric: str) -> str:
    return f"{metric} of {column}" if column else metric


def _scaled(values: np.ndarray, metric: str) -> np.ndarray:
    """Sizes and spreads on a log scale, where half and double lie equally far; of the same shape."""
    return (
        np.log(np.maximum(values, 1e-9))
        if metric in SPREADS
        else np.log1p(values)
        if metric in SIZES
        else values
    )
