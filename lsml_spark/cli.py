"""`lsml`: run, backfill, status, report and verify nightly pipelines; check data and release what was kept aside."""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from lsml_spark.cli_quality import quality_app, quarantine_app
from lsml_spark.cli_shards import show
from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.flow import label, log, night, screens, verify
from lsml_spark.flow import pilot as pilots
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.lock import writing
from lsml_spark.flow.pipeline import STAGES, Pipeline

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(quality_app, name="quality")
app.add_typer(quarantine_app, name="quarantine")
app.command()(show)

Config = Annotated[Path, typer.Argument(help="The pipeline's YAML.", show_default=False)]
Date = Annotated[str, typer.Option("--date", help="Logical date, YYYY-MM-DD.", show_default=False)]
SomeDate = Annotated[str | None, typer.Option("--date", help="Only this logical date, YYYY-MM-DD.", show_default=False)]
Root = Annotated[Path, typer.Option("--root", help="Folder of all runs.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the YAML, e.g. select.budget=0.3.", show_default=False),
]
RUNS = Path("runs")


@app.command()
def run(
    config: Config,
    date: Date,
    first: Annotated[
        str | None,
        typer.Option("--from", help="Run this stage and what follows even if up to date.", show_default=False),
    ] = None,
    last: Annotated[str | None, typer.Option("--until", help="Stop after this stage.", show_default=False)] = None,
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Run what is not done of one night."""
    with guarded():
        pipeline, runs = _open(config, root, overrides)
        day = parse_date(date)
        for stage in filter(None, (first, last)):
            _known_stage(stage)
        with writing(runs):
            ran = night.run(night.Night(pipeline, runs, day), first, last)
        console = screens.console()
        said = f"{', '.join(ran)} done" if ran else "nothing to do, every stage is up to date"
        console.print(f"{day}: {said}", soft_wrap=True)
        screens.tell_where(console, runs)


@app.command()
def backfill(
    config: Config,
    first: Annotated[str, typer.Option("--from", help="First logical date.", show_default=False)],
    last: Annotated[str, typer.Option("--to", help="Last logical date, included.", show_default=False)],
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Run the nights from one date to another in order; days without raw files are left out.

    A night that its quality gate stops does not stop the later ones, which leave that day out; the exit code is then 3.
    """
    with guarded():
        pipeline, runs = _open(config, root, overrides)
        start, end = parse_date(first, "--from"), parse_date(last, "--to")
        if end < start:
            raise ConfigError(f"--to {end} is before --from {start}")
        days = [start + datetime.timedelta(days=i) for i in range((end - start).days + 1)]
        trading = [day for day in days if pipeline.raw_files(day)]
        if not trading:
            raise ConfigError(f"no raw file for any day from {start} to {end}; see raw.folder in {config}")
        ran, stopped = 0, []
        with writing(runs):
            for day in trading:
                try:
                    ran += len(night.run(night.Night(pipeline, runs, day)))
                except QualityGateError as error:
                    stopped.append(str(error))
        console = screens.console()
        if not ran:
            console.print(f"{len(trading)} nights: nothing to do, every stage is up to date")
        screens.results(console, runs, trading)
        screens.tell_where(console, runs)
        if stopped:
            raise QualityGateError(f"{len(stopped)} of {len(trading)} nights were stopped: {'; '.join(stopped)}")


@app.command()
def pilot(config: Config, date: Date, overrides: Set = None, root: Root = RUNS) -> None:
    """Train on random rows and on the selected ones, and say what selection is worth; fits the β that `zipf` can use.

    Trains four models from fresh weights: on half the budget, on the budget, on all rows (random ones), on the selected ones.
    """
    with guarded():
        pipeline, runs = _open(config, root, overrides)
        one = night.Night(pipeline, runs, parse_date(date))
        with writing(runs):
            source = pilots.run(one)
        screens.pilot(screens.console(), source)


@app.command("label")
def label_(
    config: Config,
    date: Date,
    rows: Annotated[int, typer.Option("--rows", help="Rows to be labelled.")] = 100,
    spread: Annotated[int, typer.Option("--spread", help="Candidates for each of them.")] = 10,
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Queue the rows without a label that the promoted model is least sure of, spread over their keys."""
    with guarded():
        pipeline, runs = _open(config, root, overrides)
        with writing(runs):
            source = label.run(night.Night(pipeline, runs, parse_date(date)), rows, spread)
        metrics, ledger = source.manifest.metrics, source.manifest.ledger
        console = screens.console()
        console.print(f"{ledger.rows_out:,} of {ledger.rows_in:,} rows without a label queued, of {metrics['keys']:,} keys", soft_wrap=True)
        console.print(str(source.file("queue.csv")), soft_wrap=True)


@app.command()
def status(config: Config, date: SomeDate = None, root: Root = RUNS) -> None:
    """Show which stage of which night stands where."""
    with guarded():
        _, runs = _open(config, root)
        screens.status(screens.console(), runs, _dates(runs, date))


@app.command()
def report(config: Config, date: SomeDate = None, root: Root = RUNS) -> None:
    """Write the report anew and say where it is."""
    with guarded():
        pipeline, runs = _open(config, root)
        with writing(runs):
            for day in _dates(runs, date):
                # A day that went through quality alone is history of a window: it gets a page where its gate stopped it or it is asked for.
                made = runs.source(day, "quality")
                asked = date is not None or runs.source(day, "prepare") or runs.source(day, "report")
                if made and (asked or made.manifest.metrics.get("failed")):
                    night.report(night.Night(pipeline, runs, day))
            night.publish(night.Night(pipeline, runs, datetime.date.min))
        screens.tell_where(screens.console(), runs)


@app.command("verify")
def verify_(config: Config, date: SomeDate = None, root: Root = RUNS) -> None:
    """Recount every row, check every checksum and every input; exit code 6 and the file's name where something is off."""
    with guarded():
        _, runs = _open(config, root)
        checked = verify.verify(runs, _dates(runs, date))
        screens.console().print(
            f"{checked.stages} stages, {checked.files} files, {checked.bytes / 1e6:.1f} MB: every checksum, input and row count is right"
        )


def _open(config: Path, root: Path, overrides: list[str] | None = None) -> tuple[Pipeline, Runs]:
    pipeline = Pipeline(config, overrides or ())
    runs = Runs(root.resolve(), pipeline.name)
    log.to_console()
    return pipeline, runs


def _dates(runs: Runs, date: str | None) -> list[datetime.date]:
    if date is not None:
        day = parse_date(date)
        if day not in runs.dates():
            raise ConfigError(f"{runs.folder} holds no night of {day}")
        return [day]
    if not runs.dates():
        raise ConfigError(f"{runs.folder} holds no nights yet; begin with `lsml run … --date …`")
    return runs.dates()


def _known_stage(stage: str) -> None:
    if stage not in STAGES:
        raise ConfigError(f"there is no stage '{stage}'{did_you_mean(stage, STAGES)}")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
