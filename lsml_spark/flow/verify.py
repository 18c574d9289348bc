"""Recount everything from the files: one chain of hashes from the raw day to the weights.

Names the file where a byte is flipped, a file is missing or one was added; the stage where a row is
unaccounted for or an input is no longer what was read.
"""

import dataclasses
import datetime
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsml_spark.core import manifest
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import File, Table
from lsml_spark.core.raw import Format
from lsml_spark.core.stages import BY_NAME, STAGES, Stage, after
from lsml_spark.core.variables import filled
from lsml_spark.core.work import Source
from lsml_spark.data.parquet.footers import row_groups_differ
from lsml_spark.flow import lock
from lsml_spark.flow.dates import date_of
from lsml_spark.flow.layout import Runs
from lsml_spark.quality.raw.csv_text import records
from lsml_spark.quality.raw.text import physical_lines, plain_name

THREADS = min(8, os.cpu_count() or 1)
# What is made beside a night: its rows in and out, as core/stages.py tells those of the stages.
BESIDE = {
    "released": Stage(
        "released", "spark", "spark", ("quality",), "takes rows out of quarantine", {}, ("clean",)
    ),
    "label": Stage(
        "label",
        "torch",
        "train",
        ("prepare",),
        "queues rows to label",
        {"prepare": ("unlabelled",)},
        ("queue",),
    ),
}


@dataclass
class Checked:
    """How much was looked at."""

    stages: int = 0
    files: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)  # what is no fault, and worth a word


def verify(runs: Runs, dates: Sequence[datetime.date]) -> Checked:
    """Check the nights and the folders of other nights that they read; IntegrityError lists what is wrong, a
    problem a clause.
    """
    checked = Checked()
    folders = [(date, stage) for date in dates for stage in (*STAGES, "released", "pilot", "label")]
    folders += sorted(_read_elsewhere(runs, folders) - set(folders))
    problems = [problem for date, stage in folders for problem in _settled(runs, date, stage, checked)]
    published = list(_site(runs.folder / "site", checked))
    if published and lock.held(runs):
        checked.notes.append(f"{runs.folder / 'site'}: being written by a run that goes on")
    else:
        problems += published
    if not checked.stages:
        raise IntegrityError(f"{runs.folder}: nothing to verify, no stage has finished")
    if problems:
        more = f" (and {len(problems) - 10} more)" if len(problems) > 10 else ""
        raise IntegrityError("; ".join(problems[:10]) + more)
    return checked


def _read_elsewhere(
    runs: Runs, folders: Sequence[tuple[datetime.date, str]]
) -> set[tuple[datetime.date, str]]:
    """The folders that these stages read: clean days of the window, the champion, the night before."""
    inputs = set()
    for date, stage in folders:
        try:
            source = runs.source(date, stage)
        except IntegrityError:
            continue  # said when that stage itself is looked at
        if source is not None and stage != "quality":
            for read in source.manifest.inputs.values():
                night, _, name = read.path.partition("/")
                if day := date_of(night):
                    inputs.add((day, name))
    return inputs


def _settled(runs: Runs, date: datetime.date, stage: str, checked: Checked) -> list[str]:
    """What is wrong with a stage, looked at again where a run has made it anew meanwhile."""
    here = runs.stage(date, stage) / manifest.NAME
    while True:
        before, counted = _state(here), dataclasses.replace(checked)
        problems = list(_stage(runs, date, stage, checked))
        if not problems or _state(here) == before:
            return problems
        checked.stages, checked.files, checked.bytes = counted.stages, counted.files, counted.bytes


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _stage(runs: Runs, date: datetime.date, stage: str, checked: Checked) -> Iterator[str]:
    folder = runs.stage(date, stage)
    try:
        source = runs.source(date, stage)
    except IntegrityError as error:
        yield str(error)
        return
    if source is None:
        if (
            folder.is_dir()
            and any(path.is_file() for path in folder.rglob("*"))
            and _later_stage_done(runs, date, stage)
        ):
            if lock.held(runs):
                checked.notes.append(f"{folder}: being written by a run that goes on")
            else:
                yield f"{folder / manifest.NAME}: missing"
        return
    checked.stages += 1
    broken = list(_files(source, checked))
    yield from broken
    stale = list(_inputs(runs, source))
    if stale and stage != "quality" and lock.held(runs):
        checked.notes.append(f"{folder}: its inputs are being made anew by a run that goes on")
        return
    yield from stale
    if not broken:
        # of a damaged input, which is said when that stage itself is looked at
        with suppress(OSError, pa.ArrowException):
            yield from _rows(runs, source)


