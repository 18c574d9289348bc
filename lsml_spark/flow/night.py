"""A night: its stages in order, each only where its inputs, config or files have changed since its manifest was written."""

import dataclasses
import datetime
import importlib.metadata
import json
import logging
import os
import platform
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsml_spark import __version__
from lsml_spark.core import duration, manifest, variables
from lsml_spark.core.command import command_words
from lsml_spark.core.config import digest
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError, LsmlError, QualityGateError, Stopped
from lsml_spark.core.manifest import Input, Manifest
from lsml_spark.core.work import Outcome, Source, Work, raw_name
from lsml_spark.flow import extras, launch, log, wiring
from lsml_spark.flow.dates import days_before
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.log import say
from lsml_spark.flow.pipeline import STAGES, Pipeline, stage_module

SPARK_STAGES = STAGES[:7]


@dataclass(frozen=True)
class Night:
    """One logical date of one pipeline."""

    pipeline: Pipeline
    runs: Runs
    date: datetime.date

    def window(self) -> list[datetime.date]:
        """The days of history before the logical date, oldest first."""
        return days_before(self.date, self.pipeline.general.window)

    def words(self, verb: str, *words: str) -> list[str]:
        """`lsml VERB …` for this night, with the pipeline, `--set` and `--root` that it was called with."""
        pipeline = self.pipeline
        dated = ("--date", self.date.isoformat(), *words)
        return command_words(verb, pipeline.path, *dated, overrides=pipeline.overrides, root=self.runs.root)

    def command(self, verb: str, *words: str) -> str:
        """The same for a shell; can be pasted."""
        return shlex.join(self.words(verb, *words))


def run(night: Night, first: str | None = None, last: str | None = None) -> list[str]:
    """Run what is not done of stages up to `last`, and in any case from `first` on; the names of the stages that ran.

    A stage that runs makes all that follow it in this night run too. Where the quality gate or a failed training stops
    the night, the report is written before the error is raised.
    """
    stages = STAGES[: STAGES.index(last) + 1] if last else STAGES
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
            if "report" in stages and not isinstance(error, Stopped):  # who sends SIGTERM does not wait for long
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
    """Run the quality stage of days in the window that have raw files and were never found fit under this config.

    A day that is clean already stays as it is, even when its raw file is gone by now: logs rotate, clean days stay.
    """
    days = [day for day in night.window() if _unchecked(night, day)]
    if len(days) > 1:
        say(night.date, "quality", f"{len(days)} days of the window are checked first, {days[0]} to {days[-1]}")
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
    if known and not known.manifest.metrics.get("failed") and known.manifest.config == config_of(night, "quality"):
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
    sources = wiring.inputs(night.runs, night.date, stage, night.pipeline.general.window, needs)
    for warning in wiring.warnings(night.runs, night.date, stage, sources):
        say(night.date, stage, warning, logging.WARNING)
    source, fresh = produce(night, stage, sources, raw, config_of(night, stage), lambda work: _call(night, stage, work), forced, note)
    if stage == "quality" and fresh and night.runs.source(night.date, "released"):
        from lsml_spark.flow import quarantine  # which runs on this module

        quarantine.refresh(night)
    return source, fresh


def produce(
    night: Night,
    stage: str,
    sources: Mapping[str, Source],
    raw: Sequence[Path],
    config: dict[str, Any],
    make: Callable[[Work], Outcome],
    forced: bool = False,
    note: str = "",
) -> tuple[Source, bool]:
    """The folder of `stage` with its manifest: as it is where nothing it depends on has changed, else what `make` gives."""
    read = _inputs(night, sources, raw)
    seed = night.pipeline.general.seed
    fingerprint = digest(
        {
            "stage": stage,
            "date": night.date.isoformat(),
            "seed": seed,
            "config": config,
            "inputs": {name: i.identity for name, i in read.items()},
        }
    )
    known = night.runs.source(night.date, stage)
    if known is not None and not forced and known.manifest.fingerprint == fingerprint and _complete(known):
        say(night.date, stage, "up to date")
        return known, False

    folder = night.runs.stage(night.date, stage)
    _clear(folder, stage)
    context = wiring.context(night.runs, night.date, stage)
    root = night.pipeline.raw_days.folder(night.date) if raw else None
    work = Work(night.pipeline.name, stage, night.date, seed, folder, {**context, **sources}, tuple(raw), root)
    say(night.date, stage, "started", logging.DEBUG)
    started = datetime.datetime.now(datetime.UTC)
    clock = time.monotonic()
    try:
        outcome = make(work)
    except BaseException:
        with suppress(OSError):  # they are not empty
            folder.rmdir()
            folder.parent.rmdir()
        raise
    outcome.ledger.check(f"{stage} of {night.date}")
    seconds = round(time.monotonic() - clock, 3)
    written = Manifest(
        stage=stage,
        pipeline=night.pipeline.name,
        date=night.date.isoformat(),
        seed=seed,
        config=config,
        fingerprint=fingerprint,
        inputs=read,
        tables=outcome.tables,
        files=outcome.files,
        ledger=outcome.ledger,
        metrics=variables.masked({**outcome.metrics, **({"failed": outcome.failed} if outcome.failed else {})}),
        run={
            "started": started.isoformat(timespec="seconds"),
            "seconds": seconds,
            "host": platform.node(),
            "versions": _versions(),
            "command": night.words("run"),
            **outcome.run,
        },
    )
    written.write(folder)
    say(night.date, stage, f"{_summary(written, seconds)}{f' ({note})' if note else ''}")
    return Source(folder, written), True


