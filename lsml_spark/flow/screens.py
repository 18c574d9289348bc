"""What the command line shows: the table of results and the table of stages."""

import datetime
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.work import Source
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import STAGES

SYSTEMS = {"model": "model", "champion": "before", "popularity": "popular", "cooccurrence": "co-occ."}


def console() -> Console:
    """A terminal at its width; a file or a pipe at a width that breaks no table."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def results(console: Console, runs: Runs, dates: Sequence[datetime.date]) -> None:
    """Per night: rows, recall and log loss of the model beside those of the model before and of the baselines."""
    table = Table(title=f"{runs.pipeline}: {len(dates)} nights", title_justify="left")
    for name in ("night", "rows in", "quarantined", "trained on"):
        table.add_column(name, justify="left" if name == "night" else "right")
    for metric in ("recall@20", "log loss"):
        for label in SYSTEMS.values():
            table.add_column(f"{metric}\n{label}", justify="right")
    table.add_column("breadth\nmodel", justify="right")
    table.add_column("promoted")
    for date in dates:
        table.add_row(*_result(runs, date))
    console.print(table)


def _result(runs: Runs, date: datetime.date) -> list[str]:
    quality, select = runs.source(date, "quality"), runs.source(date, "select")
    evaluated, promoted = runs.source(date, "evaluate"), runs.source(date, "promote")
    cells = [date.isoformat()]
    cells.append(_count(quality.manifest.ledger.rows_in if quality else None))
    cells.append(_count(sum(quality.manifest.ledger.quarantined.values()) if quality else None))
    cells.append(_count(select.manifest.ledger.rows_out if select else None))
    systems: dict[str, Any] = _json(evaluated, "metrics.json")["systems"] if evaluated else {}
    for metric, form in (("recall", "{:.1%}"), ("log_loss", "{:.3f}")):
        cells += [form.format(value) if (value := (systems.get(name) or {}).get(metric)) is not None else "–" for name in SYSTEMS]
    cells.append(_count((systems.get("model") or {}).get("breadth")))
    cells.append("–" if promoted is None else "yes" if _json(promoted, "decision.json")["promoted"] else "no")
    return cells


def status(console: Console, runs: Runs, dates: Sequence[datetime.date]) -> None:
    """Per night and stage: ✓ done, ✗ stopped by the quality gate, ! damaged, · not run."""
    table = Table(title=f"{runs.pipeline} in {runs.folder}", title_justify="left")
    for name in ("night", *STAGES):
        table.add_column(name)
    for date in dates:
        table.add_row(date.isoformat(), *[_mark(runs, date, stage) for stage in STAGES])
    console.print(table)
    console.print("✓ done   ✗ stopped by the quality gate   ! damaged   · not run")


def _mark(runs: Runs, date: datetime.date, stage: str) -> Text:
    try:
        source = runs.source(date, stage)
    except IntegrityError:
        return Text("!", "bold red")
    if source is None:
        return Text("·", "dim")
    return Text("✗", "red") if source.manifest.metrics.get("failed") else Text("✓", "green")


def tell_where(console: Console, runs: Runs) -> None:
    """The path of the report, unbroken, so that it can be copied or clicked."""
    index = runs.folder / "site" / "index.html"
    if index.is_file():
        console.print(f"report: {index}", soft_wrap=True)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _json(source: Source, name: str) -> Any:
    return json.loads(source.file(name).read_text())