def _later_stage_done(runs: Runs, date: datetime.date, stage: str) -> bool:
    return any((runs.stage(date, later) / manifest.NAME).exists() for later in after(stage))


def _files(source: Source, checked: Checked) -> Iterator[str]:
    named = {file.path: file for file in source.manifest.all_files()}
    # reading and hashing release the interpreter's lock
    with ThreadPoolExecutor(THREADS, thread_name_prefix="verify") as pool:
        for file, problem in zip(
            named.values(), pool.map(partial(_file, source), named.values()), strict=True
        ):
            if problem:
                yield problem
            else:
                checked.files += 1
                checked.bytes += file.bytes
    for path in sorted(source.folder.rglob("*")):
        name = path.relative_to(source.folder).as_posix()
        if path.is_file() and name not in named and name != manifest.NAME:
            if path.name.startswith("."):
                checked.notes.append(f"{path}: of another program, not looked at")
            else:
                yield f"{path}: added; no manifest names it"


def _file(source: Source, file: File) -> str | None:
    """What is wrong with a file that the manifest names."""
    path, here = source.folder / file.path, source.folder / manifest.NAME
    # `resolve` raises for a link to itself
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(source.folder)):
        return f"{here}: names a file outside its folder: {file.path}"
    if not path.is_file():
        return f"{path}: missing"
    if (algorithm := file.checksum.partition(":")[0]) not in manifest.ALGORITHMS:
        return f"{here}: {file.path} has a checksum of an unknown kind, '{algorithm}'"
    if path.stat().st_size != file.bytes or manifest.checksum_of(path, algorithm) != file.checksum:
        return f"{path}: its bytes are not those that were written ({algorithm} differs)"
    return None


def _inputs(runs: Runs, source: Source) -> Iterator[str]:
    here = source.folder / manifest.NAME
    for name, read in source.manifest.inputs.items():
        if source.manifest.stage == "quality":
            path = Path(filled(read.path))
            if not path.is_file():
                yield f"{path}: missing, though {here} was made from it"
            elif manifest.sha256_of(path) != read.identity:
                yield f"{path}: changed since {here} was made from it"
            continue
        try:
            made = manifest.read(runs.folder / read.path)
        except IntegrityError:
            continue  # said when that stage itself is looked at
        if made is None:
            yield f"{runs.folder / read.path / manifest.NAME}: missing, though {here} was made from it"
        elif made.identity != read.identity:
            yield f"{here}: input {name} ({read.path}) has changed since; run the night again"


def _rows(runs: Runs, source: Source) -> Iterator[str]:
    made, ledger = source.manifest, source.manifest.ledger
    here = source.folder / manifest.NAME

    def compare(what: str, counted: int, expected: int) -> Iterator[str]:
        if counted != expected:
            yield f"{here}: {what}: the files hold {counted} rows, the ledger says {expected}"

    if ledger.missing:
        yield f"{here}: the ledger does not balance, {ledger.missing} rows unaccounted for"
    for name, table in made.tables.items():
        yield from row_groups_differ(source.folder, table)
        yield from compare(f"table {name}", _parquet_rows(source, table), table.rows)
    stage = {**BESIDE, **BY_NAME}.get(made.stage)
    rows_in, rows_out = (stage.rows_in, stage.rows_out) if stage else ({}, ())
    if rows_out and made.tables:
        names = made.tables if rows_out == "all" else rows_out
        yield from compare(
            "rows out", sum(made.tables[name].rows for name in names if name in made.tables), ledger.rows_out
        )
    if made.stage == "quality" and made.tables:
        paths = [Path(filled(read.path)) for read in made.inputs.values()]
        if all(path.is_file() for path in paths):
            form = Format(**made.settings.get("raw", {}))
            header = form.header and bool(made.settings.get("header", True))
            yield from compare("rows in", sum(_records(path, form, header) for path in paths), ledger.rows_in)
    if made.stage in ("quality", "released") and made.tables:
        counted = _reasons(source)
        for reason in sorted(counted.keys() | ledger.quarantined.keys()):
            yield from compare(
                f"quarantined for '{reason}'", counted.get(reason, 0), ledger.quarantined.get(reason, 0)
            )
    elif made.stage == "prepare":
        yield from compare(
            "rows in",
            sum(_rows_of(runs, read.path, ("clean",)) for read in made.inputs.values()),
            ledger.rows_in,
        )
    elif missing := sorted(rows_in.keys() - made.inputs.keys()):
        yield f"{here}: it names no input '{missing[0]}'"
    elif rows_in:
        taken = sum(_rows_of(runs, made.inputs[name].path, tables) for name, tables in rows_in.items())
        yield from compare("rows in", taken, ledger.rows_in)
    if made.stage in BY_CONTENT:
        yield from compare("rows out", BY_CONTENT[made.stage](source), ledger.rows_out)


