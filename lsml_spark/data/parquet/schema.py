"""The columns of a table over all of its files, so that no batch depends on which row group a rank happens to
read first.

Files without a manifest are compared when they are opened, all of them. Where a manifest tells the rows, the
first file that opens stands for all, on every rank, and each other file is compared with it when it is read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.parquet.columns import Fixed, Held, numpy_type
from lsml_spark.data.parquet.fields import Layout
from lsml_spark.data.parquet.files import Opened, is_tensor


@dataclass(frozen=True)
class Known:
    """A column of the table: `type` is the widest of all files, `wrong` why it cannot be read from all of
    them; empty where it can.
    """

    type: pa.DataType
    layout: Layout
    wrong: str = ""
    widened: bool = False  # some files hold a narrower type

    @property
    def lists(self) -> bool:
        """Whether a row is a list of numbers whose length varies."""
        return self.layout.kind == "ragged" or pa.types.is_list(self.type)

    @property
    def tensor(self) -> bool:
        """Whether it can be batched as numbers."""
        return is_tensor(pa.field("", self.type), self.layout)


@dataclass(frozen=True)
class Schema:
    """Columns by name, in the order in which the files bring them up. `where`: what errors begin with."""

    where: str
    columns: Mapping[str, Known]
    members: Mapping[str, tuple[str, int]]  # columns that lie in a record: its name, and their place in it
    doubled: frozenset[str]  # names that more than one column of a file has

    @property
    def names(self) -> list[str]:
        return [*self.columns, *self.members]

    def source(self, name: str) -> tuple[str, int | None]:
        """The stored column that holds `name`, and its place there where that is a record. ConfigError where
        not all files have it.
        """
        stored, place = (name, None) if name in self.columns else self.members.get(name, (None, None))
        if stored is None:
            raise ConfigError(f"{self.where}: there is no column '{name}'{did_you_mean(name, self.names)}")
        if self.doubled & {name, stored}:
            raise ConfigError(
                f"{self.where}: two columns of one file have the name '{name}'; write them under different "
                "names"
            )
        if wrong := self.columns[stored].wrong:
            good = [
                other
                for other, known in self.columns.items()
                if not known.wrong and other not in self.doubled
            ]
            ways = f"write the files with one schema, or name columns that all files have: columns={good}"
            raise ConfigError(f"{self.where}: column '{name}' {wrong}; {ways}")
        return stored, place

    def tensors(self) -> list[str]:
        """All columns that can be batched as numbers."""
        return [name for name, known in self.columns.items() if known.tensor]


@dataclass(frozen=True)
class Sources:
    """Where the wanted columns lie: stored columns to read, and by wanted name (stored column, place in its
    record or None).
    """

    read: tuple[str, ...]
    places: dict[str, tuple[str, int | None]]
    layouts: dict[str, Layout]  # of the stored columns, which every file must have
    types: dict[str, pa.DataType] = field(default_factory=dict)  # likewise, but for those of `widths`
    # dtype of the stored columns that some files hold narrower
    widths: dict[str, np.dtype] = field(default_factory=dict)

    def unlike(self, opened: Opened) -> str | None:
        """The first stored column that a file holds in another layout or type than the table, or not at
        all.
        """

        def alike(name: str, layout: Layout) -> bool:
            if opened.layouts.get(name) != layout:
                return False
            return name not in self.types or _plain(opened.schema.field(name).type) == self.types[name]

        return next((name for name, layout in self.layouts.items() if not alike(name, layout)), None)

    def widened(self, columns: Mapping[str, Held]) -> Mapping[str, Held]:
        """Numbers as the widest type that any file has for them."""
        return {
            name: _wide(column, self.widths[name]) if name in self.widths else column
            for name, column in columns.items()
        }


def sources_of(schema: Schema, names: Sequence[str]) -> Sources:
    """ConfigError for a column that not every file has, or not in one type."""
    places = {name: schema.source(name) for name in dict.fromkeys(names)}
    read = tuple(dict.fromkeys(stored for stored, _ in places.values()))
    known = {name: schema.columns[name] for name in read}
    widths = {name: numpy_type(column.type) for name, column in known.items() if column.widened}
    types = {name: column.type for name, column in known.items() if not column.widened}
    return Sources(read, places, {name: column.layout for name, column in known.items()}, types, widths)


def of_files(where: str, files: Iterable[tuple[Path | str, Opened]]) -> Schema:
    """The schema of all the files. Differences are kept with the column, and are an error only where it is
    read.
    """
    alike: dict[bytes, tuple[Opened, list[str]]] = {}
    for path, opened in files:
        # with the metadata of the fields, which hold the layouts
        key = opened.schema.remove_metadata().serialize().to_pybytes()
        alike.setdefault(key, (opened, []))[1].append(str(path))
    return _merged(where, list(alike.values()))


def _merged(where: str, kinds: Sequence[tuple[Opened, list[str]]]) -> Schema:
    columns: dict[str, Known] = {}
    first: dict[str, str] = {}
    for opened, paths in kinds:
        for stored in opened.schema:
            column = Known(_plain(stored.type), opened.layouts[stored.name])
            known = columns.get(stored.name)
            first.setdefault(stored.name, paths[0])
            columns[stored.name] = (
                column if known is None else _wider(known, column, first[stored.name], paths[0])
            )
    total = sum(len(paths) for _, paths in kinds)
    for name, known in columns.items():
        without = [path for opened, paths in kinds if name not in opened.layouts for path in paths]
        if without:
            some = ", ".join(path.rpartition("/")[2] for path in without[:3]) + (
                " …" if len(without) > 3 else ""
            )
            columns[name] = Known(
                known.type, known.layout, f"is not in {len(without)} of {total} files ({some})"
            )
    members = {name: place for opened, _ in kinds for name, place in opened.packed.items()}
    doubled = {name for opened, _ in kinds for name, count in _counted(opened).items() if count > 1}
    return Schema(where, columns, members, frozenset(doubled))


def _counted(opened: Opened) -> Counter[str]:
    return Counter(
        [*opened.schema.names, *(name for layout in opened.layouts.values() for name in layout.columns)]
    )


def _plain(type_: pa.DataType) -> pa.DataType:
    """Without what makes no difference to a batch: large offsets, dictionaries."""
    if pa.types.is_dictionary(type_):
        return _plain(type_.value_type)
    if pa.types.is_large_string(type_) or type_ == getattr(pa, "string_view", pa.string)():
        return pa.string()
    if pa.types.is_large_binary(type_) or type_ == getattr(pa, "binary_view", pa.binary)():
        return pa.binary()
    return pa.list_(type_.value_type) if pa.types.is_large_list(type_) or pa.types.is_list(type_) else type_


def _wider(a: Known, b: Known, path_a: str, path_b: str) -> Known:
    """One column of two files: the wider of two integers or of two floats, with no value changed; else the
    same, or `wrong`.
    """
    if a.wrong or (a.type == b.type and a.layout == b.layout):
        return a
    if a.layout == b.layout and a.layout.kind == "scalar" and _family(a.type) == _family(b.type) != "":
        wide = np.result_type(numpy_type(a.type), numpy_type(b.type))
        if wide.kind in "iu" or _family(a.type) == "float":
            return Known(pa.from_numpy_dtype(wide), a.layout, widened=True)
    file_a, file_b = path_a.rpartition("/")[2], path_b.rpartition("/")[2]
    told_a, told_b = (_told(known) for known in (a, b))
    return Known(a.type, a.layout, f"is {told_a} in {file_a} and {told_b} in {file_b}")


def _family(type_: pa.DataType) -> str:
    return "integer" if pa.types.is_integer(type_) else "float" if pa.types.is_floating(type_) else ""


def _told(known: Known) -> str:
    if known.layout.kind in ("scalar", "text", "bytes"):
        return str(known.type)
    layout = known.layout
    shape = f" {list(layout.shape or layout.columns)}" if layout.shape or layout.columns else ""
    return f"{layout.kind} of {layout.dtype}{shape}"


def _wide(column: Held, dtype: np.dtype) -> Held:
    if not isinstance(column, Fixed) or column.dtype == dtype:
        return column
    rows = (
        np.ascontiguousarray(column.rows_NW)
        .reshape(-1)
        .view(column.stored)
        .astype(column.dtype)
        .astype(dtype)
    )
    return Fixed(rows.view(np.uint8).reshape(len(column), dtype.itemsize), dtype, dtype, column.shape)
