"""Planted defects: ways in which a real CSV day goes wrong, and the lines that are wrong then.

`DEFECTS` is the table: name, what is done to the day, the check that should find it. A defect of `cells` or
`rows` corrupts a share of the lines (ground truth: their numbers); one of the `day` corrupts the file as a
whole (ground truth: the day).
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Draw = np.random.Generator
Row = list[str]


@dataclass(frozen=True)
class Raw:
    """A CSV day in memory: row i stands on line i + 2."""

    header: Row
    rows: list[Row]

    @classmethod
    def read(cls, text: str) -> "Raw":
        header, *rows = csv.reader(io.StringIO(text))
        return cls(header, rows)

    def text(self) -> str:
        stored = io.StringIO()
        csv.writer(stored, lineterminator="\n").writerows([self.header, *self.rows])
        return stored.getvalue()


@dataclass(frozen=True)
class Roles:
    """Which columns of a data set play which part; a defect whose part is not cast is left out.

    Fields:
        amount: a number that is not negative. count: a whole number. text: words. category: few known values.
        id: of a fixed form. key: what the rows are about; `meaning` is determined by it. time: ISO 8601.
            swap: two columns.
        before: the clean day before, for what is delivered late or twice.
    """

    before: Raw
    amount: str = ""
    count: str = ""
    text: str = ""
    category: str = ""
    id: str = ""
    key: str = ""
    meaning: str = ""
    time: str = ""
    swap: tuple[str, str] | None = None


@dataclass(frozen=True)
class Corrupted:
    """The file's bytes; the numbers of the lines that are wrong, or None where the day is."""

    data: bytes
    lines: frozenset[int] | None


@dataclass(frozen=True)
class Defect:
    """One row of the table. `part`: the role that it needs ("" for none). `change` gets what `kind` says."""

    name: str
    part: str
    what: str
    found_by: str
    kind: Literal["cells", "rows", "day"] = field(repr=False)
    change: Callable = field(repr=False)

    def fits(self, roles: Roles) -> bool:
        return all(getattr(roles, part) for part in self.part.split())

    def plant(self, raw: Raw, roles: Roles, rate: float, seed: int = 0) -> Corrupted:
        """The day with this defect in a share `rate` of its lines (at least one), drawn from the seed."""
        draw = np.random.default_rng([seed, *self.name.encode()])
        if self.kind == "day":
            changed = self.change(raw, roles, draw)
            return Corrupted(changed if isinstance(changed, bytes) else changed.text().encode(), None)
        if self.kind == "cells":
            return _lines(raw, *_cells(raw, roles, self, rate, draw))
        return _lines(raw, *_rows(raw, roles, self, rate, draw))


def _lines(raw: Raw, out: Sequence[Row | bytes], wrong: set[int]) -> Corrupted:
    """Rows as a file; a row that is bytes already is written as it is."""
    parts = [Raw(raw.header, []).text().encode()]
    parts += [row if isinstance(row, bytes) else Raw(row, []).text().encode() for row in out]
    return Corrupted(b"".join(parts), frozenset(wrong))


def _cells(
    raw: Raw, roles: Roles, defect: Defect, rate: float, draw: Draw
) -> tuple[list[Row | bytes], set[int]]:
    """Change cells of the role's column that are filled; a change that leaves the text as it was does not
    count.
    """
    column = raw.header.index(getattr(roles, defect.part.split()[0]))
    filled = [i for i, row in enumerate(raw.rows) if row[column].strip()]
    out, wrong = [list(row) for row in raw.rows], set()
    for i in draw.permutation(filled):
        changed = defect.change(raw.rows[i][column], draw)
        if changed != raw.rows[i][column]:
            out[i][column] = changed
            wrong.add(int(i) + 2)
        if len(wrong) >= max(1, round(rate * len(raw.rows))):
            break
    return out, wrong


def _rows(
    raw: Raw, roles: Roles, defect: Defect, rate: float, draw: Draw
) -> tuple[list[Row | bytes], set[int]]:
    """Change whole rows: `change(row, raw, roles, draw)` gives what stands in their place, with which of it
    is wrong; None: unfit.
    """
    wanted = max(1, round(rate * len(raw.rows)))
    instead: dict[int, list[tuple[Row | bytes, bool]]] = {}
    for i in draw.permutation(len(raw.rows)):
        if len(instead) < wanted and (changed := defect.change(list(raw.rows[i]), raw, roles, draw)):
            instead[int(i)] = changed
    out: list[Row | bytes] = []
    wrong = set()
    for i, row in enumerate(raw.rows):
        for line, bad in instead.get(i, [(row, False)]):
            out.append(line)
            if bad:
                wrong.add(len(out) + 1)
    return out, wrong


