"""The row ledger as a picture: a trunk that flows downwards, branches that leave to or join from the right.

Three trunks, each to its own scale: the new day through quality, the training window from prepare to train,
the held-out day to evaluate. Between two stages whatever does not continue is drawn too (test rows leave for
evaluation, other days join), so the picture accounts for every row. Each step is an `<li>` with its own
stretched SVG: labels are real text at any width.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lsml_spark.core.stages import BY_NAME, between
from lsml_spark.core.work import Source
from lsml_spark.report.facts import Night

# x of the trunk's right edge at full scale, of 100: the rest is room for branches to bend.
TRUNK = 62.0


@dataclass(frozen=True)
class Step:
    """One step of a trunk: `kind` is stage, quarantined, dropped, left or joined; SVG paths are in a 100 ×
    100 box.
    """

    kind: str
    label: str
    rows: int
    trunk: str
    branch: str = ""
    note: str = ""


@dataclass
class Trunk:
    """A trunk being drawn: `rows` still flow, `scale` rows are as wide as the trunk gets."""

    name: str
    title: str
    scale: int
    rows: int = 0
    steps: list[Step] = field(default_factory=list)

    def stage(self, name: str) -> None:
        self.steps.append(
            Step("stage", name, self.rows, _column(self._x(self.rows)), note=BY_NAME[name].does)
        )

    def leave(self, kind: str, label: str, rows: int) -> None:
        before, after = self._x(self.rows), self._x(self.rows - rows)
        self.steps.append(Step(kind, label, rows, _column(after), _bend(after, before, self._thick(rows), 0)))
        self.rows -= rows

    def join(self, label: str, rows: int) -> None:
        before, after = self._x(self.rows), self._x(self.rows + rows)
        self.steps.append(
            Step("joined", label, rows, _column(before), _bend(before, after, self._thick(rows), 100))
        )
        self.rows += rows

    @property
    def tail(self) -> str:
        """The short piece of trunk below the last step; empty where nothing is left."""
        return _column(self._x(self.rows), 60)

    def _x(self, rows: int) -> float:
        return max(0.6, TRUNK * rows / max(1, self.scale)) if rows > 0 else 0.0

    def _thick(self, rows: int) -> float:
        return min(70.0, max(3.0, 130.0 * rows / max(1, self.scale)))


def _column(x: float, height: int = 100) -> str:
    """The trunk from its left edge to x; empty where no rows flow."""
    return f"M0,0H{_n(x)}V{height}H0Z" if x else ""


def _bend(inner: float, outer: float, thick: float, end: int) -> str:
    """A branch between the trunk's edge [inner, outer] at y = `end` (0 or 100) and the right side at half
    height.
    """
    high, low = (50 - thick / 2, 50 + thick / 2) if end == 0 else (50 + thick / 2, 50 - thick / 2)
    first, second = end + (high - end) * 0.7, end + (low - end) * 0.7
    return (
        f"M{_n(inner)},{end}H{_n(outer)}C{_n(outer)},{_n(first)} {_n(outer + 8)},{_n(high)} 100,{_n(high)}"
        f"V{_n(low)}C{_n(inner + 8)},{_n(low)} {_n(inner)},{_n(second)} {_n(inner)},{end}Z"
    )


def trunks(night: Night) -> list[Trunk]:
    """The trunks of the day, the window and the held-out day; what exists of them."""
    existing = []
    if "quality" in night.sources:
        existing.append(
            _day(
                {
                    stage: night.sources[stage]
                    for stage in between("quality", "prepare")[:-1]
                    if stage in night.sources
                }
            )
        )
    window = {
        stage: source for stage, source in night.sources.items() if stage in between("prepare", "train")
    }
    if window:
        existing.append(_window(window, night.sources.get("quality")))
    if "evaluate" in night.sources:
        existing.append(_held_out(night.sources))
    return existing


def table(night: Night) -> list[dict[str, Any]]:
    """The ledger of every stage, as plain rows; promote moves no rows and is left out."""
    return [
        {
            "stage": stage,
            "rows_in": source.manifest.ledger.rows_in,
            "added": sorted(source.manifest.ledger.added.items()),
            "rows_out": source.manifest.ledger.rows_out,
            "quarantined": by_size(source.manifest.ledger.quarantined),
            "dropped": by_size(source.manifest.ledger.dropped),
            "missing": source.manifest.ledger.missing,
        }
        for stage, source in night.sources.items()
        if stage != "promote"
    ]


def strip(night: Night, most: int = 4) -> dict[str, Any] | None:
    """The day in one line: raw rows, those kept, and the rules that took the most; None before quality has
    run.
    """
    if "quality" not in night.sources:
        return None
    ledger = night.sources["quality"].manifest.ledger
    reasons = by_size(ledger.quarantined)
    of = max(1, ledger.rows_in)
    parts = [(rows, reason) for reason, rows in (reasons if len(reasons) == most + 1 else reasons[:most])]
    if rest := reasons[len(parts) :]:
        parts.append((sum(rows for _, rows in rest), f"{len(rest)} other rules"))
    bars = [(ledger.rows_out, "clean"), *((rows, "quarantined") for rows, _ in parts)]
    drawn, x = [], 0.0
    for rows, kind in bars:
        drawn.append((kind, _n(x), _n(100 * rows / of)))
        x += 100 * rows / of
    return {
        "raw": ledger.rows_in,
        "clean": ledger.rows_out,
        "clean_share": ledger.rows_out / of if ledger.rows_in else None,
        "parts": [(rows, reason, rows / of) for rows, reason in parts],
        "bars": drawn,
    }


def by_size(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reasons with their rows, most rows first; reasons without rows are left out."""
    return sorted(
        ((reason, rows) for reason, rows in reasons.items() if rows), key=lambda item: (-item[1], item[0])
    )


