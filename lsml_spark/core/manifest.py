"""`manifest.json`, written last: a folder without one does not exist.

Two hashes: `identity` covers what the stage produced (rows, files, ledger) and is what later stages depend
on, the same for every partitioning, retry and machine; `checksum` covers the manifest's own bytes, so that
one flipped byte is found.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import xxhash

from lsml_spark.core.config import canonical, digest
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.variables import filled

NAME = "manifest.json"
# of a file's checksum
ALGORITHMS: dict[str, Callable[[], Any]] = {"sha256": hashlib.sha256, "xxh128": xxhash.xxh3_128}


@dataclass(frozen=True)
class File:
    """A data file: its path relative to the stage folder, bytes, checksum; for Parquet also its rows per row
    group.

    `checksum` is "sha256:<hex>", or "xxh128:<hex>" where speed matters more than an adversary: shards.
    """

    path: str
    bytes: int
    checksum: str
    rows: int | None = None
    row_groups: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """A set of Parquet files in the sub-folder `name` of a stage folder.

    `rows_hash` is Σ xxhash64(row) mod 2^64 in hex: the same rows give the same hash in any order, in any
    files.
    """

    columns: Mapping[str, str]
    rows: int
    rows_hash: str
    files: list[File]


@dataclass(frozen=True)
class Input:
    """What a stage read: a stage folder (path relative to the pipeline's runs) by identity, or a raw file by
    sha256.
    """

    path: str
    identity: str


@dataclass(frozen=True)
class Manifest:
    """Everything worth knowing about one stage folder. Fields: docs/reference.md, "manifest.json"."""

    stage: str
    pipeline: str
    date: str
    seed: int
    config: Mapping[str, Any]
    fingerprint: str
    inputs: Mapping[str, Input]
    tables: Mapping[str, Table]
    files: list[File]
    ledger: Ledger
    metrics: Mapping[str, Any]
    run: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The config with what the variables in it are now; on disk stands their names
        (core/variables.py).
        """
        settings: Mapping[str, Any] = filled(self.config)
        return settings

    @property
    def config_hash(self) -> str:
        return digest(self.config)

    @property
    def identity(self) -> str:
        """Hash of what was produced; independent of partitioning, timings and host."""
        return digest(
            {
                "stage": self.stage,
                "date": self.date,
                "fingerprint": self.fingerprint,
                "ledger": asdict(self.ledger),
                "tables": {
                    name: [table.columns, table.rows, table.rows_hash] for name, table in self.tables.items()
                },
                "files": sorted([file.path, file.checksum.removeprefix("sha256:")] for file in self.files),
            }
        )

    def all_files(self) -> list[File]:
        return [file for table in self.tables.values() for file in table.files] + [
            *self.files,
            *self.run_files(),
        ]

    def run_files(self) -> list[File]:
        """Files that differ from run to run, such as times by step: named in `run.files`, checked, no part of
        the identity.
        """
        return [File(**file) for file in self.run.get("files", [])]

    def write(self, folder: Path) -> None:
        """Write atomically: either the whole manifest is there or none."""
        values = {**asdict(self), "config_hash": self.config_hash, "identity": self.identity}
        # as it will be read: keys are strings, and sorted as such
        values = json.loads(json.dumps(values, allow_nan=False))
        values["checksum"] = digest(values)
        partial = folder / f".{NAME}.{os.getpid()}"
        with partial.open("wb") as file:
            file.write(
                json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
                + b"\n"
            )
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / NAME)


