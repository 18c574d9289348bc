"""Where shards lie: a local folder, or HDFS, S3 or GCS through pyarrow.fs, read by byte ranges and with
patience.

A store that fails now and then is asked again, after a growing pause with jitter (Brooker, "Exponential
Backoff and Jitter", AWS 2015). What is not there, or not what it should be, is not asked for twice: I/O is
retried below Parquet, so that damaged bytes are never taken for a flaky store.
"""

import io
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pyarrow import fs

from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError
from lsml_spark.core.manifest import NAME, Manifest, parse

T = TypeVar("T")
# asking again does not help
LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
PARQUET, HIDDEN = ".parquet", "._"  # how a file's name ends, and how those that are left out begin
JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Patience:
    """How often an OSError is met by another try: pauses of `first` seconds, doubled up to `longest`, each
    cut by up to a half.
    """

    retries: int = 4
    first: float = 0.1
    longest: float = 10.0
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, what: Callable[[], T], name: str) -> T:
        """What `what()` gives. EnvironmentProblem, naming `name`, after the last try; an error that lasts is
        raised as it is.
        """
        for number in range(self.retries + 1):
            try:
                return what()
            except LASTING:
                raise
            except OSError as error:
                if number == self.retries:
                    text = " ".join(str(error).split())
                    raise EnvironmentProblem(
                        f"{name}: cannot be read after {number + 1} tries ({text}); is the store in reach?"
                    ) from error
            self.sleep(min(self.longest, self.first * 2**number) * JITTER.uniform(0.5, 1.0))
        raise AssertionError("unreachable")


PATIENT = Patience()


@dataclass(frozen=True)
class Store:
    """`filesystem` None: paths of this machine, which are memory-mapped."""

    filesystem: fs.FileSystem | None = None
    patience: Patience = PATIENT

    @classmethod
    def of(
        cls, path: str | Path, filesystem: fs.FileSystem | None = None, patience: Patience = PATIENT
    ) -> tuple["Store", str]:
        """The store that a path or URI (file://, hdfs://, s3://, gs://) names, and the path in it.
        ConfigError for one that is unknown.
        """
        text = str(path)
        if filesystem is None and "://" in text:
            try:
                filesystem, text = fs.FileSystem.from_uri(text)
            except (ValueError, OSError, NotImplementedError) as error:
                raise ConfigError(
                    f"{path}: not a store that pyarrow {_version()} knows ({' '.join(str(error).split())})"
                ) from error
        return cls(None if isinstance(filesystem, fs.LocalFileSystem) else filesystem, patience), text

    def file(self, path: str) -> "RetryingFile":
        """A remote file, for pyarrow to read ranges of."""
        return RetryingFile(self, path)

    def list(self, folder: str) -> list[str]:
        """Paths of the Parquet files below a folder, sorted; hidden ones and those below `_…` are left out.

        Links of this machine are followed, each folder and file is there once; IntegrityError names a link
        that leads nowhere.
        """
        if self.filesystem is None:
            return sorted(_local_files(folder))
        chosen = fs.FileSelector(folder, recursive=True)
        infos = self.patience(lambda: self.filesystem.get_file_info(chosen), folder)  # type: ignore[union-attr]
        below = [
            (info.path, info.path[len(folder) :].strip("/").split("/"))
            for info in infos
            if info.type == fs.FileType.File
        ]
        return sorted(
            path
            for path, parts in below
            if path.endswith(PARQUET) and not any(part[0] in HIDDEN for part in parts)
        )

    def kind(self, path: str) -> Literal["folder", "file"] | None:
        """What is there; None where nothing is."""
        if self.filesystem is None:
            return "folder" if os.path.isdir(path) else "file" if os.path.lexists(path) else None
        info = self.patience(lambda: self.filesystem.get_file_info(path), path)  # type: ignore[union-attr]
        return (
            None
            if info.type == fs.FileType.NotFound
            else "folder"
            if info.type == fs.FileType.Directory
            else "file"
        )

    def manifest(self, folder: str) -> Manifest | None:
        """The manifest of a stage folder, None where there is none. IntegrityError where it is damaged."""
        try:
            if self.filesystem is None:
                raw = (Path(folder) / NAME).read_bytes()
            else:
                with self.file(f"{folder.rstrip('/')}/{NAME}") as file:
                    raw = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise EnvironmentProblem(
                f"{folder}/{NAME}: may not be read ({error.strerror or error}); change its permissions"
            ) from error
        except OSError as error:
            raise IntegrityError(
                f"{folder}/{NAME}: cannot be read ({error.strerror or error}); run the stage again"
            ) from error
        return parse(raw, folder)


LOCAL = Store()


def _local_files(folder: str) -> Iterator[str]:
    """Parquet files below a folder. A link may lead to a folder that holds it, or to a file that lies here
    too: each comes once.
    """
    folders, seen, files = [folder], {os.path.realpath(folder)}, set()
    while folders:
        at = folders.pop()
        real = os.path.realpath(at)
        try:
            with os.scandir(at) as listing:
                entries = sorted(listing, key=lambda entry: (entry.is_symlink(), entry.name))
        except PermissionError as error:
            raise EnvironmentProblem(
                f"{at}: may not be read ({error.strerror or error}); change its permissions"
            ) from error
        for entry in entries:
            if entry.name[0] in HIDDEN:
                continue
            path = f"{at.rstrip('/')}/{entry.name}" if at != "." else entry.name
            target = os.path.realpath(path) if entry.is_symlink() else f"{real}/{entry.name}"
            if entry.is_dir():
                if target not in seen:
                    seen.add(target)
                    folders.append(path)
            elif entry.name.endswith(PARQUET):
                if not os.path.exists(path):
                    raise IntegrityError(
                        f"{path}: a link that leads nowhere ({target}); mend it, or take it away"
                    )
                if target not in files:
                    files.add(target)
                    yield path


def _version() -> str:
    import pyarrow

    return str(pyarrow.__version__)


class RetryingFile(io.RawIOBase):
    """A file of a remote store whose reads are tried again, on a fresh connection, where they fail."""

    def __init__(self, store: Store, path: str):
        self.store, self.path, self.at = store, path, 0
        self.source: Any = None
        self.length: int = store.patience(self._open, path)

    def _open(self) -> int:
        assert self.store.filesystem is not None
        self.source = self.store.filesystem.open_input_file(self.path)
        return int(self.source.size())

    def read(self, size: int | None = -1) -> bytes:
        length = self.length - self.at if size is None or size < 0 else min(size, self.length - self.at)
        start = self.at

        def once() -> bytes:
            if self.source is None:
                self._open()
            try:
                return bytes(self.source.read_at(length, start))
            except OSError:
                self._let_go()
                raise

        content = self.store.patience(once, self.path) if length > 0 else b""
        self.at += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.length}[whence]
        return self.at

    def _let_go(self) -> None:
        if self.source is not None:
            self.source.close()
            self.source = None

    def close(self) -> None:
        self._let_go()
        super().close()

    def tell(self) -> int:
        return self.at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
