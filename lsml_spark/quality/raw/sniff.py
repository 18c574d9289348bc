"""How text files are written, told from their beginnings: encoding, separator, quotes, header. Pure Python,
no Spark.

Nothing is guessed from signs alone: each way of writing is tried by the very parser that will read the days
(quality/raw/csv_text.py), and the simplest one by which most records are whole wins.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lsml_spark.core.raw import Format
from lsml_spark.quality.raw.csv_text import Record, records
from lsml_spark.quality.raw.infer import NUMBER, is_time
from lsml_spark.quality.raw.text import UNREADABLE, open_raw, packing, physical_lines

BYTES, LINES, FILES = 1 << 22, 2000, 8  # looked at: of a file, of a file, of the days
DELIMITERS = (",", ";", "\t", "|")
ENOUGH = 0.95  # of the records must be whole
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Sniffed:
    """`options`: those of `raw:` that are not at their default, each with why it is believed. `columns`: of a
    file without a header.
    """

    options: dict[str, object] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    columns: int = 0

    @property
    def form(self) -> Format:
        return Format.model_validate(self.options)


def sniff(paths: Sequence[Path]) -> Sniffed:
    """What the files have in common; a few of them, spread over all, are looked at."""
    looked = list(paths)[:: max(1, len(paths) // FILES)][:FILES]
    sniffed = _encoding(looked, _packing(looked))
    lines = [list(islice(_lines(path, sniffed.form), LINES)) for path in looked]
    return _writing(sniffed, [some for some in lines if some])


def _packing(paths: Sequence[Path]) -> Sniffed:
    """How files are packed whose names do not say so."""
    for mark, name in PACKED.items():
        beginnings = [
            _beginning(path, Format(compression="none"))[: len(mark)]
            for path in paths
            if packing(path, Format()) == "none"
        ]
        if beginnings and len(beginnings) == len(paths) and set(beginnings) == {mark}:
            return _found(Sniffed(), "compression", name, f"its first bytes are those of {name}")
    return Sniffed()


def _encoding(paths: Sequence[Path], sniffed: Sniffed) -> Sniffed:
    contents = [content for path in paths if (content := _beginning(path, sniffed.form))]
    for mark, name in BOMS.items():
        if contents and all(content.startswith(mark) for content in contents):
            return (
                sniffed
                if name == "utf-8"
                else _found(sniffed, "encoding", name, f"its byte order mark says {name}")
            )
    right, wrong = Counter[str](), 0
    for content in contents:
        if content.count(b"\0") > len(content) / 4:
            odd = content[1::2].count(0) >= content[::2].count(0)
            return _found(sniffed, "encoding", f"utf-16-{'le' if odd else 'be'}", "every other byte is NUL")
        text = content.decode("utf-8", "backslashreplace")
        broken = len(re.findall(r"\\x[89a-f][0-9a-f]", text))
        right["utf-8"] += sum(not char.isascii() for char in text)
        wrong += broken
        right["windows"] += sum(content.count(byte) for byte in range(0x80, 0xA0)) if broken else 0
    if wrong <= right["utf-8"]:
        return sniffed  # what few bytes are wrong are kept aside as such
    name = "cp1252" if right["windows"] else "latin-1"
    unsure = f"not sure: any byte is a letter of {name}, look at names with accents"
    return _found(sniffed, "encoding", name, f"{wrong:,} bytes are not UTF-8; {unsure}")


def _beginning(path: Path, form: Format) -> bytes:
    try:
        with open_raw(path, form) as file:
            content = file.read(BYTES)
    except UNREADABLE:
        return b""  # whoever reads it says what is wrong
    return content if len(content) < BYTES else content[: content.rfind(b"\n") + 1]


def _lines(path: Path, form: Format) -> Iterator[str]:
    try:
        yield from physical_lines(path, form)
    except UNREADABLE:
        return


def _found(sniffed: Sniffed, option: str, value: object, why: str) -> Sniffed:
    return Sniffed(sniffed.options | {option: value}, sniffed.why | {option: why}, sniffed.columns)


def _writing(sniffed: Sniffed, files: Sequence[Sequence[str]]) -> Sniffed:
    if not files:
        return sniffed
    sniffed = _comments(sniffed, files)
    best, best_share = sniffed.form, -1.0
    for form in _ways(sniffed.form, files):
        share = _whole(form, files)
        if share > best_share + 0.01:
            best, best_share = form, share
    columns = _width(best, files)
    total = sum(len(lines) for lines in files)
    evidence = f"{best_share:.1%} of the records in {total:,} lines have {columns} fields then"
    if best.delimiter != ",":
        sniffed = _found(
            sniffed, "delimiter", best.delimiter, f"fields are parted by {NAMES[best.delimiter]}: {evidence}"
        )
    if best.quote != '"':
        sniffed = _found(
            sniffed,
            "quote",
            best.quote,
            f"{'apostrophes are' if best.quote else 'quotes are not'} around fields: {evidence}",
        )
    if best.escape != '"' and best.quote:
        sniffed = _found(
            sniffed, "escape", best.escape, f"a backslash stands before a quote inside quotes: {evidence}"
        )
    if best.multiline:
        sniffed = _found(sniffed, "multiline", True, f"quoted fields hold line breaks: {evidence}")
    return _header(sniffed, files)


def _comments(sniffed: Sniffed, files: Sequence[Sequence[str]]) -> Sniffed:
    """Lines that begin with # and look like no record."""
    for lines in files:
        marked = [line for line in lines if line.startswith("#")]
        rest = Counter(
            line.count(delimiter) for line in lines if not line.startswith("#") for delimiter in DELIMITERS
        )
        usual = {count for count, _ in rest.most_common(4)} - {0}
        if len(marked) < len(lines) / 2 and any(
            all(line.count(d) not in usual for d in DELIMITERS) for line in marked
        ):
            return _found(sniffed, "comment", "#", f"{len(marked):,} lines begin with it")
    return sniffed


