"""What the command line shows: the table of results and the table of stages."""

import datetime
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsml_spark.core import scoreboard
from lsml_spark.core.scoreboard import Figure
from lsml_spark.core.stages import STAGES
from lsml_spark.core.work import Source
from lsml_spark.flow.facts import standing
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.terminal import Terminal

CAPTION = "trained on: rows of the window that selection kept.  bold: the best of its row."
BREADTH = "breadth: how many different labels it guessed right at least once.  "
MARKS = {
    "done": ("✓", "green"),
    "stopped": ("✗", "red"),
    "damaged": ("!", "bold red"),
    "not run": ("·", "dim"),
}
FORMS = {"percent": "{:.1%}", "decimal": "{:.3f}", "count": "{:,}"}


def console() -> Console:
    """A terminal at its width; a file or a pipe at a width that breaks no table."""
    return Terminal(width=None if sys.stdout.isatty() else 200, highlight=False)


def results(console: Console, runs: Runs, dates: Sequence[datetime.date]) -> None:
    """Per night: rows, and the first two figures of the model beside those of the baselines; below, the means
    over test rows.
    """
    table = _table(f"{runs.pipeline}: {len(dates)} nights")
    for name in ("rows\nin", "quaran-\ntined", "trained\non"):
        table.add_column(name, justify="right")
    nights = [_Night(runs, date) for date in dates]
    scored = [night.metrics for night in nights if night.metrics]
    every = scoreboard.figures(scored[-1] if scored else {})
    figures, third = every[:2], every[2:3]
    systems = [one for one in scoreboard.competitors(*scored) if one.name != "champion"]
    # The model first, then the plainest baseline, which stands last by name.
    systems = systems[:1] + systems[:0:-1]
    for figure in figures:
        for one in systems:
            table.add_column(f"{_two_lines(figure.title)}\n{one.short}", justify="right")
    for figure in third:
        table.add_column(f"{figure.title}\nmodel", justify="right")
    table.add_column("pro-\nmoted")
    for night in nights:
        table.add_row(*night.cells([one.name for one in systems], figures, third))
    if len(scored) > 1:
        table.add_section()
        means = _means(scored, [one.name for one in systems], figures)
        table.add_row("mean", "", "", "", *_marked(means, figures), *[""] * len(third), "")
    console.print(table)
    if scored:
        console.print(
            (BREADTH if third and third[0].name == "breadth" else "") + CAPTION, style="dim", soft_wrap=True
        )


def _two_lines(title: str) -> str:
    """A title broken where it can be, for a narrow column."""
    head, separator, tail = title.partition("@") if "@" in title else title.partition(" ")
    return f"{head}\n{separator.strip()}{tail}" if tail else f"{title}\n"


def pilot(console: Console, source: Source) -> None:
    """What a pilot found: each arm's rows and log loss by band, what selection recovered, and the fitted
    β.
    """
    facts = source.json("pilot.json")
    arms, names = (
        facts["arms"],
        {"quarter": "random", "random": "random", "selected": "selected", "full": "all"},
    )
    table = plain_table(f"pilot of {facts['date']}: log loss")
    table.add_column("trained on")
    bands = sorted(arms["full"]["bands"], key=lambda band: int(re.split(r"\D", band)[0]))
    for title in ("rows", "all keys", *[f"seen {band}" for band in bands]):
        table.add_column(title, justify="right")
    for arm, name in names.items():
        losses = [arms[arm]["log_loss"], *[arms[arm]["bands"][band] for band in bands]]
        table.add_row(
            name, f"{arms[arm]['rows']:,}", *["–" if loss is None else f"{loss:.3f}" for loss in losses]
        )
    console.print(table)
    console.print(_worth(facts["against_random"], *facts["against_random_interval"]))
    if not facts["converged"]:
        console.print(
            "More random rows made a worse model: training does not converge at these settings, so this says "
            "little."
        )
        console.print("Try more epochs or another rate: --set train.epochs=10 --set train.optimizer.lr=…")
    elif facts["gain_recovered"] is None:
        console.print("All rows are no better than random ones tonight, so there is no gain to recover.")
    else:
        console.print(f"gain recovered: {facts['gain_recovered']:.2f} of what all rows would bring")
    low, high = (f"{end:.2f}" for end in facts["beta_interval"])
    between = (
        f"95 %: {low} to {high}" if low != high else "how sure that is, three sizes of training do not tell"
    )
    console.print(f"β = {facts['beta']:.2f} ({between}); `beta: fitted` takes it from the next run on")


def _worth(gain: float, low: float, high: float) -> str:
    """One sentence on selection against as many random rows; `gain`: how much lower its log loss is, `low` to
    `high` with 95 %.
    """
    between = f" (95 %: {low:+.4f} to {high:+.4f})" if f"{low:.4f}" != f"{high:.4f}" else ""
    if gain > 0 and low > 0:
        return f"Selection helped: against as many random rows it lowers the log loss by {gain:.4f}{between}."
    if gain > 0:
        return (
            f"Selection did not help here, as far as can be told: the log loss is lower by {gain:.4f}, "
            f"which may be chance{between}."
        )
    if gain < 0:
        chance = ", which may be chance" if high >= 0 else ""
        return (
            "Selection did not help here: against as many random rows the log loss is higher by "
            f"{-gain:.4f}{chance}{between}."
        )
    return f"Selection did not help here: the log loss is that of as many random rows{between}."


