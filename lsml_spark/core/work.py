"""What a stage is given and what it gives back: the whole interface between `flow` and the stages."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Manifest, Table, checksum_of

# stages beside those of a night
BESIDE = {"pilot": "pilot", "label": "label", "released": "quarantine release"}


def gone_champion(lost: str, instead: str | None) -> str:
    """What is said where the folder of the model that was promoted last is not there any more."""
    next_one = (
        f"the model of {instead}, which stood before it, takes its place"
        if instead
        else "no promoted model is left, so none stands"
    )
    return f"the folder of the champion, the model of {lost}, is gone: {next_one}"


@dataclass(frozen=True)
class Source:
    """An input folder with its manifest."""

    folder: Path
    manifest: Manifest

    def files(self, table: str) -> list[Path]:
        """Paths of a table's Parquet files, in the manifest's order."""
        return [self.folder / file.path for file in self.manifest.tables[table].files]

    def file(self, name: str) -> Path:
        """Path of a file that is no table. IntegrityError where its bytes are not those that were written: it
        is read and hashed.
        """
        file = next((file for file in self.manifest.files if file.path == name), None)
        if file is None:
            raise IntegrityError(f"{self.folder}: its manifest names no file '{name}'")
        path = self.folder / name
        try:
            checksum = checksum_of(path, file.checksum.partition(":")[0])
        except (OSError, ValueError) as error:
            raise self.damaged(path, str(error)) from error
        if checksum != file.checksum:
            raise self.damaged(path, "its bytes are not those that were written")
        return path

    def json(self, name: str) -> Any:
        """What a JSON file says."""
        path = self.file(name)
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise self.damaged(path, str(error)) from error

    def damaged(self, path: Path, why: str) -> IntegrityError:
        """The error for a file of this folder, with the command that makes it anew."""
        again = f"`lsml run … --date {self.manifest.date} --from {self.manifest.stage}`"
        if self.manifest.stage in BESIDE:
            again = f"`lsml {BESIDE[self.manifest.stage]} … --date {self.manifest.date}`"
        return IntegrityError(f"{path}: damaged ({why}); {again} makes it anew")


@dataclass(frozen=True)
class Work:
    """One stage of one night: where to read, where to write, which seed."""

    pipeline: str
    stage: str
    date: datetime.date  # the logical date of the night
    seed: int
    folder: Path  # exists and is empty
    inputs: Mapping[str, Source] = field(default_factory=dict)
    raw: tuple[Path, ...] = ()  # raw files, for the stage that reads them
    raw_root: Path | None = None  # the folder below which they lie


def raw_name(path: Path, root: Path | None) -> str:
    """What a raw file is called in rows, findings and manifests: its path below the raw folder."""
    return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else path.name


@dataclass(frozen=True)
class Outcome:
    """What a stage did. `metrics` are for the report; `run` holds what is true but not reproducible (times,
    rates).

    `failed` is a sentence when the data are not fit to go on: the folder is kept, the night stops (exit code
    3).
    """

    ledger: Ledger
    tables: Mapping[str, Table] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    failed: str | None = None
