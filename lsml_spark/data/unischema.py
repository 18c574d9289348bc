"""Petastorm's own data sets (`materialize_dataset`) through our reader, so that their owners can move over.

Their `_common_metadata` holds the Unischema as a pickle, and to unpickle is to run whatever it says: the file is never opened.
What the columns hold is seen from their values, or said by the user: `unischema_codecs.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.columns import Held, held_of
from lsml_spark.data.fields import Layout
from lsml_spark.data.files import UNREADABLE, Files, Group, Opened
from lsml_spark.data.shards import LABEL, WEIGHT, Shards
from lsml_spark.data.store import Patience, Store
from lsml_spark.data.unischema_codecs import Codec, Schema, codecs_of, to_layout


@dataclass(frozen=True)
class UnischemaShards(Shards):
    """The row groups of a petastorm data set; every row weighs 1 where the data have no column `weight`."""

    codecs: Mapping[str, Codec] = field(default_factory=dict)

    @cached_property
    def files(self) -> Files:
        return UnischemaFiles(self.store, self.codecs)

    def held(self, group: Group, names: Sequence[str]) -> dict[str, Held]:
        """The named columns of one row group, decoded. IntegrityError names the file, the row group and, where known, the column."""
        opened = self.files.schema_of(group)
        stored = [name for name in names if name in opened.leaves]
        try:
            rows = pq.ParquetFile(
                pa.BufferReader(opened.mapped) if opened.mapped else self.store.file(str(group.path)), metadata=opened.footer
            )
            table = to_layout(rows.read_row_group(group.index, columns=stored, use_threads=False), self.codecs)
            found = {name: held_of(table.column(name), self.codecs[name].layout) for name in stored}
        except UNREADABLE as error:
            raise IntegrityError(f"{group}: cannot be read ({' '.join(str(error).split())})") from error
        if WEIGHT in names and WEIGHT not in stored:
            ones = pa.chunked_array([pa.array(np.ones(opened.footer.row_group(group.index).num_rows, np.float32))])
            found[WEIGHT] = held_of(ones, Layout("scalar"))
        return found


class UnischemaFiles(Files):
    """Files that look as if they had the layout of our shards."""

    def __init__(self, store: Store, codecs: Mapping[str, Codec]):
        super().__init__(store)
        self.codecs = codecs

    def __reduce__(self) -> tuple:
        return UnischemaFiles, (self.store, self.codecs)

    def open(self, path: Path | str) -> Opened:
        opened = super().open(path)
        fields = [pa.field(name, opened.schema.field(name).type, metadata=codec.layout.metadata()) for name, codec in self.codecs.items()]
        weight = [] if WEIGHT in self.codecs else [pa.field(WEIGHT, pa.float32(), metadata=Layout("scalar").metadata())]
        return replace(opened, schema=pa.schema(fields + weight))


def read(folder: Path | str, features: Sequence[str], label: str = LABEL, schema: Schema | None = None) -> UnischemaShards:
    """The data set in a folder (or URI), its row groups in the order of the files' names.

    `schema`: what columns hold that their values do not tell: {column: {"dtype": …, "shape": …}}, a dimension that varies
    being None; or a Unischema. ConfigError where a column is not there, or neither its values nor `schema` say what it holds.
    """
    store, root = Store.of(folder, None, Patience())
    groups, names = [], [*features, label]
    files = Files(store)
    for path in store.list(root):
        opened = files.schema_of(Group(path, 0, 0))
        groups += [Group(path, index, opened.footer.row_group(index).num_rows) for index in range(opened.footer.num_row_groups)]
    if not groups:
        raise ConfigError(f"{folder}: no row of Parquet in it")
    first = files.schema_of(groups[0])
    for name in names:
        if name not in first.leaves:
            raise ConfigError(f"{folder}: there is no column '{name}'{did_you_mean(name, list(first.leaves))}")
    names += [WEIGHT] if WEIGHT in first.leaves else []
    source = pa.BufferReader(first.mapped) if first.mapped else store.file(str(groups[0].path))
    seen = pq.ParquetFile(source, metadata=first.footer).read_row_group(groups[0].index, columns=list(dict.fromkeys(names)))
    return UnischemaShards(tuple(groups), tuple(features), label, store=store, codecs=codecs_of(seen, schema))
