"""How the report writes numbers and foreign text. Missing figures are an en dash, never a crash and never a
zero.

Values of the data are shown as they are, but harmless: control characters as pictures, long ones cut; Jinja
escapes HTML.
"""

import datetime
import math
import re
from typing import Any, TypeGuard

from markupsafe import escape

from lsml_spark.core.scoreboard import Figure

NONE = "–"
TIGHT = "\u00a0"  # a blank at which no line breaks: a figure stays beside its unit
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What has no glyph or turns the text around it: bidi controls, joiners, fillers, tags, halves of surrogate
# pairs.
_INVISIBLE = re.compile(
    "[\u0080-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_UNIT = re.compile(r"(?<=\d) (?=%)")


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def count(value: Any) -> str:
    """12345 → 12,345."""
    return f"{round(value):,}" if is_number(value) else NONE


def rows(value: Any) -> str:
    """1 row, 2 rows."""
    return counted(value, "row")


def counted(value: Any, word: str) -> str:
    """1 key, 2 keys."""
    return f"{count(value)} {word}{'' if value == 1 else 's'}"


def percent(value: Any) -> str:
    """A share: 0.2314 → 23.1 %; small shares keep two digits, a share that is not zero is never shown as
    0.
    """
    if not is_number(value):
        return NONE
    figure = abs(value) * 100
    if figure == 0 or figure >= 10:
        return f"{value * 100:.1f}{TIGHT}%"
    if figure >= 0.005:
        return f"{value * 100:.2f}{TIGHT}%"
    return f"<{TIGHT}0.01{TIGHT}%"


def decimal(value: Any, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if is_number(value) else NONE


def signed(value: Any, digits: int = 3) -> str:
    """A difference with its sign (a real minus); one that rounds to nothing has none."""
    if not is_number(value):
        return NONE
    figure = f"{abs(value):.{digits}f}"
    if float(figure) == 0:
        return f"±{figure}"
    return f"{'+' if value > 0 else '−'}{figure}"


def points(value: Any) -> str:
    """A difference of shares in percentage points."""
    return f"{signed(value * 100, 1)}{TIGHT}pts" if is_number(value) else NONE


def figure(value: Any, metric: str = "") -> str:
    """A figure of a metric: shares in percent, whole numbers with commas, others with four digits."""
    if not is_number(value):
        return NONE
    if metric.endswith("share"):
        return percent(value)
    if float(value).is_integer() or abs(value) >= 10_000:
        return count(value)
    return f"{value:,.4g}"


def change(now: Any, last: Any) -> str:
    """How far a count moved, of what it was: −8.7 %."""
    if not is_number(now) or not is_number(last) or not last:
        return NONE
    return f"{signed((now / last - 1) * 100, 1)}{TIGHT}%"


def visible(value: Any, limit: int = 200) -> str:
    """Foreign text made visible: control characters as pictures (␀ ␊), invisible ones by code point; then
    cut.
    """
    text = str(value)
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    text = seen(text)
    return f"{text}… (+{cut:,} characters)" if cut > 0 else text


def seen(text: str) -> str:
    """Text of any length without a character that cannot be seen; twice is as once."""
    text = _CONTROL.sub(lambda match: "\u2421" if match[0] == "\x7f" else chr(0x2400 + ord(match[0])), text)
    return _INVISIBLE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)


def unbroken(text: str) -> str:
    """A sentence of another stage, its figures tied to their percent signs."""
    return _UNIT.sub(TIGHT, text)


def weekday(date: str) -> str:
    """2011-02-28 → Monday; empty for what is no date."""
    try:
        return WEEKDAYS[datetime.date.fromisoformat(date).weekday()]
    except ValueError:
        return ""


def written(figure: Figure, value: Any) -> str:
    """A figure in its own unit; "–" where there is none."""
    return {"percent": percent, "decimal": decimal, "count": count}[figure.write](value)


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def chart_text(value: Any) -> str:
    """Foreign text for a plotly label: tags and entities, which plotly reads, are escaped and so shown as
    typed.
    """
    return str(escape(visible(value, 60)))


def joined(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
