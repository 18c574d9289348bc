"""One stage of one night, as `jobs/<stage>.py` runs it: by python, spark-submit or, for train, torchrun."""

import argparse
import os
from pathlib import Path

from lsml_spark.core.errors import ConfigError
from lsml_spark.flow import checked, extras, launch, log
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.lock import writing
from lsml_spark.flow.night import catch_up, point_to_champion, publish, refuse_missing_day, run_stage
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.flow.produce import Night, refuse_failed


def run(stage: str, arguments: argparse.Namespace) -> int:
    """The exit code, as of `lsml run`. `arguments`: config, date, root, set."""
    log.to_console()
    try:
        with guarded():
            _run(stage, arguments.config, arguments.date, arguments.root, arguments.set)
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def _run(stage: str, config: Path, date: str, root: Path, overrides: list[str]) -> None:
    extras.check([stage])
    if (
        "PYSPARK_GATEWAY_PORT" in os.environ
        and "?" in f"{config}{root}"
        and not (config.exists() and root.exists())
    ):
        raise ConfigError(
            f"--config {config} --root {root}: spark-submit could not read a letter; call it with "
            "LC_ALL=C.UTF-8"
        )
    pipeline = Pipeline(config, overrides)
    night = Night(pipeline, Runs(root.resolve(), pipeline.name), parse_date(date))
    if launch.under_torchrun():
        if stage != "train":
            raise ConfigError(
                f"torchrun starts jobs/train.py alone; run jobs/{stage}.py with python or spark-submit"
            )
        _as_rank(night)
        return
    checked.first([night], [stage])
    with writing(night.runs):
        if stage == "quality":
            refuse_missing_day(night)
        if stage in ("quality", "prepare"):
            catch_up(night)
        source, _ = run_stage(night, stage)
        refuse_failed(night, source)
        if stage == "promote":
            point_to_champion(night.runs)
        if stage == "report":
            publish(night)


def _as_rank(night: Night) -> None:
    """The train stage on every process that torchrun started; the first one keeps the books."""
    if launch.first_rank():
        with writing(night.runs):
            _, fresh = run_stage(night, "train")
            if not fresh:
                launch.follow()  # lets the waiting ranks go
    else:
        launch.follow()
