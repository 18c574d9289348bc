"""One folder of a night: as it is where nothing that it depends on has changed, else made anew, its manifest
last.
"""

import datetime
import importlib.metadata
import logging
import platform
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lsml_spark import __version__
from lsml_spark.core import manifest, variables
from lsml_spark.core.command import command_words
from lsml_spark.core.config import digest
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, QualityGateError
from lsml_spark.core.manifest import Input, Manifest
from lsml_spark.core.work import Outcome, Source, Work, raw_name
from lsml_spark.flow import wiring
from lsml_spark.flow.dates import days_before
from lsml_spark.flow.history import History
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.log import say
from lsml_spark.flow.pipeline import Pipeline


@dataclass(frozen=True)
class Night:
    """One logical date of one pipeline."""

    pipeline: Pipeline
    runs: Runs
    date: datetime.date

    @cached_property
    def history(self) -> History:
        """The nights before it, listed when the first stage looks back: after the days of its window have
        been checked.
        """
        return History(self.runs, self.date)

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
    """The folder of `stage` with its manifest: as it is where nothing it depends on has changed, else what
    `make` gives.
    """
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
    context = wiring.context(night.history, stage)
    root = night.pipeline.raw_days.folder(night.date) if raw else None
    work = Work(
        night.pipeline.name, stage, night.date, seed, folder, {**context, **sources}, tuple(raw), root
    )
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
        metrics=variables.masked(
            {**outcome.metrics, **({"failed": outcome.failed} if outcome.failed else {})}
        ),
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

    A night of a pipeline with `on_gate: train_on_last_good` goes on all the same, except where the `gate`
    itself is asked.
    """
    made = source.manifest
    failed = made.metrics.get("failed")
    if not failed:
        return
    if made.stage == "quality" and made.settings.get("on_gate") == "train_on_last_good" and not gate:
        say(
            night.date, "quality", f"the day is held back, the night goes on with the last good one: {failed}"
        )
        return
    raise QualityGateError(f"{made.stage} of {made.date}: {failed}")


def config_of(night: Night, stage: str) -> dict[str, Any]:
    """What a stage's manifest says of its config: with variables masked, and their values as keyed
    digests.
    """
    config = night.pipeline.resolved(stage)
    if names := night.pipeline.secrets_of(stage):
        config |= {"variables": variables.digests(names, night.runs.folder)}
    return config | {"window": night.pipeline.general.window} if stage == "prepare" else config


def _inputs(night: Night, sources: Mapping[str, Source], raw: Sequence[Path]) -> dict[str, Input]:
    read = {}
    for name, source in sources.items():
        path = source.folder.relative_to(night.runs.folder).as_posix()
        read[name] = Input(path, source.manifest.identity)
    root = night.pipeline.raw_days.folder(night.date) if raw else None
    return read | {
        raw_name(path, root): Input(variables.mask(str(path)), manifest.sha256_of(path)) for path in raw
    }


def _complete(source: Source) -> bool:
    """Every named file is there at its size; `lsml verify` reads the bytes."""

    def same(file: manifest.File) -> bool:
        path = source.folder / file.path
        return path.is_file() and path.stat().st_size == file.bytes

    return all(same(file) for file in source.manifest.all_files())


def _clear(folder: Path, stage: str) -> None:
    """An empty folder. The manifest goes first: without it, what is left of a killed clean-up does not exist.

    Files of other programs whose names begin with a dot may stay: a file system can keep `.nfs…` until its
    last reader is gone.
    """
    if folder.is_symlink():
        raise ConfigError(
            f"{folder} is a link to {folder.readlink()}, and stage {stage} must be run anew, which would "
            "empty that folder; "
            "replace the link by the folder itself, or remove the link (links to a whole night or to the "
            "root are fine)"
        )
    (folder / manifest.NAME).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if left := [path for path in folder.iterdir() if not path.name.startswith(".")]:
        raise EnvironmentProblem(
            f"{left[0]}: cannot be removed, and stage {stage} needs an empty folder; remove it by hand"
        )


def _versions() -> dict[str, str]:
    versions = {"lsml_spark": __version__, "python": platform.python_version()}
    for name in ("pyspark", "pyarrow", "numpy", "torch"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _summary(written: Manifest, seconds: float) -> str:
    ledger = written.ledger
    parts = [f"done in {seconds:.1f} s"]
    if ledger.rows_in or ledger.rows_out:
        parts.append(f"{ledger.rows_in} rows in, {ledger.rows_out} out")
    for word, counts in (("quarantined", ledger.quarantined), ("dropped", ledger.dropped)):
        if total := sum(counts.values()):
            parts.append(f"{total} {word}")
    return ", ".join(parts)
