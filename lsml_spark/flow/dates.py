"""Logical dates as people type them."""

import datetime

from lsml_spark.core.errors import ConfigError


def parse_date(text: str, option: str = "--date") -> datetime.date:
    """YYYY-MM-DD; ConfigError otherwise."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text}: expected a date such as 2011-02-01") from None
