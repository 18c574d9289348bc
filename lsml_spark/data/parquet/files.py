"""Open Parquet files, and the columns of one of their row groups: seen in place where that can be, else
decoded by pyarrow.

A file is opened when a row group of it is read, never before, and few are open at once: ten thousand shards
cost no more footers than the batches at hand need. The first time that a process reads a column of a row
group, the CRC-32 of its pages is checked.
"""

import inspect
import os
import stat
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError
from lsml_spark.data.parquet import pages
from lsml_spark.data.parquet.columns import Fixed, Held, Varied, fixed_form, held_of, numpy_type
from lsml_spark.data.parquet.fields import Layout, layout_of
from lsml_spark.data.parquet.store import Store

OPEN_FILES = 128
# not before pyarrow 15
PYARROW_CHECKS = "page_checksum_verification" in inspect.signature(pq.ParquetFile).parameters
# What damaged bytes end in.
UNREADABLE = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    ArithmeticError,
    RecursionError,
    EOFError,
    zlib.error,
    pa.ArrowException,
)


@dataclass(frozen=True)
class Group:
    """One row group of one shard; `rows` are those that the plan counts: all, or those that a filter
    keeps.
    """

    path: Path | str
    index: int
    rows: int

    def __str__(self) -> str:
        return f"{self.path}, row group {self.index}"

    @property
    def name(self) -> str:
        """The same without the folder."""
        return f"{str(self.path).rpartition('/')[2]}, row group {self.index}"


@dataclass(frozen=True)
class Opened:
    """A file's footer and, for one of this machine, its memory-mapped bytes."""

    footer: Any
    schema: pa.Schema
    mapped: pa.Buffer | None
    # columns of row groups that are views of `mapped`
    seen: dict[tuple[int, str], Held | None] = field(default_factory=dict)

    @cached_property
    def layouts(self) -> dict[str, Layout]:
        return {field.name: layout_of(field) for field in self.schema}

    @cached_property
    def row_groups(self) -> tuple[int, ...]:
        """Rows of each."""
        return tuple(self.footer.row_group(index).num_rows for index in range(self.footer.num_row_groups))

    @cached_property
    def leaves(self) -> dict[str, int]:
        """Number of the column chunk of each flat column."""
        schema = self.footer.schema
        return {path: i for i, path in enumerate(schema.column(i).path for i in range(len(schema)))}

    @cached_property
    def leaves_below(self) -> dict[str, list[str]]:
        """The leaves of each column, and of what lies in it: a path names itself and all that it goes on
        from.
        """
        leaves: dict[str, list[str]] = {}
        for leaf in self.leaves:
            parts = leaf.split(".")
            for end in range(1, len(parts) + 1):
                leaves.setdefault(".".join(parts[:end]), []).append(leaf)
        return leaves

    @cached_property
    def packed(self) -> dict[str, tuple[str, int]]:
        """Columns that lie in a record: its name and their place in it."""
        return {
            name: (record, i)
            for record, layout in self.layouts.items()
            for i, name in enumerate(layout.columns)
        }

    def source(self, name: str) -> tuple[str, int | None]:
        """The column of the file that holds `name`, and its place there where that is a record. KeyError
        where there is none.
        """
        return (name, None) if name in self.layouts else self.packed[name]


