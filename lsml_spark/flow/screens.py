"""What the command line shows: the table of results and the table of stages."""

import datetime
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsml_spark.core.stages import STAGES
from lsml_spark.core.work import Source
from lsml_spark.flow.facts import standing
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.terminal import Terminal

SYSTEMS = {"model": "model", "popularity": "popular", "cooccurrence": "co-occ.", "key_frequency": "by key"}
BEST: dict[str, Callable[[Sequence[float]], float]] = {"recall": max, "log_loss": min}
CAPTION = (
    "trained on: rows of the window that selection kept.  breadth: how many different labels it guessed right at least once.  "
    "bold: the best of its row."
)
MARKS = {"done": ("✓", "green"), "stopped": ("✗", "red"), "damaged": ("!", "bold red"), "not run": ("·", "dim")}
METRICS = {"recall": ("recall\n@{k}", "{:.1%}"), "log_loss": ("log\nloss", "{:.3f}")}


def console() -> Console:
    """A terminal at its width; a file or a pipe at a width that breaks no table."""
    return Terminal(width=None if sys.stdout.isatty() else 200, highlight=False)


def results(console: Console, runs: Runs, dates: Sequence[datetime.date]) -> None:
    """Per night: rows, and the model's recall and log loss beside those of the baselines; below, the means over test rows."""
    table = _table(f"{runs.pipeline}: {len(dates)} nights")
    for name in ("rows\nin", "quaran-\ntined", "trained\non"):
        table.add_column(name, justify="right")
    nights = [_Night(runs, date) for date in dates]
    scored = [night.metrics for night in nights if night.metrics]
    k = scored[-1]["k"] if scored else 20
    systems = [name for name in SYSTEMS if any(figures["systems"].get(name) for figures in scored)]
    for title, _ in METRICS.values():
        for name in systems:
            table.add_column(f"{title.format(k=k)}\n{SYSTEMS[name]}", justify="right")
    table.add_column("breadth\nmodel", justify="right")
    table.add_column("pro-\nmoted")
    for night in nights:
        table.add_row(*night.cells(systems))
    if len(scored) > 1:
        table.add_section()
        table.add_row("mean", "", "", "", *_marked(_means(scored, systems), systems), "", "")
    console.print(table)
    if scored:
        console.print(CAPTION, style="dim", soft_wrap=True)


def pilot(console: Console, source: Source) -> None:
    """What a pilot found: each arm's rows and log loss by band, what selection recovered, and the fitted β."""
    facts = source.json("pilot.json")
    arms, names = facts["arms"], {"quarter": "random", "random": "random", "selected": "selected", "full": "all"}
    table = plain_table(f"pilot of {facts['date']}: log loss")
    table.add_column("trained on")
    bands = sorted(arms["full"]["bands"], key=lambda band: int(re.split(r"\D", band)[0]))
    for title in ("rows", "all keys", *[f"seen {band}" for band in bands]):
        table.add_column(title, justify="right")
    for arm, name in names.items():
        losses = [arms[arm]["log_loss"], *[arms[arm]["bands"][band] for band in bands]]
        table.add_row(name, f"{arms[arm]['rows']:,}", *["–" if loss is None else f"{loss:.3f}" for loss in losses])
    console.print(table)
    console.print(_worth(facts["against_random"], *facts["against_random_interval"]))
    if not facts["converged"]:
        console.print("More random rows made a worse model: training does not converge at these settings, so this says little.")
        console.print("Try more epochs or another rate: --set train.epochs=10 --set train.optimizer.lr=…")
    elif facts["gain_recovered"] is None:
        console.print("All rows are no better than random ones tonight, so there is no gain to recover.")
    else:
        console.print(f"gain recovered: {facts['gain_recovered']:.2f} of what all rows would bring")
    low, high = (f"{end:.2f}" for end in facts["beta_interval"])
    between = f"95 %: {low} to {high}" if low != high else "how sure that is, three sizes of training do not tell"
    console.print(f"β = {facts['beta']:.2f} ({between}); `beta: fitted` takes it from the next run on")


def _worth(gain: float, low: float, high: float) -> str:
    """One sentence on selection against as many random rows; `gain`: how much lower its log loss is, `low` to `high` with 95 %."""
    between = f" (95 %: {low:+.4f} to {high:+.4f})" if f"{low:.4f}" != f"{high:.4f}" else ""
    if gain > 0 and low > 0:
        return f"Selection helped: against as many random rows it lowers the log loss by {gain:.4f}{between}."
    if gain > 0:
        return f"Selection did not help here, as far as can be told: the log loss is lower by {gain:.4f}, which may be chance{between}."
    if gain < 0:
        chance = ", which may be chance" if high >= 0 else ""
        return f"Selection did not help here: against as many random rows the log loss is higher by {-gain:.4f}{chance}{between}."
    return f"Selection did not help here: the log loss is that of as many random rows{between}."


def plain_table(title: str) -> Table:
    """A table without columns yet, in the style of all screens."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


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

    def cells(self, systems: Sequence[str]) -> list[str | Text]:
        systems_of = self.metrics.get("systems", {})
        rows = self.quality.manifest.ledger if self.quality else None
        return [
            self.date.isoformat(),
            _count(rows.rows_in if rows else None),
            _count(sum(rows.quarantined.values()) if rows else None),
            _count(self.select.manifest.ledger.rows_out if self.select else None),
            *_marked([(systems_of.get(name) or {}).get(metric) for metric in METRICS for name in systems], systems),
            _count((systems_of.get("model") or {}).get("breadth")),
            self._outcome(),
        ]

    def _outcome(self) -> str | Text:
        """Whether the model was promoted; "stopped" where a stage found its data not fit to go on."""
        if self.promote is not None:
            return "yes" if _json(self.promote, "decision.json")["promoted"] else "no"
        stopped = [stage for stage in STAGES if standing(self.runs, self.date, stage) == "stopped"]
        return Text(f"stopped\n({stopped[0]})", "red") if stopped else "–"


def _means(scored: Sequence[Mapping[str, Any]], systems: Sequence[str]) -> list[float | None]:
    """Means over all test rows of the nights, where every night has the figure: for each metric those of the systems."""
    found: list[float | None] = []
    for metric in METRICS:
        for name in systems:
            pairs = [(night["rows"], (night["systems"].get(name) or {}).get(metric)) for night in scored]
            whole = all(value is not None for _, value in pairs)
            found.append(sum(rows * value for rows, value in pairs) / sum(rows for rows, _ in pairs) if whole else None)
    return found


def _marked(values: Sequence[float | None], systems: Sequence[str]) -> list[str | Text]:
    """The figures of a row, for each metric those of the systems; the best of a metric in bold where there are several."""
    cells: list[str | Text] = []
    for i, (metric, (_, form)) in enumerate(METRICS.items()):
        own = values[i * len(systems) : (i + 1) * len(systems)]
        known = [value for value in own if value is not None]
        best = BEST[metric](known) if len(known) > 1 else None
        cells += [Text(_figure(form, value), "bold" if value is not None and value == best else "") for value in own]
    return cells


def status(console: Console, runs: Runs, dates: Sequence[datetime.date]) -> None:
    """Per night and stage: ✓ done, ✗ stopped by the quality gate, ! damaged, · not run; days of mere history in one line."""
    marks = {date: [_mark(runs, date, stage) for stage in STAGES] for date in dates}
    history = [date for date, row in marks.items() if row[0].plain == "✓" and all(mark.plain == "·" for mark in row[1:])]
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
