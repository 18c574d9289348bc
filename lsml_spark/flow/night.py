"""A night: its stages in order, each only where its inputs, config or files have changed since its manifest
was written.
"""

import dataclasses
import datetime
import importlib.metadata
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from lsml_spark.core import duration, manifest
from lsml_spark.core.errors import ConfigError, IntegrityError, LsmlError, QualityGateError, Stopped
from lsml_spark.core.stages import SPARK_STAGES, STAGES, until
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.flow import extras, launch, log, quarantine, wiring
from lsml_spark.flow.history import History
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.log import say
from lsml_spark.flow.pipeline import stage_module
from lsml_spark.flow.produce import Night, config_of, produce, refuse_failed


def run(night: Night, first: str | None = None, last: str | None = None) -> list[str]:
    """Run what is not done of stages up to `last`, and in any case from `first` on; the names of the stages
    that ran.

    A stage that runs makes all that follow it in this night run too. Where the quality gate or a failed
    training stops the night, the report is written before the error is raised.
    """
    stages = until(last) if last else STAGES
    if first and first not in stages:
        raise ConfigError(f"--from {first} comes after --until {last}: nothing to run")
    extras.check(stages)
    night.pipeline.check(stages)
    refuse_missing_day(night)
    ran: list[str] = []
    if "prepare" in stages:
        catch_up(night)  # before the day itself, which is judged against those before it
    for stage in stages:
        forced = bool(ran) or (first is not None and STAGES.index(stage) >= STAGES.index(first))
        try:
            source, fresh = run_stage(night, stage, forced)
            refuse_failed(night, source)
        except LsmlError as error:
            # who sends SIGTERM does not wait for long
            if "report" in stages and not isinstance(error, Stopped):
                report_what_there_is(night)
            raise
        if stage == "promote":
            point_to_champion(night.runs)
        if fresh:
            ran.append(stage)
    if "report" in stages:
        publish(night)
    return ran


def refuse_missing_day(night: Night) -> None:
    """NoRawDay where the day has no raw files: asked first, it is not worth an hour of catching up."""
    _raw_files(night)


def catch_up(night: Night) -> None:
    """Run the quality stage of days in the window that have raw files and were never found fit under this
    config.

    A day that is clean already stays as it is, even when its raw file is gone by now: logs rotate, clean days
    stay.
    """
    days = [day for day in night.window() if _unchecked(night, day)]
    if len(days) > 1:
        say(
            night.date,
            "quality",
            f"{len(days)} days of the window are checked first, {days[0]} to {days[-1]}",
        )
    began = time.monotonic()
    for i, day in enumerate(days, 1):
        if i == 2:
            began = time.monotonic()  # the first day pays for the start of Spark
        left = (time.monotonic() - began) / max(i - 2, 1) * (len(days) - i)
        still = f", {duration.said(left)} left" if i > 2 and left else ""
        note = f"day {i} of {len(days)}, history of the window{still}"
        source, _ = run_stage(dataclasses.replace(night, date=day), "quality", note=note)
        if failed := source.manifest.metrics.get("failed"):
            say(day, "quality", f"left out of the window: {failed}")


def _unchecked(night: Night, day: datetime.date) -> bool:
    """Whether a day has raw files and was never found fit under this config."""
    known = night.runs.source(day, "quality")
    if (
        known
        and not known.manifest.metrics.get("failed")
        and known.manifest.config == config_of(night, "quality")
    ):
        return False
    try:
        return bool(night.pipeline.raw_files(day))
    except QualityGateError as error:  # there, but not fit to be read
        say(day, "quality", f"left out of the window: {error}")
        return False


def run_stage(night: Night, stage: str, forced: bool = False, note: str = "") -> tuple[Source, bool]:
    """The finished folder of one stage, and whether it had to be run. `note` is said behind what it did."""
    raw = _raw_files(night) if stage == "quality" else ()
    needs = getattr(night.pipeline.config(stage), "needs", ())
    sources = wiring.inputs(night.history, stage, night.pipeline.general.window, needs)
    for warning in wiring.warnings(night.history, stage, sources):
        say(night.date, stage, warning, logging.WARNING)
    source, fresh = produce(
        night,
        stage,
        sources,
        raw,
        config_of(night, stage),
        lambda work: _call(night, stage, work),
        forced,
        note,
    )
    if stage == "quality" and fresh and night.runs.source(night.date, "released"):
        quarantine.refresh(night)
    return source, fresh


def point_to_champion(runs: Runs) -> None:
    """Let `promoted.json` name the model that stands after the latest night, for those who score with it."""
    if runs.pointer.is_dir():
        raise IntegrityError(
            f"{runs.pointer}: a folder where a file of ours belongs; move it away and run the night again"
        )
    standing = History(runs, datetime.date.max).standing.model
    if standing is None:
        runs.pointer.unlink(missing_ok=True)
        return
    made = standing.manifest
    pointer = {
        "night": made.date,
        "folder": standing.folder.relative_to(runs.folder).as_posix(),
        "identity": made.identity,
    }
    partial = runs.pointer.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(pointer, indent=1) + "\n")
    partial.replace(runs.pointer)


def report(night: Night) -> None:
    """Write the page of a night anew from what its stages left."""
    night.pipeline.check(["report"])
    run_stage(night, "report", forced=True)


def report_what_there_is(night: Night) -> None:
    """The page of a night that an error has stopped; what goes wrong here must not hide that error."""
    if not night.runs.stage(night.date, "quality").joinpath(manifest.NAME).exists():
        return  # nothing was found out about that day
    try:
        report(night)
        publish(night)
    except (LsmlError, OSError) as error:
        say(night.date, "report", f"could not be written: {error}")


def publish(night: Night) -> Path:
    """Rebuild the site of the pipeline from the nights' pages."""
    site = importlib.import_module("lsml_spark.report.site")
    return site.publish(night.runs.root, night.pipeline.name)


def _call(night: Night, stage: str, work: Work) -> Outcome:
    module = stage_module(stage)
    config: Any = night.pipeline.config(stage)  # of the stage's own type
    if stage in SPARK_STAGES:
        from lsml_spark.spark.session import session

        return module.run(work, config, session(night.pipeline.spark_settings))
    if stage == "train":
        from lsml_spark.train.books.progress import passing

        def tell(line: str) -> None:
            say(night.date, stage, line, passing=passing(line))

        launcher, start = launch.choose(config.launcher, night.pipeline.spark_settings, tell)
        try:
            outcome = module.run(work, config, start)
        finally:
            log.end_line()
        return dataclasses.replace(outcome, run={**outcome.run, "launcher": launcher})
    if stage == "evaluate":
        night.pipeline.import_named()
    return module.run(work, config)


def _raw_files(night: Night) -> tuple[Path, ...]:
    files = tuple(night.pipeline.raw_files(night.date))
    if not files:
        raise night.pipeline.raw_days.missing(night.date)
    return files
