"""Raw text without Spark: files as physical lines, each byte of them accounted for.

A byte that is not of the declared encoding becomes a lone half of a surrogate pair, which no text holds, so
that nothing is replaced in silence: `undecodable` finds it, `as_found` writes it as `\\xHH`.
"""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lsml_spark.core.raw import PLAIN, Format

HALF = re.compile("[\ud800-\udfff]")
OPENERS = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
KEEPING = "lsml_keeping"
# What opening and unpacking raise; and reading, of an encoding that must begin with a mark and does not.
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError)


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(KEEPING, _keep_bytes)


def plain_name(path: Path) -> str:
    """The name of a file without what says how it is packed."""
    return path.name.removesuffix(path.suffix) if path.suffix in SUFFIXES else path.name


def packing(path: Path, form: Format) -> str:
    """`none`, `gzip`, `bzip2` or `xz`: what `raw.compression` says, or the name."""
    return SUFFIXES.get(path.suffix, "none") if form.compression == "auto" else form.compression


def open_raw(path: Path, form: Format = PLAIN) -> BinaryIO:
    """The bytes of a file, unpacked where it is packed."""
    opener = OPENERS.get(packing(path, form))
    return opener(path) if opener else path.open("rb")  # type: ignore[operator]


def physical_lines(path: Path, form: Format) -> Iterator[str]:
    """Lines with what ends them (\\n, \\r\\n or \\r), a byte order mark left out."""
    with open_raw(path, form) as file:
        text = io.TextIOWrapper(file, encoding=form.encoding, errors=KEEPING, newline="")
        first = text.readline()
        if first:
            yield first.removeprefix("\ufeff")
        yield from text


def decoded(line: bytes, form: Format) -> str:
    """One line, as `physical_lines` gives it."""
    return line.decode(form.encoding, KEEPING)


def without_end(line: str) -> str:
    """The line without what ends it."""
    if line.endswith("\n"):
        return line[:-2] if line.endswith("\r\n") else line[:-1]
    return line[:-1] if line.endswith("\r") else line


def undecodable(text: str) -> bool:
    """Whether there were bytes that are not of the encoding."""
    return not text.isascii() and HALF.search(text) is not None


def as_found(text: str) -> str:
    """Text that can be kept: each byte that was not of the encoding as `\\xHH`."""
    return HALF.sub(lambda half: f"\\x{ord(half[0]) - 0xDC00:02x}", text) if undecodable(text) else text
