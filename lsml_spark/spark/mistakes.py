"""Which of Spark's failures are the user's to mend: SQLSTATE class 42 (syntax and names) and 22 (values that do not fit)."""

import re

from pyspark.errors import PySparkException


def sql_mistake(error: Exception) -> str | None:
    """What is wrong with the SQL or the expression in one line; None where something else failed."""
    if pattern := re.search(r"PatternSyntaxException: (.*)", str(error)):  # Java's own, which Spark does not translate
        return f"not a regular expression of Java: {pattern[1]}"
    if isinstance(error, PySparkException) and (error.getSqlState() or "")[:2] in ("22", "42"):
        return str(error).strip().splitlines()[0]
    return None
