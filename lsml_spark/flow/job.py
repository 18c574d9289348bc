"""The command line of `jobs/<stage>.py`: one stage of one night, by spark-submit or, for train, torchrun."""

import argparse
from pathlib import Path

from lsml_spark.core.errors import ConfigError
from lsml_spark.flow import checked, launch, log
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.lock import writing
from lsml_spark.flow.night import Night, catch_up, point_to_champion, publish, refuse_failed, run_stage
from lsml_spark.flow.pipeline import Pipeline


def main(stage: str) -> None:
    """Run `stage` of the night, or find it up to date. Exit codes as for `lsml run`."""
    parser = argparse.ArgumentParser(description=f"Run stage {stage} of one night.")
    parser.add_argument("--config", type=Path, required=True, help="the pipeline's YAML")
    parser.add_argument("--date", required=True, help="logical date, YYYY-MM-DD")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of all runs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the YAML")
    arguments = parser.parse_args()
    log.to_console()
    if not launch.under_torchrun():
        _run(stage, arguments)
        return
    try:
        _run(stage, arguments)
    except SystemExit as error:
        launch.leave(int(error.code or 0))
    launch.leave(0)


def _run(stage: str, arguments: argparse.Namespace) -> None:
    with guarded():
        pipeline = Pipeline(arguments.config, arguments.set)
        night = Night(pipeline, Runs(arguments.root.resolve(), pipeline.name), parse_date(arguments.date))
        if launch.under_torchrun():
            if stage != "train":
                raise ConfigError(f"torchrun starts jobs/train.py alone; run jobs/{stage}.py with python or spark-submit")
            _as_rank(night)
            return
        checked.first([night], [stage])
        with writing(night.runs):
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
