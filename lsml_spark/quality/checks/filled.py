"""A column that begins or ceases to be filled."""

from collections.abc import Sequence
from itertools import groupby

from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.lacking import lacking, listed, percent

Night = tuple[str, float]  # date, share of rows with a value
MOST_RUNS = 4


class Filled(TableCheck):
    """No column goes from empty to filled, or back, between two good nights: all missing, partly filled,
    always filled.

    A column is empty or always filled up to `tolerance` of its rows; a change is told only where the filled
    share moves by more than `moved`, and out of what the last `window` good nights spanned, extended by as
    much: a column with three missing values now and then is none, nor is one that is between half and fully
    filled; one without any value always is, unless it had none lately. The sentence dates the changes in all
    of the history at hand. All columns of the profile, or `column` alone. `value` is the largest move.
    """

    tolerance: float = Field(0.005, ge=0, lt=0.5)  # share of the rows
    moved: float = Field(0.02, ge=0, le=1)  # share of the rows that is a change
    window: int = Field(7, ge=1)  # good nights

    def describe(self) -> str:
        return "begins or ceases to be filled"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, *([self.column] if self.column else [])):
            return lack
        names = [self.column] if self.column else list(day.profile.get("columns", {}))
        changes = []
        for name in names:
            nights = self._nights(day, name)
            if len(nights) > 1:
                changes.append((abs(nights[-1][1] - nights[-2][1]), name, nights))
        changes.sort(key=lambda item: -item[0])
        wrong = [
            item
            for item in changes
            if item[0] > self.moved and self._unusual([share for _, share in item[2]])
        ]
        value = changes[0][0] if changes else None
        if not wrong:
            return Judged(value=value)
        problems = [f"column '{name}' was {self.told(nights)}" for _, name, nights in wrong[:3]]
        more = f"; also {listed([name for _, name, _ in wrong[3:]])}" if len(wrong) > 3 else ""
        return Judged("; ".join(problems) + more, value=value)

    def state(self, share: float) -> str:
        return (
            "all missing"
            if share <= self.tolerance
            else "always filled"
            if share >= 1 - self.tolerance
            else "partly filled"
        )

    def _unusual(self, shares: Sequence[float]) -> bool:
        *before, now = shares[-self.window - 1 :]
        low, high = min(before), max(before)
        outside = now < low - (high - low) or now > high + (high - low) or self.state(now) == "all missing"
        return outside and self.state(now) not in {self.state(share) for share in before}

    def told(self, nights: Sequence[Night]) -> str:
        """`all missing until 2018-12-01, 35.0% filled on 2019-01-01, always filled since 2019-02-01`."""
        runs = [(state, list(run)) for state, run in groupby(nights, key=lambda night: self.state(night[1]))]
        shown = runs[-MOST_RUNS:]
        phrases = []
        for i, (state, run) in enumerate(shown):
            shares = [share for _, share in run]
            word = state if state != "partly filled" else f"{_span(shares)} filled"
            first, last = run[0][0], run[-1][0]
            if i == len(shown) - 1:
                phrases.append(f"{word} {'since' if len(runs) > 1 else 'from'} {first}")
            elif i == 0:
                phrases.append(f"{word} until {last}")
            else:
                phrases.append(f"{word} on {first}" if first == last else f"{word} from {first} to {last}")
        return ", ".join(phrases)

    def _nights(self, day: Day, name: str) -> list[Night]:
        """The column's filled share on every night that knows it, this one last."""
        seen = [(str(past.date), past.metrics.get((name, "missing_share"))) for past in day.history]
        seen.append((str(day.date), day.metric(name, "missing_share")))
        return [(date, 1 - missing) for date, missing in seen if missing is not None]


def _span(shares: Sequence[float]) -> str:
    low, high = percent(min(shares)), percent(max(shares))
    return low if low == high else f"{low} to {high}"
