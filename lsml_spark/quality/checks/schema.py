"""The columns that the files bring: as promised, and as last time."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day, Past
from lsml_spark.quality.lacking import lacking
from lsml_spark.quality.raw.types import type_changes

Kind = Literal["added", "dropped", "retyped", "reordered"]
KINDS: tuple[Kind, ...] = ("added", "dropped", "retyped", "reordered")


class Schema(TableCheck):
    """No column is added, dropped, retyped or reordered: files against the contract, types against the last
    good night.

    Nested types are compared field by field. `allow` names the changes that are welcome; `columns` those
    columns alone that matter (default: all). `value` is the number of changes. A column that is there but
    empty is found by `filled`.
    """

    allow: list[Kind] = []  # changes that are welcome
    columns: list[str] = []  # these alone

    def describe(self) -> str:
        return f"columns {', '.join(kind for kind in KINDS if kind not in self.allow)}"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, *self.columns):
            return lack
        contract = list(day.profile.get("columns", {}))
        changes = [
            change
            for file, columns in day.headers.items()
            for change in self._in_file(file, list(columns), contract)
        ]
        if day.last is not None:
            changes += self._since(day, day.last)
        return Judged("; ".join(changes) or None, value=float(len(changes)))

    def _wanted(self, kind: Kind, column: str) -> bool:
        return kind not in self.allow and (not self.columns or column in self.columns)

    def _only_in(self, these: Iterable[str], others: Collection[str], kind: Kind, what: str) -> list[str]:
        """A sentence for each column that only `these` have."""
        return [
            f"column '{name}' {what}" for name in these if name not in others and self._wanted(kind, name)
        ]

    def _in_file(self, file: str, columns: list[str], contract: Sequence[str]) -> list[str]:
        sentences = self._only_in(columns, contract, "added", f"of {file} is not in the contract")
        sentences += self._only_in(contract, columns, "dropped", f"of the contract is not in {file}")
        common, order = (
            [name for name in columns if name in contract],
            [name for name in contract if name in columns],
        )
        moved = [name for name in _moved(order, common) if self._wanted("reordered", name)]
        return sentences + ([f"columns of {file} are reordered: {', '.join(moved)} moved"] if moved else [])

    def _since(self, day: Day, last: Past) -> list[str]:
        was = last.profile.get("columns", {})
        is_ = day.profile["columns"]
        sentences = self._only_in(is_, was, "added", f"is new since {last.date}")
        sentences += self._only_in(was, is_, "dropped", f"is gone since {last.date}")
        for name in is_:
            if name in was and self._wanted("retyped", name):
                changes = type_changes(was[name].get("type", ""), is_[name].get("type", ""))
                sentences += (
                    [f"column '{name}' changed its type since {last.date}: {', '.join(changes)}"]
                    if changes
                    else []
                )
        return sentences


def _moved(was: Sequence[str], is_: Sequence[str]) -> list[str]:
    """The fewest names that must move to turn one order into the other: those not on a longest increasing
    subsequence.
    """
    place = {name: i for i, name in enumerate(was)}
    best: list[tuple[int, int]] = []  # (length, index of the name before), by index
    order = [place[name] for name in is_]
    for i, p in enumerate(order):
        length, before = max(((best[j][0], j) for j in range(i) if order[j] < p), default=(0, -1))
        best.append((length + 1, before))
    at = max(range(len(best)), key=lambda i: best[i][0], default=-1)
    kept = set()
    while at >= 0:
        kept.add(is_[at])
        at = best[at][1]
    return [name for name in is_ if name not in kept]