def _rows_of(runs: Runs, path: str, tables: Sequence[str]) -> int:
    made = manifest.read(runs.folder / path)
    return (
        sum(_parquet_rows(Source(runs.folder / path, made), made.tables[name]) for name in tables)
        if made
        else -1
    )


def _parquet_rows(source: Source, table: Table) -> int:
    return sum(
        pq.read_metadata(source.folder / file.path).num_rows
        for file in table.files
        if (source.folder / file.path).is_file()
    )


def _reasons(source: Source) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path in source.files("quarantine"):
        for pair in pc.value_counts(pq.read_table(path, columns=["reason"])["reason"]).to_pylist():
            counts[pair["values"]] = counts.get(pair["values"], 0) + pair["counts"]
    return counts


def _records(path: Path, form: Format, header: bool) -> int:
    """Records of a raw file: rows of Parquet, lines of JSON that are not blank, records of CSV; `header`: a
    CSV file's first is none.
    """
    if path.name.endswith(".parquet"):
        return pq.read_metadata(path).num_rows
    lines = physical_lines(path, form)
    if plain_name(path).endswith((".json", ".jsonl", ".ndjson")):
        return sum(1 for line in lines if line.strip(" \r\n"))
    return max(0, sum(1 for _ in records(enumerate(lines, 1), form)) - header)


def _counted_keys(source: Source) -> int:
    return sum(
        pc.sum(pq.read_table(path, columns=["count"])["count"]).as_py() or 0
        for path in source.files("counts")
    )


def _rows_per_epoch(source: Source) -> int:
    """Rows that the last epoch saw; train itself checks every epoch against its plan."""
    return source.json("curve.json")["epochs"][-1]["rows"]


def _scored_rows(source: Source) -> int:
    """Rows scored by the model of the night."""
    tables = [pq.read_table(path, columns=["sample_id"])["sample_id"] for path in source.files("scores")]
    return sum(pc.count_distinct(column).as_py() for column in tables)


BY_CONTENT: dict[str, Callable[[Source], int]] = {
    "zipf": _counted_keys,
    "train": _rows_per_epoch,
    "evaluate": _scored_rows,
}


def _site(site: Path, checked: Checked) -> Iterator[str]:
    """The published pages against the list of checksums that was written with them."""
    listing = site / "checksums.json"
    if not site.is_dir():
        return
    try:
        sums = json.loads(listing.read_text())
    except (OSError, ValueError) as error:
        yield f"{listing}: cannot be read: {error}"
        return
    for name, sha256 in sums.items():
        path = site / name
        if not path.is_file():
            yield f"{path}: missing"
        elif manifest.sha256_of(path) != sha256:
            yield f"{path}: its bytes are not those that were written (sha256 differs)"
        else:
            checked.files += 1
            checked.bytes += path.stat().st_size
    for path in sorted(site.rglob("*")):
        if (
            path.is_file()
            and path != listing
            and path.relative_to(site).as_posix() not in sums
            and not path.name.startswith(".")
        ):
            yield f"{path}: added; {listing} does not name it"
