"""How values are written in text columns: words for "missing", blanks around them, decimal commas, forms of
days and times.

Pure, from samples of the columns. What is found holds for all columns of a pipeline (`raw:` has one of each),
so a word is believed only where it stands among numbers or times, or where no column could mean it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lsml_spark.quality.raw.infer import ENOUGH, is_time, type_of
from lsml_spark.quality.raw.time_forms import form_of

SURE = ("?", "\\N", "NULL", "null", "N/A", "n/a", "#N/A", "<NA>", "(null)")  # mean nothing else
# do, among numbers
PERHAPS = ("NA", "None", "none", "-", "--", ".", "nan", "NaN", "Null", "na", "missing", "unknown", "Unknown")
MOST = 0.95  # of a column may be missing
COMMAS = re.compile(r"[+-]?(\d{1,3}(?P<by>[. '_])\d{3}((?P=by)\d{3})*|\d+)(,\d+)?")
POINTS = re.compile(r"[+-]?(\d{1,3}(?P<by>[, '_])\d{3}((?P=by)\d{3})*|\d+)(\.\d+)?")


@dataclass
class Habits:
    """`options` of `raw:` that the values call for, with `why`; `notes` on what was seen and not taken."""

    options: dict[str, object] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def habits_of(columns: Mapping[str, Sequence[str]], commas_part_fields: bool) -> Habits:
    """Of samples of text columns, missing values left out."""
    habits = Habits()
    words = _words(columns, habits)
    rest = {
        name: [value.strip() for value in values if value.strip() not in words]
        for name, values in columns.items()
    }
    _blanks(columns, habits)
    _decimals(rest, commas_part_fields, habits)
    _times(rest, habits)
    return habits


def plain_number(value: str, options: Mapping[str, object]) -> str:
    """A number as Python writes it."""
    plain = value.replace(str(options.get("thousands") or "\0"), "")
    return plain.replace(",", ".") if options.get("decimal") == "," else plain


def _words(columns: Mapping[str, Sequence[str]], habits: Habits) -> set[str]:
    words: dict[str, str] = {}
    for name, values in columns.items():
        counts = Counter(value.strip() for value in values)
        there = [word for word in (*SURE, *PERHAPS) if 0 < counts[word] < MOST * len(values)]
        if not there:
            continue
        rest = [value for value in counts.elements() if value not in there]
        typed = rest and _some_type(rest)
        for word in there:
            share = f"{counts[word] / len(values):.1%} of {name}"
            if word in SURE or typed:
                words[word] = f"{words[word]}, {share}" if word in words else share
            elif counts[word] >= max(3, len(values) / 1000):
                habits.notes.append(f"{share} is {word!r}: if that means missing, add it to raw.nulls")
    if words:
        habits.options["nulls"] = list(words)
        habits.why["nulls"] = "; ".join(f"{word} is {where}" for word, where in words.items())
    return set(words)


def _some_type(values: Sequence[str]) -> bool:
    """Whether these are numbers, days or truth values, in whatever way they are written."""
    numbers = sum(bool(COMMAS.fullmatch(value) or POINTS.fullmatch(value)) for value in values)
    return type_of(values) != "string" or numbers >= ENOUGH * len(values) or form_of(values) is not None


def _blanks(columns: Mapping[str, Sequence[str]], habits: Habits) -> None:
    shares = {
        name: sum(value != value.strip(" ") for value in values) / len(values)
        for name, values in columns.items()
        if values
    }
    if many := {name: share for name, share in shares.items() if share > 0.5}:
        habits.options["trim"] = True
        habits.why["trim"] = f"blanks around {max(many.values()):.1%} of the values of {', '.join(many)}"


def _decimals(columns: Mapping[str, Sequence[str]], commas_part_fields: bool, habits: Habits) -> None:
    comma: list[str] = []  # columns that say which of the two it is
    point: list[str] = []
    unsure: list[str] = []
    by: dict[str, set[str]] = {",": set(), ".": set()}
    for name, values in columns.items():
        if type_of(values) != "string" or not values:
            continue
        as_comma, as_point = (
            [match for value in values if (match := form.fullmatch(value))] for form in (COMMAS, POINTS)
        )
        if max(len(as_comma), len(as_point)) < ENOUGH * len(values):
            continue
        if all(map(str.isdigit, values)):
            continue  # long numbers that are no numbers
        if len(as_comma) == len(as_point) and all(
            re.fullmatch(r"[+-]?\d{1,3}[.,]\d{3}", value) or value.isdigit() for value in values
        ):
            unsure.append(name)
            continue
        (comma if len(as_comma) >= len(as_point) else point).append(name)
        mark = "," if len(as_comma) >= len(as_point) else "."
        by[mark] |= {match["by"] for match in (as_comma if mark == "," else as_point) if match["by"]}
    floats = [name for name, values in columns.items() if type_of(values) in ("double",)]
    if comma and not floats:
        habits.options["decimal"] = ","
        habits.why["decimal"] = f"commas stand before the fractions of {', '.join(comma)}"
        _thousands(by[","], habits)
    elif point or (by[","] and floats):
        _thousands(by["."], habits)
    if unsure and "decimal" not in habits.options and "thousands" not in habits.options:
        habits.notes.append(
            f"{', '.join(unsure)}: 1,234 may be a thousand or a fraction; say raw.decimal or raw.thousands"
        )


def _thousands(marks: set[str], habits: Habits) -> None:
    if len(marks) == 1:
        (mark,) = marks
        habits.options["thousands"] = mark
        habits.why["thousands"] = f"{mark!r} between groups of three digits"


def _times(columns: Mapping[str, Sequence[str]], habits: Habits) -> None:
    forms: dict[str, dict[str, list[str]]] = {"date_formats": {}, "timestamp_formats": {}}
    plain: dict[str, list[str]] = {"date_formats": [], "timestamp_formats": []}
    for name, values in columns.items():
        kind = type_of(values)
        if kind in ("date", "timestamp"):
            plain[f"{kind}_formats"] += values
            continue
        if kind != "string":
            continue
        form = form_of(values)
        if form is None:
            continue
        if form.pattern:
            forms[f"{form.kind}_formats"].setdefault(form.pattern, []).append(name)
        else:
            habits.notes.append(f"{name}: {form.note}")
    for option, patterns in forms.items():
        if patterns:
            habits.options[option] = [*patterns, *_iso(plain[option])]
            habits.why[option] = "; ".join(
                f"{', '.join(names)} {'have' if len(names) > 1 else 'has'} it" for names in patterns.values()
            )


def _iso(values: Sequence[str]) -> Iterator[str]:
    """Patterns for what needs none otherwise: where one is given, nothing else is tried."""
    right = [value for value in values if is_time(value)]
    shapes = dict.fromkeys(
        ("T" in value, value.count(":"), "." in value, " " in value or "T" in value) for value in right
    )
    for letter_t, colons, fraction, clock in shapes:
        if not clock:
            yield "yyyy-MM-dd"
            continue
        seconds = (":ss" if colons > 1 else "") + (".SSSSSS" if fraction else "")
        yield f"yyyy-MM-dd{chr(39) + 'T' + chr(39) if letter_t else ' '}HH:mm{seconds}"
