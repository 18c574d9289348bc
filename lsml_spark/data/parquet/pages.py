"""A Parquet column chunk as an array without decoding it: PLAIN, uncompressed, fixed-width pages are the
array already.

Only what needs no decoding is handled: data pages (V1, or V2 without levels) of a REQUIRED column in the
PLAIN encoding. Page headers are Thrift structs in the compact protocol (github.com/apache/parquet-format,
README "Data Pages"; thrift-compact-protocol.md). All lengths are checked against the chunk's own, so damaged
bytes end in `Damaged` and never in a read beyond the chunk.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

DATA, DATA_V2, PLAIN = 0, 3, 0  # PageType and Encoding of parquet.thrift
WIDTHS = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
# types of Thrift's compact protocol
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
DEEPEST = 8  # a page header nests three structs


class Damaged(ValueError):
    """The bytes of a column chunk are not what they must be."""


@dataclass(frozen=True)
class Chunk:
    """Where a column chunk lies in its file and what its footer says of it."""

    start: int
    size: int
    rows: int
    width: int  # bytes of a value; 0 where it varies
    plain: bool  # uncompressed, REQUIRED, not nested


def chunk_of(footer: Any, group: int, column: int) -> Chunk:
    """From pyarrow's FileMetaData, for the leaf column number `column` of a row group."""
    meta, schema = footer.row_group(group).column(column), footer.schema.column(column)
    flat = schema.max_definition_level == 0 and schema.max_repetition_level == 0
    width = (
        schema.length
        if schema.physical_type == "FIXED_LEN_BYTE_ARRAY"
        else WIDTHS.get(schema.physical_type, 0)
    )
    start = meta.data_page_offset
    if meta.has_dictionary_page and meta.dictionary_page_offset is not None:
        start = min(start, meta.dictionary_page_offset)
    plain = flat and not meta.has_dictionary_page and meta.compression == "UNCOMPRESSED"
    return Chunk(start, meta.total_compressed_size, meta.num_values, width, plain)


@dataclass(frozen=True)
class Page:
    """A page's header and, in the chunk, the place of its body [start, stop)."""

    type: int
    values: int
    encoding: int
    levels: int  # bytes of levels in front of the values (V2)
    crc: int | None
    start: int
    stop: int
    unpacked: int = 0  # bytes that the body has when it is decompressed


def pages(chunk: memoryview) -> Iterator[Page]:
    """The pages of a column chunk's bytes, in order. Damaged where a header or a length cannot be."""
    at = 0
    while at < len(chunk):
        try:
            header, at = _struct(chunk, at, 0)
        except IndexError:
            raise Damaged("a page header runs over the end of its column chunk") from None
        size = header.get(3)
        if not isinstance(size, int) or not 0 <= size <= len(chunk) - at:
            raise Damaged(f"a page of {size} bytes where {len(chunk) - at} are left")
        inner = header.get(8 if header.get(1) == DATA_V2 else 5)
        inner = inner if isinstance(inner, dict) else {}
        numbers = [
            header.get(1),
            inner.get(1, 0),
            inner.get(4 if header.get(1) == DATA_V2 else 2, -1),
            inner.get(5, 0),
            inner.get(6, 0),
        ]
        if header.get(1) == DATA:
            numbers[3:] = [0, 0]  # V1 has a level's encoding and statistics there
        if not all(isinstance(number, int) for number in numbers):
            raise Damaged("a page header with fields of other types")
        kind, values, encoding, *levels = numbers
        crc, unpacked = header.get(4), header.get(2)
        crc = crc & 0xFFFFFFFF if isinstance(crc, int) else None
        yield Page(
            kind,
            values,
            encoding,
            sum(levels),
            crc,
            at,
            at + size,
            unpacked if isinstance(unpacked, int) else 0,
        )
        at += size


def check_crcs(chunk: memoryview, of: Iterable[Page]) -> str | None:
    """What is wrong with the first page whose CRC-32 is not the stored one; None where all that have one
    agree.
    """
    for number, page in enumerate(of):
        crc = zlib.crc32(chunk[page.start : page.stop]) if page.crc is not None else None
        if crc != page.crc:
            return f"page {number}: its CRC-32 is {crc:08x}, stored is {page.crc:08x}"
    return None


def view(chunk: memoryview, layout: Chunk, check: bool) -> np.ndarray | None:
    """The chunk's values as bytes, shape (rows, width), uint8: a view where it is one page, else one copy of
    its pages.

    None where it must be decoded. Damaged where sizes do not fit or, with `check`, a stored CRC-32 is not
    that of its page.
    """
    if not (layout.plain and layout.width):
        return None
    views = []
    for page in pages(chunk):
        if page.type not in (DATA, DATA_V2) or page.encoding != PLAIN or page.levels:
            return None
        views.append(page)
    if check and (wrong := check_crcs(chunk, views)):
        raise Damaged(wrong)
    parts = []
    for page in views:
        if page.stop - page.start != page.values * layout.width:
            raise Damaged(
                f"a page of {page.stop - page.start} bytes for {page.values} values of {layout.width} bytes"
            )
        parts.append(
            np.frombuffer(chunk[page.start : page.stop], np.uint8).reshape(page.values, layout.width)
        )
    if sum(len(part) for part in parts) != layout.rows:
        raise Damaged(f"pages of {sum(len(part) for part in parts)} rows, its footer says {layout.rows}")
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, layout.width), np.uint8), *parts])


# A read beyond the chunk is an IndexError, which `pages` turns into Damaged; places only grow, so none is
# negative.


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise Damaged("a number of a page header is longer than 64 bits")


def _struct(data: memoryview, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """Fields by id, of a struct that begins at `at`, and where it ends."""
    if depth > DEEPEST:
        raise Damaged("a page header nests too deep")
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            value, at = _varint(data, at)
            number = (value >> 1) ^ -(value & 1)
        fields[number], at = _value(data, at, head & 0x0F, depth)
    return fields, at + 1


def _value(data: memoryview, at: int, kind: int, depth: int, in_list: bool = False) -> tuple[Any, int]:
    if kind in (I16, I32, I64):
        value, at = _varint(data, at)
        return (value >> 1) ^ -(value & 1), at
    if kind == STRUCT:
        return _struct(data, at, depth + 1)
    if kind == BINARY:
        size, at = _varint(data, at)
        return None, at + size
    if kind in (TRUE, FALSE):
        return kind == TRUE, at + in_list
    if kind in (BYTE, DOUBLE):
        return None, at + (1 if kind == BYTE else 8)
    if kind in (LIST, SET) and depth < DEEPEST:
        head = data[at]
        size, at = (head >> 4, at + 1) if head >> 4 != 15 else _varint(data, at + 1)
        for _ in range(size):
            data[at]  # a list cannot be longer than what is left
            _, at = _value(data, at, head & 0x0F, depth + 1, in_list=True)
        return None, at
    raise Damaged(f"a page header with a field of type {kind}")  # parquet.thrift has no maps there
