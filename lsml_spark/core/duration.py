"""Lengths of time as people write them: `30s`, `90min`, `2h`."""

import re

NUMBER = r"(\d+(?:\.\d+)?)\s*(s|min|h)"
SECONDS = {"s": 1, "min": 60, "h": 3600}


def seconds(text: str) -> float:
    """ValueError where `text` is not a positive number and one of s, min, h."""
    match = re.fullmatch(NUMBER, text.strip())
    if not match or not float(match[1]):
        raise ValueError(f"'{text}' is no length of time: say 30s, 90min or 2h")
    return float(match[1]) * SECONDS[match[2]]


def said(length: float) -> str:
    """Seconds in words: 12 s, 3 min 05 s, 2 h 07 min."""
    whole = round(length)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
