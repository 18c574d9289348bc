"""Small nights of the shipped retail days, as a user would run them."""

import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from lsml_spark.cli.main import app
from lsml_spark.core.manifest import Manifest
from lsml_spark.core.stages import STAGES
from lsml_spark.flow.layout import Runs

REPO = Path(__file__).resolve().parents[2]
RETAIL = REPO / "pipelines" / "retail.yaml"
DAYS = REPO / "pipelines" / "data" / "retail"
SMALL = ("window=6", "train.epochs=3", "train.batch=128", "train.model.dim=16", "train.model.hidden=[32]")


def arguments(command: str, *rest: str, root: Path, settings: tuple[str, ...] = SMALL) -> list[str]:
    """The words after `lsml`."""
    sets = (
        [word for setting in settings for word in ("--set", setting)]
        if command in ("run", "backfill", "pilot", "label")
        else []
    )
    return [command, str(RETAIL), *rest, *sets, "--root", str(root)]


def lsml(command: str, *rest: str, root: Path, settings: tuple[str, ...] = SMALL) -> Result:
    """`lsml …` inside this process, so that the suite's Spark session serves it."""
    return CliRunner().invoke(app, arguments(command, *rest, root=root, settings=settings))


def lsml_process(
    command: str, *rest: str, root: Path, settings: tuple[str, ...] = SMALL, **options
) -> subprocess.Popen:
    """`lsml …` as a process group of its own, to be killed."""
    words = [sys.executable, "-m", "lsml_spark", *arguments(command, *rest, root=root, settings=settings)]
    return subprocess.Popen(
        words, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def manifests(root: Path, date: str) -> dict[str, Manifest]:
    """Manifests of a night's finished stages."""
    runs = Runs(root.resolve(), "retail")
    day = datetime.date.fromisoformat(date)
    return {stage: source.manifest for stage in STAGES if (source := runs.source(day, stage))}


def identities(root: Path, date: str, stages: tuple[str, ...] = STAGES[:-1]) -> dict[str, str]:
    """What each stage of a night produced, as hashes; the report's page is left out, it shows timings."""
    return {stage: made.identity for stage, made in manifests(root, date).items() if stage in stages}


def copy_days(folder: Path, *dates: str) -> Path:
    """A raw folder with these shipped days, free to be spoiled."""
    folder.mkdir(parents=True, exist_ok=True)
    for date in dates:
        shutil.copy(DAYS / f"{date}.csv.gz", folder)
    return folder


def plain_environment() -> dict[str, str]:
    """The environment without what a running Spark has put into it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPARK_", "PYSPARK_GATEWAY"))
    }
