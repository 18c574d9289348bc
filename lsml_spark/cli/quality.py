"""`lsml quality` (check, suggest, explain) and `lsml quarantine` (show, release)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lsml_spark.cli.options import (
    RUNS,
    AsJson,
    Config,
    Date,
    OldConfig,
    Root,
    Set,
    SomeDate,
    one_night,
    write_json,
)
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.work import Source
from lsml_spark.flow import checked, facts, log, night, quarantine, screens
from lsml_spark.flow import explain as words
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.lock import writing

quality_app = typer.Typer(
    no_args_is_help=True, help="Check a day, explain what was found, or propose checks for new data."
)
quarantine_app = typer.Typer(
    no_args_is_help=True, help="Look at the rows that were kept aside, and put them back."
)


@quality_app.command()
def check(
    date: Date, config: Config = None, overrides: Set = None, root: Root = RUNS, old: OldConfig = None
) -> None:
    """Check one day and say what was found; exit code 3 where a check of severity `fail` breaks."""
    with guarded():
        one = one_night(config or old, date, root, overrides)
        checked.first([one], ("quality",))
        with writing(one.runs):
            source, _ = night.run_stage(one, "quality")
        words.explain(screens.console(), source, one)
        night.refuse_failed(one, source, gate=True)


@quality_app.command()
def explain(
    config: Config = None,
    date: SomeDate = None,
    overrides: Set = None,
    root: Root = RUNS,
    old: OldConfig = None,
    as_json: AsJson = False,
) -> None:
    """Say why a day failed its gate, or what its checks found."""
    with guarded():
        if date is None:
            config, date = old, _date_in_old_form(config)
        one = one_night(config or old, date, root, overrides)
        source = _checked(one)
        if as_json:
            write_json(facts.explained(source))
        else:
            words.explain(screens.console(), source, one)


@quality_app.command()
def suggest(
    data: Annotated[
        list[Path],
        typer.Argument(help="Raw files, or folders of them: CSV, JSON lines or Parquet.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the YAML here instead of on the screen.", show_default=False),
    ] = None,
) -> None:
    """Propose a contract and a list of checks from a profile of clean days; a `quality:` section to begin
    with.
    """
    with guarded():
        log.to_console()
        from lsml_spark.quality.suggest import look_at
        from lsml_spark.quality.suggest import suggest as propose
        from lsml_spark.spark.session import session

        if out is not None and out.exists():
            raise ConfigError(f"{out} exists already; name another file")
        days = look_at(data)  # what is wrong with the names is said before Spark starts
        text = propose(session(), days)
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text)


@quarantine_app.command()
def show(
    date: Date,
    config: Config = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only rows with this reason.", show_default=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write them all as CSV, to be repaired.", show_default=False)
    ] = None,
    rows: Annotated[int, typer.Option("--rows", help="At most so many on the screen.")] = 20,
    overrides: Set = None,
    root: Root = RUNS,
    old: OldConfig = None,
) -> None:
    """Show rows in quarantine, as they were found."""
    with guarded():
        source = _checked(one_night(config or old, date, root, overrides))
        if csv is not None:
            print(f"{quarantine.export(source, rule, csv):,} rows written to {csv}")
        else:
            quarantine.show(screens.console(), source, rule, rows)


@quarantine_app.command()
def release(
    date: Date,
    config: Config = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Forgive this reason; may be given again.", show_default=False),
    ] = None,
    repaired: Annotated[
        Path | None,
        typer.Option(
            "--repaired", help="CSV from `quarantine show --csv`, mended by hand.", show_default=False
        ),
    ] = None,
    overrides: Set = None,
    root: Root = RUNS,
    old: OldConfig = None,
) -> None:
    """Put forgiven or repaired rows back: they are checked again by all other rules, and nights that read the
    day take them in.
    """
    with guarded():
        one = one_night(config or old, date, root, overrides)
        with writing(one.runs):
            source = quarantine.release(one, rule or [], repaired)
        ledger = source.manifest.ledger
        console = screens.console()
        console.print(
            f"{date}: {ledger.rows_in:,} rows taken from quarantine, {ledger.rows_out:,} are clean now",
            soft_wrap=True,
        )
        for reason, count in ledger.quarantined.items():
            console.print(f"  {count:,} stay: {reason}", soft_wrap=True, markup=False)
        console.print(
            "Nights that train on this day take the rows in when they are run again.", soft_wrap=True
        )


def _date_in_old_form(first: Path | None) -> str:
    """`lsml quality explain DATE`, as it was once called: the date stands in the pipeline's place."""
    if first is None or first.exists():
        raise ConfigError("say which day: `lsml quality explain PIPELINE --date YYYY-MM-DD`")
    return str(first)


def _checked(one: night.Night) -> Source:
    source = one.runs.source(one.date, "quality")
    if source is None:
        raise ConfigError(
            f"{one.date} has not been checked in {one.runs.folder}; run `{one.command('quality check')}`"
        )
    return source
