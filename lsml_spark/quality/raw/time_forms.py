"""Which pattern of Spark's the days or times of a column have, where they are not ISO 8601 as the reader
takes it.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = {  # pattern: how such days look, and which groups are year, month, day
    "yyyyMMdd": (r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)",),
    "yyyy/M/d": (r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})",),
    "yyyy.M.d": (r"(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})",),
    "d.M.yyyy": (r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})",),
    "d/M/yyyy": (r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})",),
    "M/d/yyyy": (r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",),
    "d-M-yyyy": (r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})",),
    "M-d-yyyy": (r"(?P<m>\d{1,2})-(?P<d>\d{1,2})-(?P<y>\d{4})",),
    "d-MMM-yyyy": (r"(?P<d>\d{1,2})-(?P<n>[A-Z][a-z]{2})-(?P<y>\d{4})",),
    "d/MMM/yyyy": (r"(?P<d>\d{1,2})/(?P<n>[A-Z][a-z]{2})/(?P<y>\d{4})",),
    "d MMM yyyy": (r"(?P<d>\d{1,2}) (?P<n>[A-Z][a-z]{2}) (?P<y>\d{4})",),
    "yyyy-M-d": (r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})",),
}
SWAPPED = {"d/M/yyyy": "M/d/yyyy", "d-M-yyyy": "M-d-yyyy"}
CLOCKS = {  # what follows a day; the first that fits wins
    " HH:mm:ss": r" \d\d:\d\d:\d\d",
    " HH:mm": r" \d\d:\d\d",
    " H:mm": r" \d{1,2}:\d\d",
    " H:mm:ss": r" \d{1,2}:\d\d:\d\d",
    " HH:mm:ss,SSS": r" \d\d:\d\d:\d\d,\d{3}",
    " HH:mm:ss.SSS": r" \d\d:\d\d:\d\d\.\d{3}",
    " h:mm a": r" \d{1,2}:\d\d [AP]M",
    " h:mm:ss a": r" \d{1,2}:\d\d:\d\d [AP]M",
    "'T'HH:mm:ss": r"T\d\d:\d\d:\d\d",
    "'T'HHmmss": r"T\d{6}",
    " HHmmss": r" \d{6}",
    "HHmmss": r"\d{6}",
    ":HH:mm:ss xx": r":\d\d:\d\d:\d\d [+-]\d{4}",
    ":HH:mm:ss": r":\d\d:\d\d:\d\d",
    " HH:mm:ss xx": r" \d\d:\d\d:\d\d [+-]\d{4}",
}
FEW = 20  # different days, before eight digits are believed to be days


@dataclass(frozen=True)
class Form:
    """`kind`: date or timestamp. `pattern`: of Spark's; none where `note` says why it cannot be told."""

    kind: str
    pattern: str
    note: str = ""


def form_of(values: Sequence[str]) -> Form | None:
    """The one pattern that all values have; None where there is none."""
    if not values or len({len(value) for value in values}) > 12:
        return None
    for day in DAYS:
        for clock in ("", *CLOCKS):
            if (not clock and day == "yyyy-M-d") or (clock == "HHmmss" and day != "yyyyMMdd"):
                continue
            dates = _days(values, day, clock)
            if dates is None or (
                day == "yyyyMMdd" and not clock and len(set(values)) < min(FEW, len(values) / 10)
            ):
                continue
            kind = "timestamp" if clock else "date"
            other = SWAPPED.get(day)
            if other and _days(values, other, clock) is not None:
                return Form(
                    kind,
                    "",
                    f"days as {day} or as {other}, no value tells which: text until you say "
                    f"raw.{kind}_formats",
                )
            return Form(kind, _spelled(day, values) + clock)
    return None


def _days(values: Sequence[str], day: str, clock: str) -> set[datetime.date] | None:
    form = re.compile(DAYS[day][0] + (CLOCKS[clock] if clock else ""), re.ASCII)
    dates = set()
    for value in values:
        match = form.fullmatch(value)
        if match is None:
            return None
        parts = match.groupdict()
        name = str(parts.get("n") or "").lower()
        month = MONTHS.index(name) + 1 if name in MONTHS else int(parts.get("m") or 0)
        try:
            dates.add(datetime.date(int(parts["y"]), month, int(parts["d"])))
        except ValueError:
            return None
    return dates


def _spelled(day: str, values: Sequence[str]) -> str:
    """With two letters where all days and months have two digits: then a single digit is an error."""
    wide = re.sub(r"(?<![dM])([dM])(?![dM])", r"\1\1", day)
    digits = [re.findall(r"\d+", value) for value in values]
    places = [i for i, part in enumerate(re.findall(r"y+|M+|d+", day)) if part in ("d", "M")]
    if "MMM" in day:
        places = [0]
    return wide if all(len(runs[i]) == 2 for runs in digits for i in places if i < len(runs)) else day