def read(folder: Path) -> Manifest | None:
    """The manifest of a stage folder, None where there is none; IntegrityError where its bytes are not as
    written.
    """
    path = folder / NAME
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):  # something else was put into its place
            raise _damaged(folder, error.strerror) from error
        raise
    manifest = parse(raw, folder)
    if json.dumps(json.loads(raw), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n" != raw:
        raise _damaged(folder, "its checksum does not match its bytes")
    return manifest


def parse(raw: bytes, folder: Path | str) -> Manifest:
    """The manifest of a file's bytes; IntegrityError, naming `folder`, where its content is not as written.

    White space is not looked at, which `read` does too and which for ten thousand files takes four times as
    long.
    """
    try:
        values = json.loads(raw)
        checksum = values.pop("checksum")
        if digest(values) != checksum:
            raise ValueError("its checksum does not match its bytes")
        identity, _ = values.pop("identity"), values.pop("config_hash")
        manifest = Manifest(
            **{
                **values,
                "inputs": {name: Input(**item) for name, item in values["inputs"].items()},
                "tables": {
                    name: Table(**{**table, "files": [_file(file) for file in table["files"]]})
                    for name, table in values["tables"].items()
                },
                "files": [_file(file) for file in values["files"]],
                "ledger": Ledger(**values["ledger"]),
            }
        )
        _check_types(manifest)
        for file in manifest.run.get("files", []):
            _file(file)
        if manifest.identity != identity:
            raise ValueError("its identity does not match its contents")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(folder, error) from error
    return manifest


def _check_types(manifest: Manifest) -> None:
    """TypeError for a manifest whose checksum fits, but not what it says: everybody who reads one relies on
    these.
    """
    ledger, tables, inputs, files = (
        manifest.ledger,
        manifest.tables.values(),
        manifest.inputs.values(),
        manifest.all_files(),
    )
    _must((manifest.stage, manifest.pipeline, manifest.date, manifest.fingerprint), str)
    _must((manifest.config, manifest.metrics, manifest.run, manifest.inputs, manifest.tables), dict)
    _must((text for read_ in inputs for text in (read_.path, read_.identity)), str)
    _must((table.columns for table in tables), dict)
    _must((table.rows_hash for table in tables), str)
    _must((table.rows for table in tables), int)
    _must((text for file in files for text in (file.path, file.checksum)), str)
    _must((file.bytes for file in files), int)
    _must((file.rows for file in files), int, type(None))
    _must((file.row_groups for file in files), list)
    _must((rows for file in files for rows in file.row_groups), int)
    _must((manifest.seed, ledger.rows_in, ledger.rows_out), int)
    _must((ledger.quarantined, ledger.dropped, ledger.added), dict)
    _must(
        (count for counts in (ledger.quarantined, ledger.dropped, ledger.added) for count in counts.values()),
        int,
    )


def _must(values: Iterable[object], *types: type) -> None:
    for value in values:
        if type(value) not in types:
            raise TypeError(f"{str(value)[:60]!r} stands where {types[0].__name__} is expected")


def _damaged(folder: Path | str, why: object) -> IntegrityError:
    return IntegrityError(
        f"{folder}/{NAME}: damaged manifest ({why}); delete the folder {folder} and run the night again"
    )


def _file(values: dict[str, Any]) -> File:
    """A file's entry; nights written before there were other checksums than sha256 say just that."""
    if "sha256" in values:
        values = {**values, "checksum": f"sha256:{values['sha256']}"}
        del values["sha256"]
    path = values["path"]
    if (
        not isinstance(path, str)
        or path.startswith("/")
        or not path
        or {"..", "."} & set(path.split("/"))
        or "\0" in path
    ):
        raise ValueError(f"the path {path!r} is none within its folder")
    return File(**values)


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, as hex, in bounded memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_of(path: Path, algorithm: str = "sha256") -> str:
    """`<algorithm>:<hex>` of a file's bytes, in bounded memory. ValueError for an algorithm that is not in
    ALGORITHMS.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(
            f"checksum of {path}: there is no algorithm '{algorithm}' (known: "
            f"{', '.join(sorted(ALGORITHMS))})"
        )
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, ALGORITHMS[algorithm]).hexdigest()}"


def describe(folder: Path, path: Path, algorithm: str = "sha256") -> File:
    """The File entry of a finished file inside a stage folder."""
    return File(
        path=path.relative_to(folder).as_posix(),
        bytes=path.stat().st_size,
        checksum=checksum_of(path, algorithm),
    )


def write_json(folder: Path, name: str, value: Any) -> File:
    """Write `value` as deterministic JSON into a stage folder and describe it."""
    path = folder / name
    path.write_bytes(canonical(value) + b"\n")
    return describe(folder, path)
