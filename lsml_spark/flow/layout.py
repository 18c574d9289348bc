"""Where things lie: runs/<pipeline>/<date>/<stage>/."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from lsml_spark.core import manifest
from lsml_spark.core.work import Source


@dataclass(frozen=True)
class Runs:
    """The runs of one pipeline below a root folder."""

    root: Path
    pipeline: str

    @property
    def folder(self) -> Path:
        return self.root / self.pipeline

    @property
    def pointer(self) -> Path:
        """The promoted model, for those who score: a JSON file with its folder and identity."""
        return self.folder / "promoted.json"

    def stage(self, date: datetime.date, stage: str) -> Path:
        return self.folder / date.isoformat() / stage

    def source(self, date: datetime.date, stage: str) -> Source | None:
        """A finished stage folder, or None. IntegrityError where its manifest is damaged."""
        folder = self.stage(date, stage)
        found = manifest.read(folder)
        return Source(folder, found) if found else None

    def dates(self) -> list[datetime.date]:
        """Logical dates that have a folder, ascending."""
        if not self.folder.is_dir():
            return []
        return sorted(date for path in self.folder.iterdir() if path.is_dir() and (date := _date(path.name)))

    def latest_before(self, date: datetime.date, stage: str) -> Source | None:
        """That stage of the latest earlier night which finished it."""
        for earlier in reversed([other for other in self.dates() if other < date]):
            source = self.source(earlier, stage)
            if source is not None:
                return source
        return None


def _date(name: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(name)
    except ValueError:
        return None
