"""What all commands of `lsml` share: the pipeline, its date, `--set` and `--root`, always in the form `lsml
VERB PIPELINE --date D`.
"""

import datetime
import itertools
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lsml_spark.core import command
from lsml_spark.core.errors import ConfigError
from lsml_spark.flow import log
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.flow.produce import Night

RUNS = command.RUNS
Config = Annotated[
    Path | None,
    typer.Argument(
        metavar="PIPELINE",
        help="The pipeline's YAML; may be left out where pipelines/ holds just one.",
        show_default=False,
    ),
]
# how the quality commands were once called
OldConfig = Annotated[Path | None, typer.Option("--config", hidden=True)]
Date = Annotated[str, typer.Option("--date", help="Logical date, YYYY-MM-DD.", show_default=False)]
SomeDate = Annotated[
    str | None, typer.Option("--date", help="Only this logical date, YYYY-MM-DD.", show_default=False)
]
Root = Annotated[Path, typer.Option("--root", help="Folder of all runs.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a key of the YAML, e.g. select.budget=0.3.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output, for programs.")]


def opened(config: Path | None, root: Path, overrides: list[str] | None = None) -> tuple[Pipeline, Runs]:
    """The pipeline and its runs, with log lines shown on the console from here on."""
    pipeline = Pipeline(config or the_only_pipeline(), overrides or ())
    runs = Runs(root.resolve(), pipeline.name)
    log.to_console()
    return pipeline, runs


def one_night(config: Path | None, date: str, root: Path, overrides: list[str] | None = None) -> Night:
    """The night of one date. ConfigError where the date is none."""
    pipeline, runs = opened(config, root, overrides)
    return Night(pipeline, runs, parse_date(date))


def the_only_pipeline() -> Path:
    """The one YAML of pipelines/; ConfigError, with commands to paste, where there are several or none."""
    pipelines = sorted([*Path("pipelines").glob("*.yaml"), *Path("pipelines").glob("*.yml")])
    if len(pipelines) == 1:
        return pipelines[0]
    if not pipelines:
        raise ConfigError(
            "say which pipeline: there is no YAML in pipelines/; `lsml init` writes one from a look at your "
            "data"
        )
    raise ConfigError(f"say which pipeline: {' or '.join(_with_pipeline(path) for path in pipelines)}")


def _with_pipeline(path: Path) -> str:
    """The command as it was typed, with a pipeline behind its verb."""
    program, *typed = sys.argv
    if Path(program).name not in ("lsml", "__main__.py"):  # called from Python: nothing was typed
        return str(path)
    verb = list(itertools.takewhile(lambda word: not word.startswith("-"), typed))
    return f"`{shlex.join(['lsml', *verb, str(path), *typed[len(verb) :]])}`"


def dates_of(runs: Runs, date: str | None, pipeline: Pipeline) -> list[datetime.date]:
    """The nights there are, or the one asked for. ConfigError where there is none."""
    known = runs.dates()
    if date is not None:
        day = parse_date(date)
        if day not in known:
            raise ConfigError(f"{runs.folder} holds no night of {day}")
        return [day]
    if not known:
        begin = command.command_line(
            "run", pipeline.path, "--date", "YYYY-MM-DD", overrides=pipeline.overrides, root=runs.root
        )
        raise ConfigError(f"{runs.folder} holds no nights yet; begin with `{begin}`")
    return known


def write_json(value: Any) -> None:
    """JSON on standard output, and nothing else."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))
