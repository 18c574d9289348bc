"""Petastorm beside our own reader: our shards in its loaders (`transform_spec`), its reader behind our plan
(`PetastormShards`).

Petastorm 0.12.1 imports only with pyarrow < 15, so it lives in an environment of its own: docs/shards.md,
"Petastorm".
"""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.batch import Ragged, padded
from lsml_spark.data.parquet.columns import Held, held_of
from lsml_spark.data.parquet.fields import Layout, layout_of
from lsml_spark.data.parquet.files import Group
from lsml_spark.data.parquet.shards import Shards

try:
    import petastorm
    from petastorm.transform import TransformSpec
except ImportError as error:
    raise ConfigError(
        f"petastorm is not installed here ({error}); make its environment by `make petastorm`, see "
        "docs/shards.md"
    ) from error

# It reaches pyarrow through ways that pyarrow < 15 only warns about; a line per row group would drown all
# else.
warnings.filterwarnings("ignore", category=FutureWarning, module="petastorm")
# name, numpy type, shape, nullable: petastorm's `edit_fields`
Edit = tuple[str, Any, tuple[int | None, ...], bool]
# all it has types for
SCALARS = (pa.int8(), pa.uint8(), pa.int16(), pa.int32(), pa.int64(), pa.bool_(), pa.float32(), pa.float64())
LENGTH = "_length"  # ends the name of the column that counts the values of a padded list


