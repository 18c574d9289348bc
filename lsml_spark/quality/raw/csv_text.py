"""CSV text as records, by RFC 4180 and without Spark: the one place that says what a record is.

A quoted field begins right after a delimiter and ends right before one; inside it a quote is doubled (or has
a backslash before it, where `raw.escape` says so) and line breaks are text. Whatever is quoted otherwise is
malformed, and so is every physical line of its record: no half of a record is ever taken for one.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lsml_spark.core.raw import Format
from lsml_spark.quality.raw.text import undecodable, without_end

FIELDS = "malformed line: wrong number of fields"
SPANS = "malformed quoting: the record goes on in the next line (raw.multiline: true reads such)"
INSIDE = "malformed quoting: a quote inside a field"
OPEN = "malformed quoting: a quote that is never closed"
BYTES = "malformed line: bytes that are not of the encoding"
REASONS = (FIELDS, SPANS, INSIDE, OPEN, BYTES)


class Record(NamedTuple):
    """`line`: the physical line, the first being 1, on which `text` begins. `fields`: none where `why` says
    what is wrong.
    """

    line: int
    text: str
    fields: list[str] | None
    why: str | None = None


class Quoting:
    """The quoting of one file: where quoted fields begin and end."""

    def __init__(self, form: Format):
        quote, backslash = re.escape(form.quote), form.escape == "\\"
        self.delimiter, self.quote, self.backslash = form.delimiter, form.quote, backslash
        if not quote:
            return  # a quote is a character like any other
        escaped = r"|\\." if backslash else ""
        plain = rf"[^{quote}\\]" if backslash else f"[^{quote}]"
        self.body = re.compile(f"(?:{plain}++|{quote}{quote}{escaped})*+", re.DOTALL)
        self.escapes = re.compile(rf"{quote}{quote}|\\([{quote}\\])" if backslash else f"{quote}{quote}")

    def walk(self, line: str, inside: bool) -> tuple[bool, bool]:
        """Through one physical line that begins inside quotes or not: whether it ends there, and whether its
        quoting is right.
        """
        at, right = 0, True
        while True:
            if not inside:
                if line.startswith(self.quote, at):
                    inside, at = True, at + 1
                    continue
                end = line.find(self.delimiter, at)
                right = right and line.find(self.quote, at, len(line) if end < 0 else end) < 0
            else:
                close = self._body_end(line, at)
                if close >= len(line):
                    return True, right
                inside, at = False, close + 1
                end = line.find(self.delimiter, at)
                right = right and at == (len(line) if end < 0 else end)
            if end < 0:
                return False, right
            at = end + 1

    def _body_end(self, line: str, at: int) -> int:
        """Where the quoted text ends that stands at `at`: a lone backslash at the end of the line escapes its
        line break.
        """
        match = self.body.match(line, at)
        assert match is not None
        end = match.end()
        return len(line) if self.backslash and line.startswith("\\", end) else end

    def fields(self, record: str) -> list[str]:
        """The fields of a record that is quoted rightly."""
        if not self.quote or self.quote not in record:
            return record.split(self.delimiter)
        fields, at = [], 0
        while True:
            if record.startswith(self.quote, at):
                end = self.body.match(record, at + 1).end()  # type: ignore[union-attr]
                fields.append(self._unescaped(record[at + 1 : end]))
                at = end + 1
            else:
                end = record.find(self.delimiter, at)
                end = len(record) if end < 0 else end
                fields.append(record[at:end])
                at = end
            if at >= len(record):
                return fields
            at += 1

    def _unescaped(self, body: str) -> str:
        return self.escapes.sub(lambda match: (match[1] if self.backslash else None) or self.quote, body)


def records(lines: Iterable[tuple[int, str]], form: Format) -> Iterator[Record]:
    """The records of numbered lines, blank lines and comments left out; what is malformed comes line by
    line.
    """
    quoting, comment = Quoting(form), form.comment
    pending: list[tuple[int, str]] = []
    inside, right = False, True
    for number, line in lines:
        body = without_end(line)
        if not pending and (not body.strip(" ") or (comment and body.startswith(comment))):
            continue
        if form.quote and (pending or form.quote in body):
            inside, fine = quoting.walk(body, inside)
            right = right and fine
        pending.append((number, line))
        if not inside:
            yield from _finished(pending, quoting, form, None if right else INSIDE)
            pending, right = [], True
    if pending:
        yield from _finished(pending, quoting, form, OPEN)


def _finished(
    lines: list[tuple[int, str]], quoting: Quoting, form: Format, why: str | None
) -> Iterator[Record]:
    text = "".join(line for _, line in lines)
    if undecodable(text):
        why = BYTES
    elif why is None and len(lines) > 1 and not form.multiline:
        why = SPANS
    if why is None:
        record = without_end(text)
        yield Record(lines[0][0], record, quoting.fields(record))
        return
    for number, line in lines:
        if line.strip(" \r\n"):
            yield Record(number, without_end(line), None, why)