def refuse_failed(night: Night, source: Source, gate: bool = False) -> None:
    """QualityGateError where a stage found its data not fit to go on.

    A night of a pipeline with `on_gate: train_on_last_good` goes on all the same, except where the `gate` itself is asked.
    """
    made = source.manifest
    failed = made.metrics.get("failed")
    if not failed:
        return
    if made.stage == "quality" and made.settings.get("on_gate") == "train_on_last_good" and not gate:
        say(night.date, "quality", f"the day is held back, the night goes on with the last good one: {failed}")
        return
    raise QualityGateError(f"{made.stage} of {made.date}: {failed}")


def point_to_champion(runs: Runs) -> None:
    """Let `promoted.json` name the model that stands after the latest night, for those who score with it."""
    if runs.pointer.is_dir():
        raise IntegrityError(f"{runs.pointer}: a folder where a file of ours belongs; move it away and run the night again")
    standing = wiring.champion(runs, datetime.date.max)
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
        night.pipeline.config("train")  # imports the module of a model of the user's, which no model folder may do
    return module.run(work, config)


def _raw_files(night: Night) -> tuple[Path, ...]:
    files = tuple(night.pipeline.raw_files(night.date))
    if not files:
        raise night.pipeline.raw_days.missing(night.date)
    return files


def _inputs(night: Night, sources: Mapping[str, Source], raw: Sequence[Path]) -> dict[str, Input]:
    read = {}
    for name, source in sources.items():
        path = source.folder.relative_to(night.runs.folder).as_posix()
        read[name] = Input(path, source.manifest.identity)
    root = night.pipeline.raw_days.folder(night.date) if raw else None
    return read | {raw_name(path, root): Input(variables.mask(str(path)), manifest.sha256_of(path)) for path in raw}


def config_of(night: Night, stage: str) -> dict[str, Any]:
    """What a stage's manifest says of its config: with variables masked, and their values as keyed digests."""
    config = night.pipeline.resolved(stage)
    if names := night.pipeline.secrets_of(stage):
        config |= {"variables": variables.digests(names, night.runs.folder)}
    return config | {"window": night.pipeline.general.window} if stage == "prepare" else config


def _complete(source: Source) -> bool:
    """Every named file is there at its size; `lsml verify` reads the bytes."""

    def same(file: manifest.File) -> bool:
        path = source.folder / file.path
        return path.is_file() and path.stat().st_size == file.bytes

    return all(same(file) for file in source.manifest.all_files())


def _clear(folder: Path, stage: str) -> None:
    """An empty folder. The manifest goes first: without it, what is left of a killed clean-up does not exist.

    Files of other programs whose names begin with a dot may stay: a file system can keep `.nfs…` until its last reader is gone.
    """
    if folder.is_symlink():
        raise ConfigError(
            f"{folder} is a link to {folder.readlink()}, and stage {stage} must be run anew, which would empty that folder; "
            "replace the link by the folder itself, or remove the link (links to a whole night or to the root are fine)"
        )
    (folder / manifest.NAME).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if left := [path for path in folder.iterdir() if not path.name.startswith(".")]:
        raise EnvironmentProblem(f"{left[0]}: cannot be removed, and stage {stage} needs an empty folder; remove it by hand")


def _versions() -> dict[str, str]:
    found = {"lsml_spark": __version__, "python": platform.python_version()}
    for name in ("pyspark", "pyarrow", "numpy", "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _summary(written: Manifest, seconds: float) -> str:
    ledger = written.ledger
    parts = [f"done in {seconds:.1f} s"]
    if ledger.rows_in or ledger.rows_out:
        parts.append(f"{ledger.rows_in} rows in, {ledger.rows_out} out")
    for word, counts in (("quarantined", ledger.quarantined), ("dropped", ledger.dropped)):
        if total := sum(counts.values()):
            parts.append(f"{total} {word}")
    return ", ".join(parts)
