"""A value as it was found, under the type that the contract promises; NULL where it is none."""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.spark.attempt import attempt
from lsml_spark.spark.tables import quoted

WHOLE = r"tinyint|smallint|int|integer|bigint|long|short|byte"
NESTED = re.compile(r"\s*(array|map|struct)\s*<", re.IGNORECASE)


def typed_column(name: str, found: str, wanted: str) -> Column | str:
    """Column `name`, of Spark type `found`, as type `wanted`, as SQL where it can be; text of a list, map or struct is JSON."""
    value = quoted(name)
    if found == wanted:
        return value
    if found != "string":
        cast = f"try_cast({value} AS {wanted})"
        narrowed = found in ("double", "float") and re.fullmatch(WHOLE, wanted)  # 1.5 is no whole number
        return f"CASE WHEN cast({cast} AS {found}) = {value} THEN {cast} END AS {value}" if narrowed else f"{cast} AS {value}"
    if NESTED.match(wanted):
        text = F.when(F.trim(F.col(value)) != "", F.col(value))
        return attempt(F.from_json(text, wanted, {"mode": "FAILFAST"})).alias(name)
    return f"try_cast(trim({value}) AS {wanted}) AS {value}"


def not_of_type(name: str, found: str) -> str:
    """SQL: whether something was found where the typed value is NULL."""
    raw, value = quoted(f"_raw_{name}"), quoted(name)
    return f"{value} IS NULL AND " + (f"coalesce(trim({raw}) != '', false)" if found == "string" else f"{raw} IS NOT NULL")