def transform_spec(
    source: Path | str, columns: Sequence[str] | None = None, pad: Mapping[str, int] | None = None
) -> TransformSpec:
    """A TransformSpec with which `petastorm.make_batch_reader` gives our shards as arrays that torch can
    collate.

    `source`: a stage folder, its table's folder, or one shard. `columns`: what to give, by default all that
    can be a tensor; text, bytes and dates cannot. Scalars come as they are; tensors as (B, *shape); a record
    as its columns, each (B,). Petastorm collates only lists of one length, so a ragged column needs its
    length in `pad`: it comes as (B, pad[column]), longer lists cut, shorter ones filled by 0 at the end,
    beside `<column>_length` (B,), int32, the values kept. ConfigError names a column that there is not or
    that cannot be given. Reading fewer columns from disk is the reader's `schema_fields`.
    """
    fields = {field.name: field for field in _schema_of(Path(source))}
    layouts = {name: layout_of(field) for name, field in fields.items()}
    pad = dict(pad or {})
    _known(
        pad, [name for name, layout in layouts.items() if layout.kind == "ragged"], "pad: no ragged column"
    )
    becomes = {name: _becomes(fields[name], layout, pad.get(name)) for name, layout in layouts.items()}
    given = {edit[0]: (stored, edit) for stored, edits in becomes.items() for edit in edits}
    for name in (
        columns
        if columns is not None
        else [name for name, layout in layouts.items() if layout.kind == "ragged"]
    ):
        if name in layouts and not becomes[name]:
            why = (
                "lists of unequal length: give its length in `pad`"
                if layouts[name].kind == "ragged"
                else f"{fields[name].type}, no numbers"
            )
            raise ConfigError(f"column '{name}' holds {why}, or name other columns")
    if columns is not None:
        names = [part for name in columns for part in ([edit[0] for edit in becomes.get(name, [])] or [name])]
        _known(names, given, "columns: no column")
        given = {name: given[name] for name in dict.fromkeys(names)}

    def decode(rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of one row group, decoded column by column."""
        decoded: dict[str, Any] = {}
        for stored in dict.fromkeys(stored for stored, _ in given.values()):
            decoded |= _given(stored, rows[stored], layouts[stored], pad.get(stored))
        return pd.DataFrame({name: decoded[name] for name in given})

    return TransformSpec(
        decode, edit_fields=[edit for _, edit in given.values()], selected_fields=list(given)
    )


class PetastormShards(Shards):
    """Shards whose row groups petastorm reads. Our plan still says which, so steps and rows are those of our
    own reader.

    One `make_batch_reader` for each row group, since petastorm cannot be told an order; it is told to give
    part i of n of a file with n row groups. Page checksums are not verified: petastorm has no way to ask for
    it.
    """

    @cached_property
    def _groups_in(self) -> Counter[str]:
        return Counter(str(group.path) for group in self.groups)

    def held(self, group: Group, names: Sequence[str]) -> dict[str, Held]:
        """The named columns of the file, for one row group. IntegrityError names the file and the row
        group.
        """
        opened = self.files.schema_of(group)
        try:
            reader = petastorm.make_batch_reader(
                # a file, never its folder: nothing that lies beside it is unpickled
                Path(group.path).resolve().as_uri(),
                schema_fields=[re.escape(name) for name in names],
                reader_pool_type="dummy",
                shuffle_row_groups=False,
                cur_shard=group.index,
                shard_count=self._groups_in[str(group.path)],
            )
            with reader:
                rows = next(reader)
            return {
                name: held_of(
                    _arrow(getattr(rows, name), opened.schema.field(name).type), opened.layouts[name]
                )
                for name in names
            }
        except Exception as error:  # petastorm raises whatever its workers do
            raise IntegrityError(
                f"{group}: cannot be read ({' '.join(str(error).split())}); run the shard stage again"
            ) from error


def _arrow(values_B: np.ndarray, type_: pa.DataType) -> pa.ChunkedArray:
    """A column as petastorm gives it (text as numpy's, bytes as objects) in the type that it has in the
    file.
    """
    return pa.chunked_array(
        [pa.array(values_B.astype(object) if values_B.dtype.kind == "U" else values_B, type_)]
    )


def _schema_of(source: Path) -> pa.Schema:
    """The schema of the first shard."""
    shards = (
        [source] if source.is_file() else sorted([*source.glob("*.parquet"), *source.glob("train/*.parquet")])
    )
    if not shards:
        raise ConfigError(f"{source}: no Parquet file in it or in its folder 'train'")
    return pq.read_schema(shards[0])


def _known(
    names: Sequence[str] | Mapping[str, Any], known: Sequence[str] | Mapping[str, Any], what: str
) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{what} '{name}'{did_you_mean(name, list(known))}")


def _becomes(field: pa.Field, layout: Layout, width: int | None) -> list[Edit]:
    """What a stored column is given as; nothing where it holds no numbers, or lists of no known length."""
    if layout.kind == "scalar":
        return [(field.name, field.type.to_pandas_dtype(), (), False)] if field.type in SCALARS else []
    if layout.dtype is None or (layout.kind == "ragged" and width is None):
        return []
    dtype = np.dtype(layout.dtype).type
    if layout.kind == "ragged":
        return [(field.name, dtype, (width,), False), (field.name + LENGTH, np.int32, (), False)]
    if layout.kind == "record":
        return [(member, dtype, (), False) for member in layout.columns]
    return [(field.name, dtype, layout.shape, False)]


def _given(name: str, values: pd.Series, layout: Layout, width: int | None) -> dict[str, Any]:
    """One stored column as what the loader is to get: {column: array, or a list of one array per row}."""
    if layout.kind == "scalar":
        return {name: values}
    dtype, items = np.dtype(layout.dtype), np.frombuffer(b"".join(values), layout.dtype)
    if layout.kind == "ragged":
        ends_B = np.cumsum(np.fromiter(map(len, values), np.int64, len(values))) // dtype.itemsize
        padded_BW, kept_B = padded(Ragged(items, np.concatenate([[0], ends_B])), width or 0)
        return {name: list(padded_BW), name + LENGTH: kept_B.astype(np.int32)}
    if layout.kind == "record":
        return dict(zip(layout.columns, items.reshape(len(values), -1).T, strict=True))
    return {name: list(items.reshape(len(values), *layout.shape))}
