"""Which files are the raw day of a date: `raw.folder` and `raw.files` of the YAML, followed on the disk.

A day may be files, or folders of part files as Spark, pandas and Dask write them. What the pattern names and
what cannot be read (a dangling link, a table of Delta, a hidden file) is an error, never a day less: a night
must not train without a day because of how it was delivered. No file is read twice in a night, nor as two
days.
"""

import datetime
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lsml_spark.core.config import render
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, NoRawDay, QualityGateError
from lsml_spark.core.raw import Raw
from lsml_spark.flow.glob import matches
from lsml_spark.flow.table_formats import table_format
from lsml_spark.spark.paths import hidden, shown, unspeakable

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # of a store: s3://…, hdfs:/…
PACKED = (".gz", ".bz2", ".xz")
LEFTOVER = re.compile(
    r"~$|\.(bak|orig|tmp|temp|swp|part|filepart|crdownload|download|incomplete)$", re.IGNORECASE
)
TWO_DAYS = ("1999-12-30", "2011-02-01")  # nothing of them is the same


class RawDays:
    """The raw days of one pipeline. Remembers which file it gave to which day."""

    def __init__(self, pipeline: Path, raw: Raw):
        self.pipeline, self.raw = pipeline, raw
        self._given: dict[tuple[int, int, datetime.date | None], tuple[datetime.date, Path]] = {}

    def check(self) -> None:
        """ConfigError where the keys could not name a day's files on any disk."""
        one, other = (self._rendered(date) for date in TWO_DAYS)
        folder, files = one
        if one == other and not self.raw.same_every_day:
            raise self._wrong(
                "files",
                f"neither '{files}' nor the folder has {{{{ date }}}} in it, so every day would get the same "
                "files; "
                "put {{ date }} where the day stands, or say `same_every_day: true`",
            )
        if ADDRESS.match(folder) and not Path(folder).exists():
            raise self._wrong(
                "folder",
                f"raw must be a local path; '{folder}' is an address (mount it, or copy the day first)",
            )
        if not folder.strip():
            raise self._wrong("folder", "is empty; write `.` for the folder of this file")
        parts = files.split("/")
        if not files.strip() or "\0" in files + folder:
            raise self._wrong("files", f"{files!r} names no file")
        if files.startswith("/"):
            raise self._wrong(
                "files",
                f"'{files}' is absolute; the folder belongs into raw.folder, the pattern begins below it",
            )
        if ".." in parts:
            raise self._wrong(
                "files", f"'{files}' leaves raw.folder by '..'; name the folder that holds the days"
            )
        if any("**" in part and part != "**" for part in parts):
            raise self._wrong("files", f"'{files}': '**' (any folders) stands alone between slashes")
        if all(part in ("", ".", "**") for part in parts):
            raise self._wrong("files", f"'{files}' names folders, not files")

    def folder(self, date: datetime.date) -> Path | None:
        """The raw folder of a date; None where only the part of its path that is the day's is missing.

        ConfigError where there is none for any day.
        """
        self.check()
        text, _ = self._rendered(date.isoformat())
        try:
            folder = (self.pipeline.parent / Path(text).expanduser()).resolve()
            there = folder.is_dir()
        except (RuntimeError, OSError, ValueError) as error:  # ~nobody, a link to itself, a name of 300 bytes
            raise self._wrong("folder", f"'{text}': {error}") from error
        if not there and "{{" in self.raw.folder and not folder.exists() and self._undated(text).is_dir():
            return None
        if not there:
            hint = (
                f"write ${{{variable[1]}}}"
                if (variable := re.search(r"\$(\w+)", text))
                else "set it with --set raw.folder=…"
            )
            what = "is a file, no folder" if folder.exists() else f"there is no folder {shown(folder)}"
            raise self._wrong("folder", f"{shown(folder)} {what}" if folder.exists() else f"{what}; {hint}")
        return folder

    def files(self, date: datetime.date) -> list[Path]:
        """The files of a day in name order; none where the pattern names nothing.

        Raises:
            ConfigError: what it names cannot be read under that name, or belongs to two days.
            QualityGateError: a folder that holds no part files, or is still being written.
        """
        folder = self.folder(date)
        if folder is None:
            return []
        _, pattern = self._rendered(date.isoformat())
        paths: list[Path] = []
        try:
            for path in matches(folder, pattern):
                paths += _files_of(path, folder)
            _refuse_tables(paths, folder)
        except OSError as error:
            raise EnvironmentProblem(
                f"{self.pipeline}: raw.files: {error.filename or folder}: {error.strerror}"
            ) from error
        for path in paths:
            self._once(path, date)
        paths.sort()
        self._refuse_packed_twice(paths)
        return paths

    def missing(self, date: datetime.date) -> NoRawDay:
        """The error for a day without raw files."""
        folder, pattern = self._rendered(date.isoformat())
        return NoRawDay(
            f"{date}: no raw file {pattern} in {self.pipeline.parent / folder}: there is no data of that "
            "day, or it has not arrived"
        )

    def _undated(self, folder: str) -> Path:
        """The folder down to where the date stands in its path."""
        parts = Path(self.raw.folder).parts
        first = next(i for i, part in enumerate(parts) if "{{" in part)
        return (self.pipeline.parent / Path(*Path(folder).parts[:first]).expanduser()).resolve()

    def _once(self, path: Path, date: datetime.date) -> None:
        status = path.stat()
        file = (status.st_dev, status.st_ino, date if self.raw.same_every_day else None)
        day, known = self._given.setdefault(file, (date, path))
        # it rotated away, and the number of its inode came back
        if not (known.exists() and known.samefile(path)):
            self._given[file] = (date, path)
        elif day != date:
            raise ConfigError(
                f"{self.pipeline}: raw.files: {shown(path)} would be read as {min(day, date)} and as "
                f"{max(day, date)}"
            )
        elif known != path:
            raise ConfigError(
                f"{self.pipeline}: raw.files: {shown(known)} and {shown(path)} are one file; it would be "
                "read twice"
            )

    def _refuse_packed_twice(self, files: Sequence[Path]) -> None:
        """`a.csv` beside `a.csv.gz` is what unpacking without -k, or packing with it, leaves behind: the same
        rows twice.
        """
        plain: dict[str, Path] = {}
        for path in files:
            unpacked = str(path).removesuffix(path.suffix) if path.suffix in PACKED else str(path)
            if unpacked in plain:
                raise ConfigError(
                    f"{self.pipeline}: raw.files names both {shown(plain[unpacked])} and {shown(path)}, one "
                    "file plain and packed, "
                    "whose rows would be read twice; move one away, or let raw.files name one of them"
                )
            plain[unpacked] = path

    def _rendered(self, date: str) -> tuple[str, str]:
        values: Mapping[str, str] = render({"folder": self.raw.folder, "files": self.raw.files}, date=date)
        return values["folder"], values["files"]

    def _wrong(self, key: str, message: str) -> ConfigError:
        return ConfigError(f"{self.pipeline}: raw.{key}: {message}")


