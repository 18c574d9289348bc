"""One quick look at a whole CSV file: which way of reading it is exact.

`ordinary`: valid UTF-8, no NUL, and each line quoted by RFC 4180 in itself. Spark's own parser reads that,
line by line and in parallel. `lines`: the quoting is that of `ordinary`, but the bytes are not. `stream`: a
record may be more than a line, or quotes are odd: csv_text.py reads the file from its beginning to its end.

In `ordinary` text the quotes of the whole file alternate between those that open (or come back from an
escaped one) and those that close, and where each may stand follows from its neighbours: so a few passes of
numpy over the bytes tell.
"""

import codecs
from pathlib import Path
from typing import Literal

import numpy as np

from lsml_spark.core.raw import Format
from lsml_spark.quality.raw.text import open_raw, packing

Way = Literal["ordinary", "lines", "stream"]
CHUNK = 1 << 24  # bytes
HADOOP_UNPACKS = (".gz", ".bz2", ".deflate", ".zst", ".lz4", ".snappy")  # by the name alone
WIDEST = 20_000  # columns: Spark's CSV parser takes 20,480


def way_to_read(path: Path, form: Format, columns: int) -> Way:
    """Raises what opening and unpacking the file raises."""
    if not _for_spark(path, form) or columns > WIDEST:
        _read_to_the_end(path, form)
        return "stream"
    decoder, odd_bytes, right, rest, first = codecs.getincrementaldecoder("utf-8")(), False, True, b"", True
    with open_raw(path, form) as file:
        while chunk := file.read(CHUNK):
            if not right:
                continue  # to the end, for a file that is cut short
            if first:
                chunk, first = chunk.removeprefix(codecs.BOM_UTF8), False
            odd_bytes = odd_bytes or b"\0" in chunk or not _decodes(decoder, chunk)
            whole, rest = _whole_lines(rest + chunk)
            right = _right(whole, form)
    right = right and _right(rest, form)
    return (
        "stream"
        if not right
        else "lines"
        if odd_bytes or not _decodes(decoder, b"", final=True)
        else "ordinary"
    )


def _for_spark(path: Path, form: Format) -> bool:
    plain = (
        form.escape != "\\"
        and ord(form.delimiter) < 128
        and all(ord(character) < 128 for character in form.quote)
    )
    return plain and spark_splits(path, form)


def spark_splits(path: Path, form: Format) -> bool:
    """Whether Spark unpacks the file and splits it into the lines of `physical_lines`."""
    packed = packing(path, form)
    if packed == "none":
        return form.encoding == "utf-8" and path.suffix not in HADOOP_UNPACKS
    return form.encoding == "utf-8" and packed == "gzip" and path.suffix == ".gz" and not padded(path)


def padded(path: Path) -> bool:
    """Whether a gzip file is filled up with NULs, which Python and gunzip pass over and Hadoop does not."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 10))
        return not any(file.read())


def _read_to_the_end(path: Path, form: Format) -> None:
    with open_raw(path, form) as file:
        while file.read(CHUNK):
            pass


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeError:  # also of UTF-16 that does not begin with its byte order mark
        return False
    return True


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    return data[:cut], data[cut:]


def _right(lines: bytes, form: Format) -> bool:
    """Whether each of these lines is quoted as RFC 4180 has it, and no field goes over a line's end."""
    quote = form.quote.encode()
    if not quote or quote not in lines:
        return True
    bytes_ = np.frombuffer(lines, np.uint8)
    quotes = np.flatnonzero(bytes_ == quote[0])
    if len(quotes) % 2:
        return False
    edges = np.zeros(256, bool)
    edges[[*b"\r\n", ord(form.delimiter)]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = bytes_[np.maximum(opening - 1, 0)], bytes_[np.minimum(closing + 1, len(bytes_) - 1)]
    again = np.zeros(len(opening), bool)
    again[1:] = opening[1:] == closing[:-1] + 1  # a doubled quote
    goes_on = np.append(again[1:], False)
    begins = edges[before] | (opening == 0) | again
    ends = edges[after] | (closing == len(bytes_) - 1) | goes_on
    if not (begins.all() and ends.all()):
        return False
    breaks = np.flatnonzero((bytes_ == 10) | (bytes_ == 13))
    return bool((np.searchsorted(breaks, opening) == np.searchsorted(breaks, closing)).all())
