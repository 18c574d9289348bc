"""How the report writes numbers and foreign text. Missing figures are an en dash, never a crash and never a zero.

Values of the data are shown as they are, but harmless: control characters as pictures, long ones cut; Jinja escapes
HTML.
"""

import math
import re
from typing import Any, TypeGuard

from markupsafe import escape

NONE = "–"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INVISIBLE = re.compile("[\u0080-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]")


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
    """A share: 0.2314 → 23.1 %; small shares keep two digits, a share that is not zero is never shown as 0."""
    if not is_number(value):
        return NONE
    figure = abs(value) * 100
    if figure == 0 or figure >= 10:
        return f"{value * 100:.1f} %"
    if figure >= 0.005:
        return f"{value * 100:.2f} %"
    return "< 0.01 %"


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
    return f"{signed(value * 100, 1)} pts" if is_number(value) else NONE


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
    return f"{signed((now / last - 1) * 100, 1)} %"


def visible(value: Any, limit: int = 200) -> str:
    """Foreign text made visible: control characters as pictures (␀ ␊), invisible ones by code point; then cut."""
    text = str(value)
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    text = _CONTROL.sub(lambda match: "\u2421" if match[0] == "\x7f" else chr(0x2400 + ord(match[0])), text)
    text = _INVISIBLE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)
    return f"{text}… (+{cut:,} characters)" if cut > 0 else text


def chart_text(value: Any) -> str:
    """Foreign text for a plotly label: tags and entities, which plotly reads, are escaped and so shown as typed."""
    return str(escape(visible(value, 60)))


def joined(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
