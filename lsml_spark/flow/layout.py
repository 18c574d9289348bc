"""Where things lie: runs/<pipeline>/<date>/<stage>/."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from lsml_spark.core import manifest
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.work import Source
from lsml_spark.flow.dates import date_of
from lsml_spark.spark.paths import shown, unspeakable

# of an object store, once `Path` has taken `s3://bucket` for `s3:/bucket`
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True)
class Runs:
    """The runs of one pipeline below a root folder."""

    root: Path
    pipeline: str

    def __post_init__(self) -> None:
        if scheme := next((part for part in self.root.parts if SCHEME.fullmatch(part)), None):
            raise ConfigError(
                f"--root: '{scheme}//…' is no local path, and runs are kept in a local folder; mount it, or "
                "name another"
            )
        if reason := unspeakable(self.root / "-"):
            raise ConfigError(f"--root {shown(self.root)}: {reason}")

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
        made = manifest.read(folder)
        return Source(folder, made) if made else None

    def dates(self) -> list[datetime.date]:
        """Logical dates that have a folder, ascending."""
        if not self.folder.is_dir():
            return []
        return sorted(
            date for path in self.folder.iterdir() if (date := date_of(path.name)) and path.is_dir()
        )