def _day(sources: Mapping[str, Source]) -> Trunk:
    """Through quality, and what follows it before days are joined to a window."""
    ledger = sources["quality"].manifest.ledger
    trunk = Trunk("day", "The new day", ledger.rows_in)
    trunk.join("raw records of the day", ledger.rows_in)
    for stage, source in sources.items():
        _through(trunk, stage, source)
    return trunk


def _window(sources: Mapping[str, Source], quality: Source | None) -> Trunk:
    ledgers = [source.manifest.ledger for source in sources.values()]
    first = next(iter(sources.values())).manifest
    trunk = Trunk(
        "window", "The training window", max(max(ledger.rows_in, ledger.rows_out) for ledger in ledgers)
    )
    today = quality.manifest.ledger.rows_out if quality else 0
    if first.stage == "prepare" and 0 < today <= first.ledger.rows_in:
        trunk.join("clean rows of the new day", today)
        if first.ledger.rows_in > today:
            trunk.join("clean rows of earlier days", first.ledger.rows_in - today)
    else:
        trunk.join("rows of the window", first.ledger.rows_in)
    behind: Source | None = None
    for stage, source in sources.items():
        if behind is not None:
            _between(trunk, behind, source)
        _through(trunk, stage, source)
        if stage == "shard":
            _splits(trunk, source)
        behind = source
    return trunk


def _held_out(sources: Mapping[str, Source]) -> Trunk:
    evaluate = sources["evaluate"]
    trunk = Trunk("test", "The held-out day", evaluate.manifest.ledger.rows_in)
    trunk.join("samples of the new day, never trained on", evaluate.manifest.ledger.rows_in)
    for stage in ("features", "shard"):
        if stage in sources and "test" in sources[stage].manifest.tables:
            trunk.stage(stage)
    _through(trunk, "evaluate", evaluate)
    return trunk


def _through(trunk: Trunk, stage: str, source: Source) -> None:
    """A stage's own ledger: what it added, quarantined and dropped."""
    ledger = source.manifest.ledger
    for reason, rows in by_size(ledger.added):
        trunk.join(reason, rows)
    trunk.stage(stage)
    for reason, rows in by_size(ledger.quarantined):
        trunk.leave("quarantined", reason, rows)
    for reason, rows in by_size(ledger.dropped):
        trunk.leave("dropped", reason, rows)


def _splits(trunk: Trunk, shard: Source) -> None:
    """The rows that `shard.split` keeps from training; those of the day itself leave for evaluation."""
    splits = {
        name: table.rows for name, table in shard.manifest.tables.items() if name not in ("train", "test")
    }
    for name, rows in by_size(splits):
        trunk.leave("left", f"split ‘{name}’, kept from training", rows)


def _between(trunk: Trunk, behind: Source, ahead: Source) -> None:
    """Rows that do not go straight from one stage to the next: usually those of the test day."""
    difference = ahead.manifest.ledger.rows_in - trunk.rows
    named = dict(_test_rows(behind, ahead))
    if difference < 0:
        trunk.leave(
            "left", named.get(-difference, f"rows that {ahead.manifest.stage} does not read"), -difference
        )
    elif difference > 0:
        trunk.join(named.get(difference, f"other rows that {ahead.manifest.stage} reads"), difference)


def _test_rows(behind: Source, ahead: Source) -> Iterator[tuple[int, str]]:
    for source, label in ((behind, "test day, kept for evaluation"), (ahead, "test day, encoded alike")):
        if "test" in source.manifest.tables:
            yield source.manifest.tables["test"].rows, label


def _n(value: float) -> str:
    """A coordinate with two digits and no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
