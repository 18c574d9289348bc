"""Trends over nights, small enough for 500 columns × 10 metrics × 90 nights in one page.

A figure that never changes is one number. Any other is `[now, last, low, high, text]`: the text holds the
median and the spread of the earlier nights, then each night, in base 63 between low and high; "." is a night
without a value. One digit a night (63 steps) is finer than a sparkline of 27 pixels shows, two are read as
numbers; the median and the spread have two. 450,000 values so take 450 kB, as JSON numbers 3 to 5 MB; deflate
gains nothing on noise, and a script shared by the site would leave a page that is mailed alone without its
trends, and pages of old nights changing with every new one.

The usual range is median ± 3.5 · 1.4826 · MAD of the earlier good nights, the modified z-score of Iglewicz
and Hoaglin (How to Detect and Handle Outliers, 1993); where more than half of the nights are equal, the mean
absolute deviation · 1.2533. A share has at least a point on either side, a count three rows and a twentieth:
what never varied may stir without being unusual.
"""

import math
from typing import Any

import numpy as np

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"
MISSING = "."
READABLE = 250_000  # characters that all trends of a page may take for a night to have two digits
WIDTH = 3.5  # half the usual range, in robust standard deviations
LEAST = 7  # nights before anything is usual
# As quality_numbers.js has them.
COUNTS = (
    "rows",
    "clean",
    "quarantined",
    "missing",
    "distinct",
    "nan",
    "infinite",
    "zeros",
    "negative",
    "empty",
    "true",
)
# no night has too few rows in quarantine, or too large a share kept
FEWER, MORE = "quarantined", "kept_share"
LENGTHS = ("length_", "size_", "stddev", "mad")  # never below 0 either

Figure = float | list[Any] | None


def number(value: Any, figures: int = 6) -> float | int | None:
    """A JSON number of at most `figures` significant digits; whole numbers stay whole; None for what is no
    number.
    """
    if value is None or not math.isfinite(value):
        return None
    if float(value).is_integer() or abs(value) >= 10**figures:
        return round(value)
    return float(f"{value:.{figures}g}")


def beside(value: float, unit: float, digits: int) -> float | int | None:
    """A JSON number to a hundredth of `unit` (two digits: a thousandth): more is not seen beside what varies
    that much.
    """
    if not unit > 0 or not math.isfinite(unit):
        return number(value)
    places = digits + 1 - math.floor(math.log10(unit))
    return round(value) if places <= 0 else number(round(value, places), 15)


def encode(values_N: np.ndarray, low: float, high: float, digits: int) -> str:
    """Values between low and high as `digits` digits each."""
    scale, steps = max(abs(low), abs(high)), len(DIGITS) ** digits - 1
    known_N = np.isfinite(values_N)
    shares_N = (
        (values_N / scale - low / scale) / (high / scale - low / scale)
        if high > low
        else np.zeros(len(values_N))
    )
    levels = np.rint(np.where(known_N, shares_N, 0).clip(0, 1) * steps).astype(int).tolist()
    return "".join(
        _digits(level, digits) if known else MISSING * digits
        for level, known in zip(levels, known_N, strict=True)
    )


def decode(text: str, low: float, high: float, digits: int) -> np.ndarray:
    """The values (N,) of `encode`, to half a step; NaN where there was none."""
    steps = len(DIGITS) ** digits - 1
    values = []
    for start in range(0, len(text), digits):
        level = 0
        for character in text[start : start + digits]:
            level = level * len(DIGITS) + (DIGITS.index(character) if character != MISSING else 0)
        values.append(np.nan if text[start] == MISSING else low + (high - low) * level / steps)
    return np.array(values)


def usual(history_N: np.ndarray) -> tuple[float, float] | None:
    """(median, robust standard deviation) of earlier nights; None for fewer than LEAST of them."""
    known_N = history_N[np.isfinite(history_N)]
    if len(known_N) < LEAST:
        return None
    median = float(np.median(known_N))
    off_N = np.abs(known_N - median)
    spread = 1.4826 * float(np.median(off_N)) or 1.2533 * float(off_N.mean())
    return median, spread


def usual_range(value: Figure, metric: str) -> tuple[float, float] | None:
    """(low, high) as they are written: a share lies in [0, 1], and what counts or measures is never below
    0.
    """
    expected = band(value)
    if expected is None:
        return None
    reach = _reach(expected, metric)
    low, high = expected[0] - reach, expected[0] + reach
    share = metric.endswith("share")
    low = max(low, 0.0) if share or metric in COUNTS or metric.startswith(LENGTHS) else low
    return 0.0 if metric == FEWER else low, 1.0 if metric == MORE else min(high, 1.0) if share else high


def _reach(expected: tuple[float, float], metric: str) -> float:
    """Half the usual range: WIDTH spreads, but never so little that one row of thousands is an event."""
    median, spread = expected
    least = 0.01 if metric.endswith("share") else max(3.0, 0.05 * abs(median)) if metric in COUNTS else 0.0
    return max(WIDTH * spread, least)


def outside(value: Figure, metric: str = "") -> int:
    """1 where tonight's value is above the usual range, -1 below, 0 inside or where nothing is usual."""
    expected = band(value)
    if expected is None or not isinstance(value, list) or value[0] is None:
        return 0
    off = value[0] - expected[0]
    if (
        abs(off) <= _reach(expected, metric) + 1e-3 * (value[3] - value[2])
        or (metric == FEWER and off < 0)
        or (metric == MORE and off > 0)
    ):
        return 0
    return 1 if off > 0 else -1


def figure(now: Any, last: Any, history_N: np.ndarray, digits: int) -> Figure:
    """`[now, last, low, high, text]`, `[now, last]` without earlier nights, or one number that it has been on
    every night.
    """
    tonight = np.nan if number(now) is None else now
    values_N = np.append(history_N, tonight)
    known_N = values_N[np.isfinite(values_N)]
    now, last = number(now), number(last)
    if not len(known_N) or not len(history_N):
        return [now, last] if last is not None and now != last else now
    low, high = float(known_N.min()), float(known_N.max())
    if low == high and len(known_N) == len(values_N) and last in (now, None):
        return now
    median, spread = usual(history_N) or (np.nan, np.nan)
    low, high = beside(low, high - low, digits) or 0, beside(high, high - low, digits) or 0
    text = encode(np.array([median]), low, high, 2) + encode(np.array([spread]), 0.0, high - low, 2)
    return [now, last, low, high, text + encode(values_N, low, high, digits)]


def band(value: Figure) -> tuple[float, float] | None:
    """(median, spread) of a figure, as its reader decodes them; None where nothing is usual."""
    if not isinstance(value, list) or len(value) < 5 or value[4].startswith(MISSING):
        return None
    _, _, low, high, text = value
    return float(decode(text[:2], low, high, 2)[0]), float(decode(text[2:4], 0.0, high - low, 2)[0])


def _digits(level: int, digits: int) -> str:
    return DIGITS[level] if digits == 1 else DIGITS[level // len(DIGITS)] + DIGITS[level % len(DIGITS)]
