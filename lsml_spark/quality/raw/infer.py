"""Which type text columns have, from a sample of their values: the narrowest that nearly all of them fit.

Numbers that all have the same form (`536365`, `15240.0`) name something rather than count it, and stay text;
so do columns where what does not fit has a form of its own (`C536379` among invoices). What is called a time
is what the reader takes for one (quality/raw/typed.py), not what Python does.
"""

import datetime
import re
from collections import Counter
from collections.abc import Callable, Sequence

from lsml_spark.quality.figures.shapes import shape_of

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
PADDED = re.compile(r"[+-]?0\d", re.ASCII)  # 00123 names something, it counts nothing
DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
TIME = re.compile(
    r"[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d{1,9})?)?( ?(?:Z|[+-]\d{2}:?\d{2}))?", re.ASCII
)
ENOUGH = 0.99  # a few broken values must not turn a number into text
EXACT = 15  # significant digits that a double keeps


def type_of(values: Sequence[str]) -> str:
    """A Spark type name for these values (no blanks among them): int, bigint, decimal, double, date,
    timestamp, boolean or string.
    """
    stripped = [value.strip() for value in values]
    for type_, fits in KINDS.items():
        left = [value for value in stripped if not fits(value)]
        if stripped and len(left) <= (1 - ENOUGH) * len(stripped):
            return (
                "string"
                if _regular(left, len(stripped)) or (type_ in ("int", "double") and _names(stripped))
                else _narrow(type_, stripped)
            )
    return "string"


def _narrow(type_: str, values: Sequence[str]) -> str:
    """bigint for wide numbers, text for what no bigint holds, date where no value has a time of day."""
    if type_ == "int":
        widest = max(abs(int(value)) for value in values if WHOLE.fullmatch(value))
        # so long, it is an id: a double would merge some
        return "int" if widest < 2**31 else "bigint" if widest < 2**63 else "string"
    if type_ == "double":
        return _fraction([value for value in values if NUMBER.fullmatch(value)])
    if type_ == "timestamp":
        return "date" if all(DAY.fullmatch(value) for value in values if is_time(value)) else "timestamp"
    return type_


def _fraction(values: Sequence[str]) -> str:
    """double, or decimal where a double would lose digits that stand there."""
    digits = [re.sub(r"[eE].*", "", value).lstrip("+-").replace(".", "").strip("0") for value in values]
    if not values or max(map(len, digits)) <= EXACT + 2:  # 17 digits are what printing a double gives
        return "double"
    if any("e" in value.lower() for value in values):
        return "string"
    parts = [value.lstrip("+-").partition(".") for value in values]
    whole, scale = max(len(part[0].lstrip("0")) for part in parts), max(len(part[2]) for part in parts)
    return f"decimal({max(whole + scale, 1)},{scale})" if whole + scale <= 38 else "string"


def _regular(left: Sequence[str], total: int) -> bool:
    """Whether the values that do not fit share a form, as values of another kind do and accidents do not."""
    shapes = Counter(map(shape_of, left))
    return bool(shapes) and max(shapes.values()) >= max(3, total / 1000)


def _names(values: Sequence[str]) -> bool:
    """Whether numbers are names: padded with zeros, or all of one form with four digits or more."""
    if sum(bool(PADDED.match(value)) for value in values) > (1 - ENOUGH) * len(values):
        return True
    (shape, count), *_ = Counter(map(shape_of, values)).most_common(1)
    return (
        len(set(values)) >= 20
        and count >= 0.999 * len(values)
        and shape[0][0] == "digit"
        and shape[0][1] >= 4
    )


def is_time(value: str) -> bool:
    """Whether the reader takes this text for a day, or for a time on one."""
    day = DAY.match(value)
    if day is None or not _is_day(*map(int, day.groups())):
        return False
    rest = value[day.end() :]
    clock = TIME.fullmatch(rest)
    return not rest or (
        clock is not None and int(clock[1]) < 24 and int(clock[2]) < 60 and int(clock[3] or 0) < 60
    )


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


KINDS: dict[str, Callable[[str], bool]] = {
    "int": lambda value: bool(WHOLE.fullmatch(value)),
    "double": lambda value: (
        bool(NUMBER.fullmatch(value)) or value.lower() in ("nan", "inf", "-inf", "infinity")
    ),
    "boolean": lambda value: value.lower() in ("true", "false"),
    "timestamp": is_time,
}