class Files:
    """The files of one table that are open at the moment; safe to use from several threads."""

    def __init__(self, store: Store, open_files: int = OPEN_FILES):
        self.store, self.open_files = store, open_files
        self.opened: OrderedDict[str, Opened] = OrderedDict()
        self.checked: set[tuple[str, int, str]] = set()
        # columns of texts whose decoded size has been seen to be small
        self.counted: set[tuple[str, int, str]] = set()
        self.lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return Files, (self.store, self.open_files)  # another process opens and checks for itself

    def open(self, path: Path | str) -> Opened:
        """FileNotFoundError, EnvironmentProblem, or one of UNREADABLE."""
        name = str(path)
        with self.lock:
            if name in self.opened:
                self.opened.move_to_end(name)
                return self.opened[name]
        mapped = self.store.patience(lambda: _mapped(name), name) if self.store.filesystem is None else None
        with self.parquet(name, mapped) as file:
            opened = Opened(file.metadata, file.schema_arrow, mapped)
        # found here, where what damage does to them is told
        _ = opened.layouts, opened.leaves, opened.row_groups
        with self.lock:
            self.opened[name] = opened
            while len(self.opened) > self.open_files:
                self.opened.popitem(last=False)
        return opened

    def schema_of(self, group: Group) -> Opened:
        """The group's file. IntegrityError where it cannot be opened, EnvironmentProblem where that is not
        allowed.
        """
        try:
            return self.open(group.path)
        except FileNotFoundError:
            raise IntegrityError(f"{group}: there is no such file; run the shard stage again") from None
        except PermissionError as error:
            raise EnvironmentProblem(
                f"{group.path}: may not be read ({error.strerror or error}); change its permissions"
            ) from error
        except UNREADABLE as error:
            raise IntegrityError(
                f"{group}: cannot be read ({_line(error)}); run the shard stage again"
            ) from error

    def columns(self, group: Group, names: Sequence[str]) -> dict[str, Held]:
        """The named columns of the file, whole. IntegrityError names file, row group and column; ConfigError
        a column that is not there.
        """
        opened = self.schema_of(group)
        for name in names:
            if name not in opened.layouts:
                raise ConfigError(
                    f"{group.path}: there is no column "
                    f"'{name}'{did_you_mean(name, [*opened.layouts, *opened.packed])}"
                )
        if group.index >= opened.footer.num_row_groups:
            raise IntegrityError(
                f"{group}: it has {opened.footer.num_row_groups} row groups; run the shard stage again"
            )
        by_name = {name: self._in_place(opened, group, name) for name in names}
        others = [name for name, column in by_name.items() if column is None]
        if others:
            by_name |= self._decoded(opened, group, others)
        return {name: column for name, column in by_name.items() if column is not None}

    def passing(self, group: Group, filters: pc.Expression, names: Sequence[str]) -> np.ndarray:
        """Which rows of a row group a predicate on the columns `names` keeps; shape (rows kept,), int64,
        ascending.
        """
        opened = self.schema_of(group)
        try:
            columns = self.columns(group, list(dict.fromkeys(opened.source(name)[0] for name in names)))
            arrays = {
                name: _flat(columns[column], place)
                for name in names
                for column, place in [opened.source(name)]
            }
            table = pa.table(arrays).append_column("__row", pa.array(np.arange(len(arrays[names[0]]))))
            return table.filter(filters)["__row"].to_numpy()
        except UNREADABLE as error:
            raise IntegrityError(
                f"{group}: cannot be filtered ({_line(error)}); look at the filter, or at the shard"
            ) from error

    def _in_place(self, opened: Opened, group: Group, name: str) -> Held | None:
        """A view of the mapped pages; None where the column must be decoded. Found once: parsing a page
        header costs as much as a batch.
        """
        if (group.index, name) in opened.seen:
            return opened.seen[group.index, name]
        column = self._looked_at(opened, group, name)
        if column is None or not column.nbytes:
            opened.seen[group.index, name] = column
        return column

    def _looked_at(self, opened: Opened, group: Group, name: str) -> Held | None:
        if opened.mapped is None or name not in opened.leaves:
            return None
        layout = pages.chunk_of(opened.footer, group.index, opened.leaves[name])
        form = (
            _form(opened.schema.field(name), opened.layouts[name]) if layout.plain and layout.width else None
        )
        if form is None or layout.width != form[0].itemsize * int(np.prod(form[2], dtype=np.int64)):
            return None
        key = str(group.path), group.index, name
        try:
            chunk = chunk_bytes(opened.mapped, layout)
            rows_NW = pages.view(chunk, layout, check=key not in self.checked)
        except pages.Damaged as error:
            raise IntegrityError(f"{group}, column '{name}': {error}; run the shard stage again") from None
        if rows_NW is None:
            return None
        self.checked.add(key)
        return Fixed(rows_NW, *form, mapped=not rows_NW.flags.owndata)

    def _decoded(self, opened: Opened, group: Group, names: list[str]) -> dict[str, Held]:
        keys = [(str(group.path), group.index, name) for name in names]
        check = not self.checked.issuperset(keys)
        if check and not PYARROW_CHECKS and (wrong := self._blame(opened, group, names)):
            raise IntegrityError(f"{group}{wrong}; run the shard stage again")
        try:
            options = {"metadata": opened.footer} | (
                {"page_checksum_verification": check} if PYARROW_CHECKS else {}
            )
            with self.parquet(str(group.path), opened.mapped, pre_buffer=True, **options) as file:
                table = file.read_row_group(group.index, columns=names, use_threads=False)
        except UNREADABLE as error:
            blame = self._blame(opened, group, names)
            raise IntegrityError(
                f"{group}{blame}: cannot be read ({_line(error)}); run the shard stage again"
            ) from error
        by_name: dict[str, Held] = {}
        for name in names:
            try:
                by_name[name] = held_of(table.column(name), opened.layouts[name])
            except UNREADABLE as error:
                raise IntegrityError(
                    f"{group}, column '{name}': {_line(error)}; run the shard stage again"
                ) from error
        self.checked.update(keys)
        return by_name

    @contextmanager
    def parquet(self, path: str, mapped: pa.Buffer | None, **told: Any) -> Iterator[pq.ParquetFile]:
        with closing(self.store.file(path)) if mapped is None else nullcontext() as remote:
            yield pq.ParquetFile(
                pa.BufferReader(mapped) if remote is None else pa.PythonFile(remote, mode="r"), **told
            )

    def _blame(self, opened: Opened, group: Group, names: list[str]) -> str:
        """Which column's pages are damaged, and how; empty where that is not to be seen in a mapped file's
        pages.
        """
        if opened.mapped is None:
            return ""
        for name in names:
            for leaf in opened.leaves_below.get(name, []):
                try:
                    chunk = chunk_bytes(
                        opened.mapped, pages.chunk_of(opened.footer, group.index, opened.leaves[leaf])
                    )
                    wrong = pages.check_crcs(chunk, pages.pages(chunk))
                except pages.Damaged as error:
                    wrong = str(error)
                if wrong:
                    return f", column '{name}': {wrong}"
        return ""


