"""Compression and encoding of a shard's columns, by what a sample of the rows says.

A column of a fixed width stays as it lies in memory, one page per row group, so that a reader can map it from
the file. It is compressed only where that is worth the loss: it shrinks to a quarter, and is a tenth of the
row. Texts, bytes and lists are read through a decoder anyway: lz4, but not what is compressed already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.parquet.fields import layout_of
from lsml_spark.shard.config import Stored

# a column of a fixed width is compressed if it shrinks below this and is that share of a row
SHRINKS, OF_ROW = 0.25, 0.10
PACKED_ALREADY = 0.9  # lz4 leaves at least this of JPEG, PNG, gzip …
PAGE = 2**30  # bytes; more than a row group has, so that a column of it is one page
WHOLE = 2**31 - 1  # rows of a page
ENCODINGS = {  # what each encoding can hold
    "plain": lambda _: True,
    "delta_binary_packed": pa.types.is_integer,
    "delta_length_byte_array": lambda type_: pa.types.is_string(type_) or pa.types.is_binary(type_),
    "delta_byte_array": lambda type_: (
        pa.types.is_string(type_) or pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_)
    ),
    "byte_stream_split": lambda type_: (
        pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_fixed_size_binary(type_)
    ),
}


@dataclass(frozen=True)
class Storage:
    """(compression, encoding) by column; as options of pyarrow's writer."""

    columns: Mapping[str, tuple[str, str]]

    def options(self, schema: pa.Schema) -> dict[str, Any]:
        chosen = {
            field.name: self.columns.get(field.name, ("none" if is_fixed(field.type) else "lz4", "plain"))
            for field in schema
        }
        return {
            "compression": {name: compression for name, (compression, _) in chosen.items()},
            "use_dictionary": False,
            "column_encoding": {name: encoding.upper() for name, (_, encoding) in chosen.items()},
            # Of a tensor's or a text's bytes the smallest and the largest tell nothing.
            "write_statistics": [field.name for field in schema if layout_of(field).kind == "scalar"],
            "data_page_size": PAGE,
            "write_page_checksum": True,
            **({"max_rows_per_page": WHOLE} if _limits_rows_of_a_page() else {}),
        }


@cache
def _limits_rows_of_a_page() -> bool:
    return "max_rows_per_page" in signature(pq.ParquetWriter.__init__).parameters


def is_fixed(type_: pa.DataType) -> bool:
    """Every value has as many bytes."""
    return not (
        pa.types.is_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_large_binary(type_)
    )


def choose(sample: pa.Table, settings: Mapping[str, Stored]) -> Storage:
    """The storage of the columns of a table of which `sample` is laid out already. ConfigError where
    `settings` names no column, or an encoding that its type has not.
    """
    for name, stored in settings.items():
        where = f"shard.columns.{name}"
        if name not in sample.column_names:
            packed = next((field.name for field in sample.schema if name in layout_of(field).columns), None)
            instead = (
                f"; it is packed into {packed}, name that"
                if packed
                else did_you_mean(name, sample.column_names)
            )
            raise ConfigError(f"{where}: a shard has no such column{instead}")
        type_ = sample.schema.field(name).type
        if stored.encoding and not ENCODINGS[stored.encoding](type_):
            fit = ", ".join(name for name, holds in ENCODINGS.items() if holds(type_))
            raise ConfigError(
                f"{where}.encoding: {stored.encoding} cannot hold {type_} (those that can: {fit})"
            )
    row = sum(_stored_bytes(sample.select([name]), "none") for name in sample.column_names)
    columns = {}
    for name in sample.column_names:
        stored = settings.get(name, Stored())
        compression = stored.compression or _compression(sample.select([name]), row)
        columns[name] = (compression, stored.encoding or "plain")
    return Storage(columns)


def _compression(column: pa.Table, row: int) -> str:
    """For one column, alone in its table; `row`: bytes of all columns of the same rows."""
    fixed = is_fixed(column.schema.field(0).type)
    if not column.num_rows:
        return "none" if fixed else "lz4"
    plain, small = _stored_bytes(column, "none"), _stored_bytes(column, "lz4")
    if fixed:
        return "lz4" if small < SHRINKS * plain and plain > OF_ROW * row else "none"
    return "lz4" if small < PACKED_ALREADY * plain else "none"


def _stored_bytes(column: pa.Table, compression: str) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(column, sink, compression=compression, use_dictionary=False, write_statistics=False)
    footer = pq.read_metadata(pa.BufferReader(sink.getvalue()))
    return sum(footer.row_group(i).column(0).total_compressed_size for i in range(footer.num_row_groups))