def _ways(form: Format, files: Sequence[Sequence[str]]) -> Iterator[Format]:
    """From the simplest on; the first of equals wins."""
    text = "".join(line for lines in files for line in lines)
    quotes = ['"', *(["'"] if "'" in text else []), *([""] if '"' in text else [])]
    for quote in quotes:
        for escape in ['"', *(["\\"] if quote and "\\" + quote in text else [])]:
            for multiline in (False, True) if quote and quote in text else (False,):
                for delimiter in DELIMITERS:
                    if delimiter in text or delimiter == ",":
                        given = {
                            "delimiter": delimiter,
                            "quote": quote,
                            "escape": escape,
                            "multiline": multiline,
                        }
                        yield Format.model_validate(form.changed() | given)


def _records(form: Format, lines: Sequence[str]) -> list[Record]:
    return list(records(enumerate(lines, 1), form))


def _whole(form: Format, files: Sequence[Sequence[str]]) -> float:
    """The share of records that have as many fields as the first of their file, and more than one; 0 where
    they have one.

    A field that keeps its quotes around it was not understood.
    """
    whole = total = 0.0
    for lines in files:
        parsed = _records(form, lines)
        first = parsed[0].fields if parsed else None
        total += len(parsed)
        if not first or len(first) < 2:
            continue
        for record in parsed:
            if record.fields is not None and len(record.fields) == len(first):
                kept = sum(
                    len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" for text in record.fields
                )
                whole += 1 - 0.5 * bool(kept)
    return whole / total if total else 0.0


def _width(form: Format, files: Sequence[Sequence[str]]) -> int:
    counts = Counter(
        len(record.fields) for lines in files for record in _records(form, lines) if record.fields is not None
    )
    return counts.most_common(1)[0][0] if counts else 0


def _header(sniffed: Sniffed, files: Sequence[Sequence[str]]) -> Sniffed:
    """Without a header the first record is as the others: numbers where they have numbers, texts that come
    again.
    """
    firsts, bodies = [], []
    for lines in files:
        rows = [record.fields for record in _records(sniffed.form, lines) if record.fields is not None]
        if len(rows) > 2:
            firsts.append(rows[0])
            bodies.append([row for row in rows[1:] if len(row) == len(rows[0])])
    if not firsts or any(not _like_a_record(first, body) for first, body in zip(firsts, bodies, strict=True)):
        return sniffed
    if len(firsts) > 1 and all(first == firsts[0] for first in firsts):
        return sniffed  # every file begins with the same line
    wide = len(firsts[0])
    why = (
        f"the first line has values as the others have: {', '.join(firsts[0])[:60]}; name the columns in "
        "the contract"
    )
    return Sniffed(sniffed.options | {"header": False}, sniffed.why | {"header": why}, wide)


def _like_a_record(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    if not body:
        return False
    votes = 0
    for i, name in enumerate(first):
        below = [row[i].strip() for row in body if row[i].strip()]
        if below and sum(map(_is_value, below)) >= ENOUGH * len(below):
            votes += 2 if _is_value(name.strip()) else -2
        elif name.strip() and len(set(below)) <= len(below) / 2:
            votes += 1 if name.strip() in below else -1
    return votes > 0 or (
        votes == 0 and any(not name.strip() or _is_value(name.strip()) for name in first) and len(first) > 1
    )


def _is_value(text: str) -> bool:
    return bool(NUMBER.fullmatch(text.replace(",", "."))) or is_time(text)