def _mapped(path: str) -> pa.Buffer:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):  # a pipe would be waited for
        raise ValueError("a folder has its name" if stat.S_ISDIR(mode) else "it is no regular file")
    with pa.memory_map(path) as file:
        return file.read_buffer()


def chunk_bytes(mapped: pa.Buffer, chunk: pages.Chunk) -> memoryview:
    """The bytes of a column chunk. Damaged where they do not lie in the file."""
    if not 0 <= chunk.start <= chunk.start + chunk.size <= mapped.size:
        raise pages.Damaged(
            f"its bytes {chunk.start} to {chunk.start + chunk.size} lie outside of the file's {mapped.size}"
        )
    return memoryview(mapped).cast("B")[chunk.start : chunk.start + chunk.size]


def _form(field: pa.Field, layout: Layout) -> tuple[np.dtype, np.dtype, tuple[int, ...]] | None:
    """(type in the file, type in the batch, shape of a row) of a fixed-width column; None for what is no
    number or tensor.
    """
    if layout.kind in ("tensor", "record"):
        dtype, shape = fixed_form(layout)
        return dtype, dtype, shape
    if layout.kind != "scalar" or not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
        return None
    dtype = numpy_type(field.type)
    narrow = dtype.kind in "iu" and dtype.itemsize < 4
    return np.dtype("<i4") if narrow else dtype, dtype, ()


def is_tensor(field: pa.Field, layout: Layout) -> bool:
    """Whether a column can be batched as numbers: a scalar, a tensor, a record, or lists of numbers."""
    lists = (
        pa.types.is_list(field.type)
        or pa.types.is_large_list(field.type)
        or pa.types.is_fixed_size_list(field.type)
    )
    type_ = field.type.value_type if lists else field.type
    number = (
        pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or (pa.types.is_boolean(type_) and not lists)
    )
    return layout.kind in ("tensor", "record", "ragged") or (layout.kind == "scalar" and number)


def _flat(column: Held, place: int | None) -> pa.Array:
    """A held column as an Arrow array; of a record, the column in that place. ValueError for tensors and
    lists.
    """
    if isinstance(column, Varied):
        return column.array
    rows = column.rows_NW.copy().reshape(-1).view(column.stored).reshape(len(column), *column.shape)
    return pa.array(rows if place is None else rows[:, place])


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
