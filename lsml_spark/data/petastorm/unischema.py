"""Petastorm's own data sets (`materialize_dataset`) through our reader, so that their owners can move over.

Beside them lies `_common_metadata` with the Unischema as a pickle, and to unpickle is to run whatever it
says: it is searched for its mark and never loaded. What the columns hold is seen from their values, or said
by the user: `unischema_codecs.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.errors import IntegrityError
from lsml_spark.data.parquet.columns import Held, held_of, numpy_type
from lsml_spark.data.parquet.fields import Layout
from lsml_spark.data.parquet.files import UNREADABLE, Files, Group, Opened
from lsml_spark.data.parquet.schema import of_files
from lsml_spark.data.parquet.shards import Shards
from lsml_spark.data.parquet.store import Store
from lsml_spark.data.petastorm.codecs import Codec, Schema, codecs_of, to_layout

METADATA, MARK = "_common_metadata", b"dataset-toolkit.unischema.v1"


@dataclass(frozen=True)
class UnischemaShards(Shards):
    """The row groups of a petastorm data set."""

    codecs: Mapping[str, Codec] = field(default_factory=dict)

    @cached_property
    def files(self) -> Files:
        return UnischemaFiles(self.store, self.codecs)

    def decoded_bytes(self, group: Group, names: Sequence[str], limit: int) -> int:
        """What is stored, and the tensors that are made of it."""
        tensors = [self.codecs[name].layout for name in names if self.codecs[name].layout.kind == "tensor"]
        rows = self.files.schema_of(group).row_groups[group.index : group.index + 1]
        return super().decoded_bytes(group, names, limit) + sum(rows) * sum(
            layout.width for layout in tensors
        )


class UnischemaFiles(Files):
    """Files that look as if they had the layout of our shards, in the columns that have a codec."""

    def __init__(self, store: Store, codecs: Mapping[str, Codec]):
        super().__init__(store)
        self.codecs = codecs

    def __reduce__(self) -> tuple:
        return UnischemaFiles, (self.store, self.codecs)

    def open(self, path: Path | str) -> Opened:
        opened = super().open(path)
        fields = [
            _field(opened.schema.field(name), codec.layout)
            for name, codec in self.codecs.items()
            if name in opened.leaves
        ]
        return replace(opened, schema=pa.schema(fields))

    def columns(self, group: Group, names: Sequence[str]) -> dict[str, Held]:
        """The named columns of one row group, decoded. IntegrityError names the file, the row group and,
        where known, the column.
        """
        try:
            rows = to_layout(_read(self.schema_of(group), self.store, group, names), self.codecs)
            return {name: held_of(rows.column(name), self.codecs[name].layout) for name in names}
        except UNREADABLE as error:
            raise IntegrityError(f"{group}: cannot be read ({' '.join(str(error).split())})") from error


def is_beside(shards: Shards) -> bool:
    """Whether the files are of a petastorm data set, as the metadata beside them say."""
    folders = {str(group.path).rpartition("/")[0] for group in shards.groups}
    if len(folders) != 1:
        return False
    path = f"{folders.pop()}/{METADATA}"
    if shards.store.filesystem is None:
        return Path(path).exists() and MARK in Path(path).read_bytes()
    try:
        return MARK in shards.store.file(path).read()
    except FileNotFoundError:
        return False


def decoded(shards: Shards, columns: Sequence[str] | None, schema: Schema | None = None) -> UnischemaShards:
    """The same row groups with `columns` (or all) as our shards would have them.

    `schema`: what columns hold that their values do not tell: {column: {"dtype": …, "shape": …}}, a dimension
    that varies being None; or a Unischema. ConfigError where a column is not there, or neither its values nor
    `schema` say what it holds.
    """
    if not shards.groups:
        return UnischemaShards((), shards.features, store=shards.store)
    group, stored = shards.groups[0], shards.schema()
    opened = shards.files.schema_of(group)
    chosen = (
        columns
        if columns is not None
        else [name for name in stored.columns if name in opened.leaves or name not in opened.layouts]
    )
    names = [stored.source(name)[0] for name in dict.fromkeys(chosen)]
    try:
        seen = _read(opened, shards.store, group, names)
    except UNREADABLE as error:
        raise IntegrityError(f"{group}: cannot be read ({' '.join(str(error).split())})") from error
    codecs = codecs_of(seen, schema)
    for name in names:
        if stored.columns[name].widened and codecs[name].layout.dtype is None:
            codecs[name] = Codec("plain", Layout("scalar", str(numpy_type(stored.columns[name].type))))
    made = UnischemaShards(
        shards.groups, shards.features, store=shards.store, row_groups=shards.row_groups, codecs=codecs
    )
    return replace(made, seen=of_files(stored.where, [(group.path, made.files.schema_of(group))]))


def _read(opened: Opened, store: Store, group: Group, names: Sequence[str]) -> pa.Table:
    source = (
        pa.BufferReader(opened.mapped)
        if opened.mapped is not None
        else pa.PythonFile(store.file(str(group.path)), mode="r")
    )
    return pq.ParquetFile(source, metadata=opened.footer).read_row_group(
        group.index, columns=list(names), use_threads=False
    )


def _field(stored: pa.Field, layout: Layout) -> pa.Field:
    """As `to_layout` makes it."""
    type_ = (
        pa.binary(layout.width)
        if layout.kind == "tensor"
        else pa.uint8()
        if pa.types.is_boolean(stored.type)
        else stored.type
    )
    if layout.kind == "scalar" and layout.dtype:
        type_ = pa.from_numpy_dtype(layout.dtype)
    return pa.field(stored.name, type_, nullable=False, metadata=layout.metadata())
