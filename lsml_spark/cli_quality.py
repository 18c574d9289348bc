"""`lsml quality` (check, suggest, explain) and `lsml quarantine` (show, release)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.work import Source
from lsml_spark.flow import checked, log, night, quarantine, screens
from lsml_spark.flow import explain as words
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.lock import writing
from lsml_spark.flow.pipeline import Pipeline

quality_app = typer.Typer(no_args_is_help=True, help="Check a day, explain what was found, or propose checks for new data.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Look at the rows that were kept aside, and put them back.")

Config = Annotated[
    Path | None, typer.Option("--config", help="The pipeline's YAML; not needed where pipelines/ holds just one.", show_default=False)
]
Day = Annotated[str, typer.Option("--date", help="Logical date, YYYY-MM-DD.", show_default=False)]
Root = Annotated[Path, typer.Option("--root", help="Folder of all runs.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a key of the YAML.", show_default=False)]
RUNS = Path("runs")


@quality_app.command()
def check(date: Day, config: Config = None, overrides: Set = None, root: Root = RUNS) -> None:
    """Check one day and say what was found; exit code 3 where a check of severity `fail` breaks."""
    with guarded():
        one = _night(config, date, root, overrides)
        checked.first([one], ("quality",))
        with writing(one.runs):
            source, _ = night.run_stage(one, "quality")
        words.explain(screens.console(), source)
        night.refuse_failed(one, source, gate=True)


@quality_app.command()
def explain(
    date: Annotated[str, typer.Argument(help="Logical date, YYYY-MM-DD.", show_default=False)], config: Config = None, root: Root = RUNS
) -> None:
    """Say why a day failed its gate, or what its checks found."""
    with guarded():
        words.explain(screens.console(), _checked(_night(config, date, root)))


@quality_app.command()
def suggest(
    data: Annotated[list[Path], typer.Argument(help="Raw files, or folders of them: CSV, JSON lines or Parquet.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="Write the YAML here instead of on the screen.", show_default=False)] = None,
) -> None:
    """Propose a contract and a list of checks from a profile of clean days; a `quality:` section to begin with."""
    with guarded():
        log.to_console()
        from lsml_spark.quality.suggest import suggest as propose
        from lsml_spark.spark.session import session

        text = propose(session(), data)
        if out is None:
            sys.stdout.write(text)
        elif out.exists():
            raise ConfigError(f"{out} exists already; name another file")
        else:
            out.write_text(text)


@quarantine_app.command()
def show(
    date: Day,
    rule: Annotated[str | None, typer.Option("--rule", help="Only rows with this reason.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write them all as CSV, to be repaired.", show_default=False)] = None,
    rows: Annotated[int, typer.Option("--rows", help="At most so many on the screen.")] = 20,
    config: Config = None,
    root: Root = RUNS,
) -> None:
    """Show rows in quarantine, as they were found."""
    with guarded():
        source = _checked(_night(config, date, root))
        if csv is not None:
            print(f"{quarantine.export(source, rule, csv):,} rows written to {csv}")
        else:
            quarantine.show(screens.console(), source, rule, rows)


@quarantine_app.command()
def release(
    date: Day,
    rule: Annotated[list[str] | None, typer.Option("--rule", help="Forgive this reason; may be given again.", show_default=False)] = None,
    repaired: Annotated[
        Path | None, typer.Option("--repaired", help="CSV from `quarantine show --csv`, mended by hand.", show_default=False)
    ] = None,
    config: Config = None,
    overrides: Set = None,
    root: Root = RUNS,
) -> None:
    """Put forgiven or repaired rows back: they are checked again by all other rules, and nights that read the day take them in."""
    with guarded():
        one = _night(config, date, root, overrides)
        with writing(one.runs):
            source = quarantine.release(one, rule or [], repaired)
        ledger = source.manifest.ledger
        console = screens.console()
        console.print(f"{date}: {ledger.rows_in:,} rows taken from quarantine, {ledger.rows_out:,} are clean now", soft_wrap=True)
        for reason, count in ledger.quarantined.items():
            console.print(f"  {count:,} stay: {reason}", soft_wrap=True, markup=False)
        console.print("Nights that train on this day take the rows in when they are run again.")


def _night(config: Path | None, date: str, root: Path, overrides: list[str] | None = None) -> night.Night:
    pipeline = Pipeline(config or _the_only_pipeline(), overrides or ())
    log.to_console()
    return night.Night(pipeline, Runs(root.resolve(), pipeline.name), parse_date(date))


def _the_only_pipeline() -> Path:
    found = sorted(Path("pipelines").glob("*.yaml"))
    if len(found) != 1:
        what = f"pipelines/ holds {', '.join(path.name for path in found)}" if found else "there is no YAML in pipelines/"
        raise ConfigError(f"{what}: say which pipeline with --config FILE")
    return found[0]


def _checked(one: night.Night) -> Source:
    source = one.runs.source(one.date, "quality")
    if source is None:
        raise ConfigError(f"{one.date} has not been checked in {one.runs.folder}; run `lsml quality check --date {one.date}`")
    return source