def _files_of(path: Path, root: Path) -> Iterator[Path]:
    if not path.exists():
        raise ConfigError(
            f"{shown(path)} is a link to {os.readlink(path)}, which is not there; mend the link, or remove it"
        )
    _refuse_tables([path / "part"] if path.is_dir() else [], root)
    if path.is_dir():
        parts = sorted(_parts(path))
        if not parts:
            raise QualityGateError(f"{shown(path)}: a folder without a single part file")
    else:
        parts = [path]
        if LEFTOVER.search(path.name):
            raise ConfigError(
                f"{shown(path)} looks like a copy or half a transfer; move it away, or let raw.files name "
                "the day alone"
            )
    for part in parts:
        if not part.is_file():
            raise ConfigError(
                f"{shown(part)} is {'a link that leads nowhere' if part.is_symlink() else 'no plain file'}"
            )
        if reason := unspeakable(part):
            raise ConfigError(f"{shown(part)}: {reason}")
    yield from parts


def _refuse_tables(files: Sequence[Path], root: Path) -> None:
    """Of the folders between a file and the raw folder, which may itself be a partition of a table."""
    top = root
    while "=" in top.name:
        top = top.parent
    for folder in sorted({above for path in files for above in path.parents if above.is_relative_to(top)}):
        if kind := table_format(folder):
            raise ConfigError(
                f"{shown(folder)} is a table of {kind}, whose folder also holds rows that were deleted or "
                "replaced; "
                "write the day out as plain Parquet files and name these in raw.files"
            )


def _parts(folder: Path) -> Iterator[Path]:
    """Files below a folder, less those that are not rows (`_SUCCESS`, `.part-0.crc`). Links to folders are
    not followed.
    """

    def refuse(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(folder, onerror=refuse):
        if "_temporary" in folders:
            raise QualityGateError(
                f"{shown(here)}: holds _temporary: it is still being written, or its writer was stopped"
            )
        for name in folders:
            if Path(here, name).is_symlink():
                raise ConfigError(
                    f"{shown(Path(here, name))} is a link to a folder; links inside the folder of a day are "
                    "not followed"
                )
        folders[:] = sorted(name for name in folders if not hidden(name))
        yield from (Path(here, name) for name in files if not hidden(name))
