"""The nights before a date, for all that a night looks back at: its folders are listed once, a manifest is
parsed once.
"""

import datetime
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

from lsml_spark.core import manifest
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import Manifest
from lsml_spark.core.work import Source, gone_champion
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.log import say

_warned: set[str] = set()  # a catch-up of 60 days looks at each of them many times


@lru_cache(maxsize=1024)
def _parsed(folder: Path, _changed: int, _bytes: int) -> Manifest | None:
    return manifest.read(folder)


@dataclass(frozen=True)
class Standing:
    """The train folder of the model that stands, and a sentence where it is not the one that was promoted
    last.
    """

    model: Source | None
    lost: str | None = None


class History:
    """What the nights before `date` left."""

    def __init__(self, runs: Runs, date: datetime.date):
        self.runs, self.date = runs, date

    @cached_property
    def dates(self) -> list[datetime.date]:
        """Of the nights that have a folder, the latest first."""
        return [other for other in reversed(self.runs.dates()) if other < self.date]

    def source(self, date: datetime.date, stage: str) -> Source | None:
        """A finished stage folder of one of them, or None. IntegrityError where its manifest is damaged."""
        folder = self.runs.stage(date, stage)
        try:
            stat = (folder / manifest.NAME).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return self.runs.source(date, stage)  # which says what stands there instead
        made = _parsed(folder, stat.st_mtime_ns, stat.st_size)
        return Source(folder, made) if made else None

    def unless_damaged(self, date: datetime.date, stage: str) -> Source | None:
        """`source` for what a night can do without: None, and a warning, where the manifest is damaged."""
        try:
            return self.source(date, stage)
        except IntegrityError as error:
            if str(error) not in _warned:
                _warned.add(str(error))
                say(date, stage, f"left out: {error}", logging.WARNING)
            return None

    def latest(self, stage: str) -> Source | None:
        """That stage of the latest night that finished it and whose manifest is whole."""
        return next((source for date in self.dates if (source := self.unless_damaged(date, stage))), None)

    def good_days(self, most: int) -> list[Source]:
        """The quality folders of the latest days that passed their gate, the latest first."""
        return list(islice(self._good_days(), most))

    def _good_days(self) -> Iterator[Source]:
        for date in self.dates:
            source = self.unless_damaged(date, "quality")
            if source and not source.manifest.metrics.get("failed"):
                yield source

    @cached_property
    def standing(self) -> Standing:
        """The model that stood before the date; what later nights promoted does not count.

        Where its folder is gone (pruned, say), the one that stood before it takes its place, and so on back.
        """
        gone: list[str] = []
        for earlier in self.dates:
            decided = self.source(earlier, "promote")
            night = decided.json("decision.json")["champion"] if decided else None
            if decided and not night and not gone:
                return Standing(None)  # none had been promoted until then
            if not night or night in gone:
                continue
            model = self.source(datetime.date.fromisoformat(night), "train")
            if model and all((model.folder / file.path).is_file() for file in model.manifest.files):
                return Standing(model, gone_champion(gone[0], night) if gone else None)
            gone.append(night)
        return Standing(None, gone_champion(gone[0], None) if gone else None)
