"""The nights from one date to another, in order; first it asks on which days raw files lie."""

import datetime
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lsml_spark.core.config import render
from lsml_spark.core.errors import NoRawDay, QualityGateError
from lsml_spark.flow import log, night
from lsml_spark.flow.dates import date_of
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import Pipeline

DATE = re.compile(r"(?=([0-9]{4}-[0-9]{2}-[0-9]{2}))")
TOLD = 7  # missing days that are named


@dataclass
class Done:
    """What became of a backfill: the days with raw files, how many stages ran, and why which nights were
    stopped.
    """

    days: list[datetime.date]
    ran: int = 0
    stopped: list[str] = field(default_factory=list)


def run(pipeline: Pipeline, runs: Runs, days: Sequence[datetime.date]) -> Done:
    """A night that its quality gate stops does not stop the later ones, which leave that day out."""
    done = Done(list(days))
    for i, day in enumerate(days, 1):
        log.say(day, "night", f"{i} of {len(days)}")
        try:
            done.ran += len(night.run(night.Night(pipeline, runs, day)))
        except (QualityGateError, NoRawDay) as error:  # the file may have been taken away meanwhile
            done.stopped.append(str(error))
    return done


def days(pipeline: Pipeline, start: datetime.date, end: datetime.date) -> list[datetime.date]:
    """The days from `start` to `end` with raw files. NoRawDay where there is none. Does not try every date
    there is.
    """
    possible = _dates_in_names(pipeline)
    if possible is None:  # every day has the same files
        due = [datetime.date.fromordinal(number) for number in range(start.toordinal(), end.toordinal() + 1)]
    else:
        due = [day for day in sorted(possible) if start <= day <= end]
    there = [day for day in due if _there(pipeline, day)]
    if not there:
        raise NoRawDay(
            f"no raw file for any day from {start} to {end}; see raw.folder and raw.files in {pipeline.path}"
        )
    return there


def missing(days: Sequence[datetime.date], start: datetime.date, end: datetime.date) -> str | None:
    """A sentence on the days between the first and the last day with raw files that have none; None where
    there are all.
    """
    known = set(days)
    numbers = range(max(start, days[0]).toordinal(), min(end, days[-1]).toordinal() + 1)
    lacking = [day for number in numbers if (day := datetime.date.fromordinal(number)) not in known]
    outside = [
        f"{word} {day}"
        for word, day, none in (("before", days[0], start < days[0]), ("after", days[-1], days[-1] < end))
        if none
    ]
    parts = []
    if lacking:
        more = f" and {len(lacking) - TOLD} more" if len(lacking) > TOLD else ""
        parts.append(f"{', '.join(map(str, lacking[:TOLD]))}{more}")
    parts += [f"all {word}" for word in outside]
    return f"no raw files, left out: {'; '.join(parts)}" if parts else None


def _there(pipeline: Pipeline, day: datetime.date) -> bool:
    try:
        return bool(pipeline.raw_files(day))
    except QualityGateError:
        return True  # it is there and cannot be read; the night says why


def _dates_in_names(pipeline: Pipeline) -> set[datetime.date] | None:
    """All dates in names below the raw folder, since a day's files have its date in theirs; None where the
    pattern has no date.
    """
    raw = pipeline.general.raw
    one, other = (
        render({"folder": raw.folder, "files": raw.files}, date=date) for date in ("1999-12-30", "2011-02-01")
    )
    if one == other:
        return None
    folders = [
        str((pipeline.path.parent / Path(each["folder"]).expanduser()).absolute()) for each in (one, other)
    ]
    base = Path(os.path.commonpath(folders))
    if not base.is_dir():
        pipeline.raw_files(datetime.date(2011, 2, 1))  # says what is wrong with the folder
    return {day for name in _names(base) for match in DATE.finditer(name) if (day := date_of(match[1]))}


def _names(base: Path) -> Iterator[str]:
    """Paths relative to a folder, of all that lies below it; links to folders are followed once."""
    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(base, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        inside = os.path.relpath(here, base)
        yield from (os.path.join(inside, name) for name in (*folders, *files))
