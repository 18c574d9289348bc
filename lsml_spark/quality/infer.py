"""Which type text columns have, from a sample of their values: the narrowest that nearly all of them fit.

Numbers that all have the same form (`536365`, `15240.0`) name something rather than count it, and stay text; so do columns
where what does not fit has a form of its own (`C536379` among invoices).
"""

import datetime
import re
from collections import Counter
from collections.abc import Callable, Sequence

from lsml_spark.quality.shapes import shape_of

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d{1,18}")
PADDED = re.compile(r"[+-]?0\d")  # 00123 names something, it counts nothing
DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
ENOUGH = 0.99  # a few broken values must not turn a number into text


def type_of(values: Sequence[str]) -> str:
    """A Spark type name for these values (no blanks among them): int, bigint, double, date, timestamp, boolean or string."""
    found = [value.strip() for value in values]
    for type_, fits in KINDS.items():
        left = [value for value in found if not fits(value)]
        if found and len(left) <= (1 - ENOUGH) * len(found):
            return "string" if _regular(left, len(found)) or (type_ in ("int", "double") and _names(found)) else _narrow(type_, found)
    return "string"


def _narrow(type_: str, values: Sequence[str]) -> str:
    """bigint for wide numbers, date where no value has a time of day."""
    if type_ == "int":
        return "int" if all(abs(int(value)) < 2**31 for value in values if WHOLE.fullmatch(value)) else "bigint"
    if type_ == "timestamp":
        return "date" if all(DAY.fullmatch(value) for value in values if _is_time(value)) else "timestamp"
    return type_


def _regular(left: Sequence[str], total: int) -> bool:
    """Whether the values that do not fit share a form, as values of another kind do and accidents do not."""
    shapes = Counter(map(shape_of, left))
    return bool(shapes) and max(shapes.values()) >= max(3, total / 1000)


def _names(values: Sequence[str]) -> bool:
    """Whether numbers are names: padded with zeros, or all of one form with four digits or more."""
    if sum(bool(PADDED.match(value)) for value in values) > (1 - ENOUGH) * len(values):
        return True
    (shape, count), *_ = Counter(map(shape_of, values)).most_common(1)
    return len(set(values)) >= 20 and count >= 0.999 * len(values) and shape[0][0] == "digit" and shape[0][1] >= 4


def _is_time(value: str) -> bool:
    if not DAY.match(value):
        return False
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


KINDS: dict[str, Callable[[str], bool]] = {
    "int": lambda value: bool(WHOLE.fullmatch(value)),
    "double": lambda value: bool(NUMBER.fullmatch(value)) or value.lower() in ("nan", "inf", "-inf", "infinity"),
    "boolean": lambda value: value.lower() in ("true", "false"),
    "timestamp": _is_time,
}