# Cells: (text, draw) → text.


def shift_time(years: int = 0, days: int = 0, hours: int = 0) -> Callable[[str, Draw], str]:
    def change(text: str, draw: Draw) -> str:
        moved = np.datetime64(text.replace(" ", "T"), "s") + np.timedelta64(
            24 * (365 * years + years // 4 + days) + hours, "h"
        )
        return str(moved).replace("T", " ")

    return change


def scaled(factor: float) -> Callable[[str, Draw], str]:
    return lambda text, draw: f"{float(text) * factor:.10g}"


def inside(piece: str) -> Callable[[str, Draw], str]:
    def change(text: str, draw: Draw) -> str:
        at = int(draw.integers(len(text) + 1))
        return text[:at] + piece + text[at:]

    return change


def misspelt(text: str, draw: Draw) -> str:
    """Two neighbouring letters that differ change places; a text of one letter is doubled."""
    places = [i for i in range(len(text) - 1) if text[i] != text[i + 1]]
    if not places:
        return text + text
    at = places[int(draw.integers(len(places)))]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


# Rows: (row, raw, roles, draw) → what stands in its place, each with whether it is wrong; None where this row
# is unfit.


def swapped(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[Row, bool]] | None:
    assert roles.swap
    a, b = map(raw.header.index, roles.swap)
    if row[a] == row[b]:
        return None
    row[a], row[b] = row[b], row[a]
    return [(row, True)]


def truncated(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[bytes, bool]]:
    line = Raw(row, []).text().rstrip("\n")
    commas = [i for i, character in enumerate(line) if character == ","]
    return [(line[: commas[int(draw.integers(1, len(commas)))]].encode() + b"\n", True)]


def twice(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[Row, bool]] | None:
    return [(row, False), (list(row), True)]


def twice_with_a_typo(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[Row, bool]] | None:
    column = raw.header.index(roles.text)
    if len(row[column]) < 12:
        return None
    copy = list(row)
    copy[column] = misspelt(row[column], draw)
    return [(row, False), (copy, True)]


def contradicted(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[Row, bool]] | None:
    """The key stands on two other lines at least, which agree."""
    key, meaning = raw.header.index(roles.key), raw.header.index(roles.meaning)
    others = Counter(other[meaning] for other in raw.rows if other[key] == row[key])
    if len(others) != 1 or others.total() < 3 or not row[meaning]:
        return None
    row[meaning] = next(other[meaning] for other in raw.rows if other[meaning] not in ("", row[meaning]))
    return [(row, True)]


def latin(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[bytes, bool]]:
    """An é inside the text, in Latin-1: a byte that is no UTF-8."""
    row[raw.header.index(roles.text)] += "é"
    return [(Raw(row, []).text().encode("latin-1", "replace"), True)]


def late(row: Row, raw: Raw, roles: Roles, draw: Draw) -> list[tuple[Row, bool]]:
    return [(row, False), (list(roles.before.rows[int(draw.integers(len(roles.before.rows)))]), True)]


# Days: (raw, roles, draw) → the day's rows, or its bytes.


def column(part: str, change: Callable[[str], str]) -> Callable[[Raw, Roles, Draw], Raw]:
    """Every filled cell of a column changed."""

    def day(raw: Raw, roles: Roles, draw: Draw) -> Raw:
        at = raw.header.index(getattr(roles, part))
        return Raw(
            raw.header, [[*row[:at], change(row[at]) if row[at] else "", *row[at + 1 :]] for row in raw.rows]
        )

    return day


def columns(order: Callable[[Row], Mapping[str, str | None]]) -> Callable[[Raw, Roles, Draw], Raw]:
    """Other columns: new name → the old one that fills it, or None."""

    def day(raw: Raw, roles: Roles, draw: Draw) -> Raw:
        new = order(raw.header)
        places = [None if old is None else raw.header.index(old) for old in new.values()]
        return Raw([*new], [["1" if at is None else row[at] for at in places] for row in raw.rows])

    return day


def renamed(names: Row) -> dict[str, str | None]:
    return {**{name: name for name in names[:-1]}, f"{names[-1]}_x": names[-1]}


def shifted_category(raw: Raw, roles: Roles, draw: Draw) -> Raw:
    at = raw.header.index(roles.category)
    rare = Counter(row[at] for row in raw.rows if row[at]).most_common()[-1][0]
    return Raw(
        raw.header,
        [[*row[:at], rare if draw.random() < 0.3 else row[at], *row[at + 1 :]] for row in raw.rows],
    )


def shifted_keys(raw: Raw, roles: Roles, draw: Draw) -> Raw:
    """Half of the rows get the day's one most frequent key."""
    at = raw.header.index(roles.key)
    top = Counter(row[at] for row in raw.rows).most_common()[0][0]
    return Raw(
        raw.header, [[*row[:at], top if draw.random() < 0.5 else row[at], *row[at + 1 :]] for row in raw.rows]
    )


def emptied(raw: Raw, roles: Roles, draw: Draw) -> Raw:
    at = raw.header.index(roles.category)
    return Raw(raw.header, [[*row[:at], "", *row[at + 1 :]] for row in raw.rows])


def half(raw: Raw, roles: Roles, draw: Draw) -> Raw:
    return Raw(raw.header, raw.rows[: len(raw.rows) // 2])


def cell(name: str, part: str, what: str, found_by: str, change: Callable[[str, Draw], str]) -> Defect:
    return Defect(name, part, what, found_by, "cells", change)


def row(name: str, part: str, what: str, found_by: str, change: Callable) -> Defect:
    return Defect(name, part, what, found_by, "rows", change)


def day(
    name: str, part: str, what: str, found_by: str, change: Callable[[Raw, Roles, Draw], Raw | bytes]
) -> Defect:
    return Defect(name, part, what, found_by, "day", change)


DEFECTS: Sequence[Defect] = (
    cell("missing key", "key", "the cell is emptied", "complete", lambda text, draw: ""),
    cell("missing amount", "amount", "the cell is emptied", "complete", lambda text, draw: ""),
    cell("NaN", "amount", "the text NaN", "finite", lambda text, draw: "NaN"),
    cell(
        "infinity",
        "amount",
        "the text Infinity",
        "finite",
        lambda text, draw: "-Infinity" if draw.random() < 0.5 else "Infinity",
    ),
    cell(
        "decimal comma",
        "amount",
        "2,55 for 2.55",
        "the contract's type",
        lambda text, draw: text.replace(".", ","),
    ),
    cell("currency sign", "amount", "£2.55", "the contract's type", lambda text, draw: f"£{text}"),
    cell("words for a number", "count", "the text `two`", "the contract's type", lambda text, draw: "two"),
    cell(
        "fraction of a whole",
        "count",
        "2.5 pieces",
        "the contract's type",
        lambda text, draw: f"{text.removesuffix('.0')}.5",
    ),
    cell(
        "other date format",
        "time",
        "28/02/2011 08:26",
        "the contract's type",
        lambda t, draw: f"{t[8:10]}/{t[5:7]}/{t[:4]} {t[11:16]}",
    ),
    cell(
        "impossible date",
        "time",
        "month 13",
        "the contract's type",
        lambda text, draw: f"{text[:5]}13{text[7:]}",
    ),
    cell(
        "negative amount",
        "amount",
        "the sign is flipped",
        "in_range",
        lambda text, draw: f"-{text}" if float(text) > 0 else text,
    ),
    cell("zeroed amount", "amount", "0 for the amount", "in_range", lambda text, draw: "0.0"),
    cell("unit × 100", "amount", "pence for pounds on some lines", "outlier", scaled(100)),
    cell("unit × 1000", "amount", "a factor of 1000 on some lines", "in_range", scaled(1000)),
    cell("absurd amount", "amount", "10⁹", "in_range", lambda text, draw: "1000000000"),
    cell(
        "flipped count",
        "count",
        "the sign is flipped",
        "sql or in_range",
        lambda text, draw: f"{-float(text):.10g}",
    ),
    cell("absurd count", "count", "10⁷", "in_range", lambda text, draw: "10000000"),
    cell("unknown category", "category", "Atlantis", "one_of", lambda text, draw: "Atlantis"),
    cell("misspelt category", "category", "two letters change places", "one_of", misspelt),
    cell("padded category", "category", "blanks around the text", "one_of", lambda text, draw: f" {text} "),
    cell(
        "category in capitals",
        "category",
        "upper for lower case or the reverse",
        "one_of",
        lambda text, draw: text.swapcase(),
    ),
    cell("mojibake", "text", "é as Windows-1252 shows its UTF-8", "readable", inside("Ã©")),
    cell("control character", "text", "a NUL or bell", "readable", inside("\x07")),
    cell("replacement character", "text", "U+FFFD", "readable", inside("\ufffd")),
    cell("stuck key", "text", "one letter many times", "readable", inside("xxxxxxxxxx")),
    cell("overlong text", "text", "the text 30 times", "length", lambda text, draw: f"{text}; " * 30),
    cell("blank text", "text", "a single blank", "matches", lambda text, draw: " "),
    cell("id too short", "id", "the last character is lost", "matches", lambda text, draw: text[:-1]),
    cell("id too long", "id", "a digit too many", "matches", lambda text, draw: f"{text}0"),
    cell("letter for digit", "id", "O for the last digit", "matches", lambda text, draw: f"{text[:-1]}O"),
    cell("orphan key", "key", "a key that nothing knows", "references", lambda text, draw: "99999"),
    cell("future time", "time", "ten years ahead", "sql", shift_time(years=10)),
    cell("century off", "time", "a hundred years back", "sql", shift_time(years=-100)),
    cell("other day", "time", "forty days back", "sql", shift_time(days=-40)),
    cell("clock set back", "time", "nine hours back", "monotone", shift_time(hours=-9)),
    row("swapped columns", "swap", "two fields change places", "the contract's type", swapped),
    row(
        "shifted fields",
        "",
        "a field lost, the rest one to the left",
        "the contract's type",
        lambda row, *_: [([*row[1:], ""], True)],
    ),
    row("truncated line", "", "the line ends early", "malformed line", truncated),
    row("surplus field", "", "one field more", "malformed line", lambda row, *_: [([*row, "x"], True)]),
    row("line twice", "", "the line again", "distinct_row", twice),
    row(
        "line twice with a typo",
        "text",
        "the line again, two letters of its text changed places",
        "unique",
        twice_with_a_typo,
    ),
    row(
        "contradiction",
        "key meaning",
        "another meaning than the other lines of the key",
        "conflict",
        contradicted,
    ),
    row("late rows", "", "lines of the day before", "no_leakage, sql", late),
    row("other encoding", "text", "Latin-1 bytes in the line", "readable", latin),
    day(
        "dropped column",
        "",
        "the last column is gone",
        "schema",
        columns(lambda names: {name: name for name in names[:-1]}),
    ),
    day("renamed column", "", "the last column has another name", "schema", columns(renamed)),
    day(
        "reordered columns",
        "",
        "last one first",
        "schema",
        columns(lambda names: {name: name for name in (names[-1], *names[:-1])}),
    ),
    day(
        "added column",
        "",
        "one more column",
        "schema",
        columns(lambda names: {**{name: name for name in names}, "new": None}),
    ),
    day(
        "retyped column",
        "amount",
        "numbers with a unit",
        "the contract's type",
        column("amount", lambda text: f"{text} GBP"),
    ),
    day(
        "column in pence",
        "amount",
        "all × 100",
        "unit_change",
        column("amount", lambda text: f"{float(text) * 100:.10g}"),
    ),
    day(
        "column in tens",
        "amount",
        "all ÷ 10",
        "unit_change",
        column("amount", lambda text: f"{float(text) / 10:.10g}"),
    ),
    day("stuck column", "count", "one value in all rows", "constant", column("count", lambda text: "1")),
    day("emptied column", "category", "no value in any row", "complete", emptied),
    day("half a day", "", "every line after the middle is missing", "rows", half),
    day(
        "day twice",
        "",
        "all lines again",
        "distinct_row, rows",
        lambda raw, roles, draw: Raw(raw.header, raw.rows * 2),
    ),
    day(
        "stale day",
        "",
        "the day before once more",
        "fresh, no_leakage",
        lambda raw, roles, draw: roles.before,
    ),
    day(
        "category shift",
        "category",
        "30 % of the rows in the rarest category",
        "drift or conflict",
        shifted_category,
    ),
    day("key shift", "key", "half of the rows about one key", "drift", shifted_keys),
    day("header only", "", "no rows", "the gate", lambda raw, roles, draw: Raw(raw.header, [])),
    day("empty file", "", "no bytes", "the gate", lambda raw, roles, draw: b""),
)


def named(name: str) -> Defect:
    (found,) = [defect for defect in DEFECTS if defect.name == name]
    return found
