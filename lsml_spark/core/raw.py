"""How raw text is written: the options of `raw:` beside `folder` and `files`. docs/raw.md lists them.

An option at its default is no part of a resolved config, so that a pipeline that names none keeps its
fingerprints.
"""

import codecs
import re
import zoneinfo
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from lsml_spark.core.config import Strict

# Letters that Spark takes when it reads a date or a time, and how many of each at most.
LETTERS = dict(
    zip("GyMLdDahHkKmsSVzOXxZ", (4, 6, 4, 4, 2, 3, 1, 2, 2, 2, 2, 2, 2, 9, 2, 4, 4, 5, 5, 5), strict=True)
)
NAMED = {"\\t": "\t", "tab": "\t", "\\0": "\0"}


class Format(Strict):
    """How the text of raw files is read. Parquet says it of itself: of these it heeds `nulls`, `trim` and
    what types text.

    Fields:
        delimiter: one character between two fields of CSV, `\\t` for a tab.
        quote: the character around a field; none where it is empty, so that each quote is a character like
            any other.
        escape: what stands before a quote inside quotes: the quote itself (RFC 4180) or a backslash.
        multiline: whether a quoted field may hold line breaks. Where not, all lines of such a record are
            quarantined.
        encoding: of CSV and JSON, any name that Python knows.
        header: whether the first record of CSV names the columns. Without, the contract's order of columns is
            theirs.
        comment: lines of CSV that begin with it are no records.
        nulls: texts that mean that a value is missing, compared without the blanks around them.
        trim: whether blanks around text are cut off; of numbers, dates and the like they always are.
        decimal, thousands: the characters in numbers, as in 1.234.567,89.
        date_formats, timestamp_formats: patterns of Spark, tried in their order, and nothing else; none is
            ISO 8601.
        zone: where times stand that name no zone.
        compression: of the files; `auto` goes by their names.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    multiline: bool = False
    encoding: str = "utf-8"
    header: bool = True
    comment: str = ""
    nulls: list[str] = []
    trim: bool = False
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "_"] = ""
    date_formats: list[str] = []
    timestamp_formats: list[str] = []
    zone: str = "UTC"
    compression: Literal["auto", "none", "gzip", "bzip2", "xz"] = "auto"

    def changed(self) -> dict[str, Any]:
        """The options that are not at their default, as plain values: what a YAML has to say."""
        fields: dict[str, Any] = self.model_dump(mode="json")
        return {
            name: value for name, value in fields.items() if name in FORMAT and value != FORMAT[name].default
        }

    @field_validator("delimiter", "quote", "escape", "comment", mode="before")
    @classmethod
    def _one_character(cls, given: Any, info: Any) -> Any:
        if given is None:
            given = ""
        given = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
        if not isinstance(given, str):
            raise ValueError(f"expected a character, found {given!r}")
        given = NAMED.get(given, given)
        if info.field_name == "comment":
            if "\n" in given or "\r" in given:
                raise ValueError("a line break begins no line")
            return given
        if len(given) != 1 and (given or info.field_name == "delimiter"):
            raise ValueError(f"expected one character, found {given!r}; a tab is '\\t'")
        if given in ("\n", "\r", "\ufeff"):
            raise ValueError("a line break ends a record, it cannot be this too")
        return given

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            codec = codecs.lookup(name)
            "".encode(codec.name)  # refuses codecs that are not of text
        except (LookupError, ValueError, TypeError, AssertionError, UnicodeError):
            raise ValueError(
                f"Python knows no encoding {name!r}; common ones: utf-8, latin-1, cp1252, utf-16"
            ) from None
        if codec.name in UNLIKE_TEXT:
            raise ValueError(f"{name!r} is no encoding of files; common ones: utf-8, latin-1, cp1252, utf-16")
        return "utf-8" if codec.name == "utf-8-sig" else codec.name

    @field_validator("nulls", "date_formats", "timestamp_formats", mode="before")
    @classmethod
    def _a_list(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given

    @field_validator("nulls")
    @classmethod
    def _without_blanks(cls, words: list[str]) -> list[str]:
        return list(dict.fromkeys(word.strip() for word in words))

    @field_validator("date_formats", "timestamp_formats")
    @classmethod
    def _are_patterns(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            _check_pattern(pattern)
        return patterns

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if re.fullmatch(r"[+-](0\d|1[0-8]):[0-5]\d", name):
            return name
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {name!r}; say it as Europe/Berlin or +01:00") from None
        return name

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.escape not in (self.quote, "\\", '"', ""):
            raise ValueError(
                f"escape: {self.escape!r} is neither the quote, which is then doubled, nor a backslash"
            )
        if self.quote and self.quote == self.delimiter:
            raise ValueError(f"delimiter and quote are both {self.quote!r}")
        if self.delimiter == "\\":
            raise ValueError("delimiter: a backslash separates no fields")
        if self.thousands == self.decimal:
            raise ValueError(
                f"decimal and thousands are both {self.decimal!r}; say `thousands:` for the one between "
                "groups of digits"
            )
        return self


class Raw(Format):
    """Where raw days lie and how they are written: `files` is a glob pattern inside `folder`, `{{ date }}` in
    either is the day.

    `same_every_day`: there is no date in them, and every day is to have the same files.
    """

    folder: str  # where the days lie, relative to the YAML
    files: str  # a pattern of names below it: * ? [abc] and **
    same_every_day: bool = False

    @property
    def format(self) -> Format:
        """How the files are read, without where they lie."""
        return Format(**{name: getattr(self, name) for name in FORMAT})


FORMAT = Format.model_fields
PLAIN = Format()  # what a pipeline that says nothing means
UNLIKE_TEXT = (
    "idna",
    "punycode",
    "unicode_escape",
    "raw_unicode_escape",
    "undefined",
    "mbcs",
    "oem",
    "utf-7",
    "charmap",
)


def _check_pattern(pattern: str) -> None:
    outside = re.sub(r"'[^']*'", "", pattern)
    if "'" in outside:
        raise ValueError(f"{pattern!r}: a quote in it is never closed")
    for run in re.findall(r"([A-Za-z])(?=(\1*))", outside):
        letter, more = run
        if letter not in LETTERS:
            meant = {"Y": ", did you mean y?", "u": ", did you mean y?", "T": ", write it as 'T'"}.get(
                letter, ""
            )
            raise ValueError(
                f"{pattern!r}: the letter {letter} means nothing in a pattern of Spark{meant}; for example "
                "dd.MM.yyyy HH:mm:ss"
            )
        if 1 + len(more) > LETTERS[letter]:
            raise ValueError(
                f"{pattern!r}: at most {LETTERS[letter]} times {letter}; for example dd.MM.yyyy HH:mm:ss"
            )
    if not re.search("[A-Za-z]", outside):
        raise ValueError(f"{pattern!r}: no letter in it stands for a day or a time; for example dd.MM.yyyy")
    if (
        re.search(r"[#{}]", outside)
        or re.sub(r"[^\[\]]", "", outside).replace("[]", "")
        or re.search("(?<!V)V(?!V)|(?<!O)OO(?!O)|(?<!O)OOO(?!O)", outside)
    ):
        raise ValueError(f"{pattern!r}: is no pattern of Spark; for example dd.MM.yyyy HH:mm:ss")