def plain_table(title: str) -> Table:
    """A table without columns yet, in the style of all screens."""
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )


def _table(title: str) -> Table:
    table = plain_table(title)
    table.add_column("night", min_width=10)
    return table


class _Night:
    """What the table shows of one night; what is not there yet is a dash."""

    def __init__(self, runs: Runs, date: datetime.date):
        self.runs, self.date = runs, date
        self.quality, self.select = runs.source(date, "quality"), runs.source(date, "select")
        self.promote, evaluate = runs.source(date, "promote"), runs.source(date, "evaluate")
        self.metrics: dict[str, Any] = _json(evaluate, "metrics.json") if evaluate else {}

    def cells(
        self, systems: Sequence[str], figures: Sequence[Figure], third: Sequence[Figure]
    ) -> list[str | Text]:
        systems_of = self.metrics.get("systems", {})
        rows = self.quality.manifest.ledger if self.quality else None
        return [
            self.date.isoformat(),
            _count(rows.rows_in if rows else None),
            _count(sum(rows.quarantined.values()) if rows else None),
            _count(self.select.manifest.ledger.rows_out if self.select else None),
            *_marked(
                [(systems_of.get(name) or {}).get(figure.name) for figure in figures for name in systems],
                figures,
            ),
            *[
                _figure(FORMS[figure.write], (systems_of.get("model") or {}).get(figure.name))
                for figure in third
            ],
            self._outcome(),
        ]

    def _outcome(self) -> str | Text:
        """Whether the model was promoted; "stopped" where a stage found its data not fit to go on."""
        if self.promote is not None:
            return "yes" if _json(self.promote, "decision.json")["promoted"] else "no"
        stopped = [stage for stage in STAGES if standing(self.runs, self.date, stage) == "stopped"]
        return Text(f"stopped\n({stopped[0]})", "red") if stopped else "–"


def _means(
    scored: Sequence[Mapping[str, Any]], systems: Sequence[str], figures: Sequence[Figure]
) -> list[float | None]:
    """Means over all test rows of the nights, where every night has the figure: for each figure those of the
    systems.
    """
    means: list[float | None] = []
    for metric in [figure.name for figure in figures]:
        for name in systems:
            pairs = [(night["rows"], (night["systems"].get(name) or {}).get(metric)) for night in scored]
            whole = all(value is not None for _, value in pairs)
            means.append(
                sum(rows * value for rows, value in pairs) / sum(rows for rows, _ in pairs) if whole else None
            )
    return means


def _marked(values: Sequence[float | None], figures: Sequence[Figure]) -> list[str | Text]:
    """The values of a row, for each figure those of the systems; the best of a figure in bold where there are
    several.
    """
    cells: list[str | Text] = []
    each = len(values) // max(len(figures), 1)
    for i, figure in enumerate(figures):
        own = values[i * each : (i + 1) * each]
        known = [value for value in own if value is not None]
        best = (min if figure.better == "lower" else max)(known) if len(known) > 1 else None
        form = FORMS[figure.write]
        cells += [
            Text(_figure(form, value), "bold" if value is not None and value == best else "") for value in own
        ]
    return cells


def status(console: Console, runs: Runs, dates: Sequence[datetime.date]) -> None:
    """Per night and stage: ✓ done, ✗ stopped by the quality gate, ! damaged, · not run; days of mere history
    in one line.
    """
    marks = {date: [_mark(runs, date, stage) for stage in STAGES] for date in dates}
    history = [
        date
        for date, row in marks.items()
        if row[0].plain == "✓" and all(mark.plain == "·" for mark in row[1:])
    ]
    table = _table(f"{runs.pipeline} in {runs.folder}")
    for name in STAGES:
        table.add_column(name)
    for date in dates:
        if date not in history:
            table.add_row(date.isoformat(), *marks[date])
    console.print(table)
    if history:
        console.print(f"{len(history)} days are checked and serve as history: {history[0]} … {history[-1]}")
    console.print("✓ done   ✗ stopped by the quality gate   ! damaged   · not run")


def _mark(runs: Runs, date: datetime.date, stage: str) -> Text:
    return Text(*MARKS[standing(runs, date, stage)])


def tell_where(console: Console, runs: Runs) -> None:
    """The path of the report, unbroken, so that it can be copied or clicked."""
    index = runs.folder / "site" / "index.html"
    if index.is_file():
        console.print(f"report: {index}", soft_wrap=True)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _figure(form: str, value: float | None) -> str:
    return "–" if value is None else form.format(value)


def _json(source: Source, name: str) -> Any:
    return source.json(name)
