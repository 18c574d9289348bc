"""Logical dates as people type them."""

import datetime
import re

from lsml_spark.core.errors import ConfigError

FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def date_of(text: str) -> datetime.date | None:
    """The date of YYYY-MM-DD; None for anything else, as are `20110201` and `2011-W05-2`, which Python takes
    for dates.
    """
    try:
        return datetime.date.fromisoformat(text) if FORM.fullmatch(text) else None
    except ValueError:
        return None


def parse_date(text: str, option: str = "--date") -> datetime.date:
    """YYYY-MM-DD; ConfigError otherwise."""
    date = date_of(text)
    if date is None:
        raise ConfigError(f"{option} {text}: expected a date such as 2011-02-01 (YYYY-MM-DD)")
    return date


def days_before(date: datetime.date, most: int) -> list[datetime.date]:
    """At most so many days before a date, oldest first; time begins with the year 1."""
    return [
        date - datetime.timedelta(days=ago)
        for ago in range(min(most, (date - datetime.date.min).days), 0, -1)
    ]
