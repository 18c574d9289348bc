"""`lsml`: run, backfill, status, report and verify nightly pipelines; check data and release what was kept
aside.
"""

import datetime
from typing import Annotated

import typer

from lsml_spark import __version__
from lsml_spark.cli.check import check
from lsml_spark.cli.init import init
from lsml_spark.cli.options import (
    RUNS,
    AsJson,
    Config,
    Date,
    Root,
    Set,
    SomeDate,
    dates_of,
    one_night,
    opened,
    write_json,
)
from lsml_spark.cli.quality import quality_app, quarantine_app
from lsml_spark.cli.ready import ready
from lsml_spark.cli.shards import show
from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError, QualityGateError
from lsml_spark.core.stages import STAGES, until
from lsml_spark.flow import backfill as backfills
from lsml_spark.flow import checked, facts, label, night, screens, verify
from lsml_spark.flow import pilot as pilots
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.lock import writing

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(quality_app, name="quality")
app.add_typer(quarantine_app, name="quarantine")
app.command()(check)
app.command()(init)
app.command()(show)
app.command()(ready)

NAMES = f"One of {', '.join(STAGES)}."


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"lsml_spark {__version__}")
        raise typer.Exit


@app.callback()
def lsml(
    version: Annotated[
        bool, typer.Option("--version", help="Say the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Nightly training on the rows that matter. Every command has the form `lsml VERB PIPELINE --date
    YYYY-MM-DD`.
    """


def _stages(beginning: str) -> list[str]:
    """What the shell completes a stage's name to."""
    return [stage for stage in STAGES if stage.startswith(beginning)]


@app.command()
def run(
    date: Date,
    config: Config = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STAGE",
            help=f"Run this stage and what follows even if up to date. {NAMES}",
            show_default=False,
            autocompletion=_stages,
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="STAGE",
            help=f"Stop after this stage. {NAMES}",
            show_default=False,
            autocompletion=_stages,
        ),
    ] = None,
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Run what is not done of one night."""
    with guarded():
        one = one_night(config, date, root, overrides)
        for stage in filter(None, (first, last)):
            _known_stage(stage)
        checked.first([one], until(last) if last else STAGES)
        with writing(one.runs):
            ran = night.run(one, first, last)
        console = screens.console()
        outcome = f"{', '.join(ran)} done" if ran else "nothing to do, every stage is up to date"
        console.print(f"{one.date}: {outcome}", soft_wrap=True)
        screens.tell_where(console, one.runs)


@app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First logical date.", show_default=False)],
    last: Annotated[str, typer.Option("--to", help="Last logical date, included.", show_default=False)],
    config: Config = None,
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Run the nights from one date to another in order; days without raw files are left out.

    A night that its quality gate stops does not stop the later ones, which leave that day out; the exit code
    is then 3.
    """
    with guarded():
        pipeline, runs = opened(config, root, overrides)
        start, end = parse_date(first, "--from"), parse_date(last, "--to")
        if end < start:
            raise ConfigError(f"--to {end} is before --from {start}")
        days = backfills.days(pipeline, start, end)
        checked.first([night.Night(pipeline, runs, day) for day in days])
        console = screens.console()
        if lacking := backfills.missing(days, start, end):
            console.print(lacking, soft_wrap=True)
        with writing(runs):
            done = backfills.run(pipeline, runs, days)
        if not done.ran:
            console.print(f"{len(days)} nights: nothing to do, every stage is up to date")
        screens.results(console, runs, days)
        screens.tell_where(console, runs)
        if done.stopped:
            raise QualityGateError(
                f"{len(done.stopped)} of {len(days)} nights were stopped: {'; '.join(done.stopped)}"
            )


@app.command()
def pilot(date: Date, config: Config = None, overrides: Set = None, root: Root = RUNS) -> None:
    """Train on random rows and on the selected ones, and say what selection is worth; fits the β that `zipf`
    can use.

    Trains four models from fresh weights: on half the budget, on the budget, on all rows (random ones), on
    the selected ones.
    """
    with guarded():
        one = one_night(config, date, root, overrides)
        checked.first([one], until("evaluate"))
        with writing(one.runs):
            source = pilots.run(one)
        screens.pilot(screens.console(), source)


@app.command("label")
def label_(
    date: Date,
    config: Config = None,
    rows: Annotated[int, typer.Option("--rows", help="Rows to be labelled.")] = 100,
    spread: Annotated[int, typer.Option("--spread", help="Candidates for each of them.")] = 10,
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Queue the rows without a label that the promoted model is least sure of, spread over their keys."""
    with guarded():
        one = one_night(config, date, root, overrides)
        checked.first([one], ("quality", "prepare"))
        with writing(one.runs):
            source = label.run(one, rows, spread)
        metrics, ledger = source.manifest.metrics, source.manifest.ledger
        console = screens.console()
        console.print(
            f"{ledger.rows_out:,} of {ledger.rows_in:,} rows without a label queued, of {metrics['keys']:,} "
            "keys",
            soft_wrap=True,
        )
        console.print(str(source.file("queue.csv")), soft_wrap=True)


@app.command()
def status(
    config: Config = None,
    date: SomeDate = None,
    overrides: Set = None,
    root: Root = RUNS,
    as_json: AsJson = False,
) -> None:
    """Show which stage of which night stands where."""
    with guarded():
        pipeline, runs = opened(config, root, overrides)
        dates = dates_of(runs, date, pipeline)
        if as_json:
            write_json(facts.status(runs, dates))
        else:
            screens.status(screens.console(), runs, dates)


@app.command()
def report(config: Config = None, date: SomeDate = None, overrides: Set = None, root: Root = RUNS) -> None:
    """Write the report anew and say where it is."""
    with guarded():
        pipeline, runs = opened(config, root, overrides)
        days = dates_of(runs, date, pipeline)  # before the lock, which makes the folder
        with writing(runs):
            for day in days:
                # A day that went through quality alone is history of a window: it gets a page where its gate
                # stopped it or it is asked for.
                made = runs.source(day, "quality")
                for_a_night = date is not None or runs.source(day, "prepare") or runs.source(day, "report")
                if made and (for_a_night or made.manifest.metrics.get("failed")):
                    night.report(night.Night(pipeline, runs, day))
            night.publish(night.Night(pipeline, runs, datetime.date.min))
        screens.tell_where(screens.console(), runs)


@app.command("verify")
def verify_(
    config: Config = None,
    date: SomeDate = None,
    overrides: Set = None,
    root: Root = RUNS,
    as_json: AsJson = False,
) -> None:
    """Recount every row, check every checksum and every input; exit code 6 and the file's name where
    something is off.
    """
    with guarded():
        pipeline, runs = opened(config, root, overrides)
        dates = dates_of(runs, date, pipeline)
        try:
            checked = verify.verify(runs, dates)
        except IntegrityError as error:
            if as_json:
                write_json(facts.verified(runs, dates, error=str(error)))
            raise
        if as_json:
            write_json(facts.verified(runs, dates, checked))
        else:
            for note in dict.fromkeys(checked.notes):
                screens.console().print(f"note: {note}", soft_wrap=True, markup=False)
            screens.console().print(
                f"{checked.stages} stages, {checked.files} files, {checked.bytes / 1e6:.1f} MB: "
                "every checksum, input and row count is right"
            )


def _known_stage(stage: str) -> None:
    if stage not in STAGES:
        raise ConfigError(f"there is no stage '{stage}'{did_you_mean(stage, STAGES)}")
