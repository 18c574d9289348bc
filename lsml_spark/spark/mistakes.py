"""Which of Spark's failures are the user's to mend: SQLSTATE class 42 (syntax and names) and 22 (values that
do not fit).

Some of these classes are about files, not about what the user wrote: a path that is gone, a type of Parquet
that Spark has not.
"""

import re
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

PLANS = "org.apache.spark.sql.catalyst.plans.logical."


def sql_mistake(error: Exception) -> str | None:
    """What is wrong with the SQL or the expression in one line; None where something else failed."""
    # Java's own, which Spark does not translate
    if pattern := re.search(r"PatternSyntaxException: (.*)", str(error)):
        return f"not a regular expression of Java: {pattern[1]}"
    if isinstance(error, PySparkException) and (error.getSqlState() or "")[:2] in ("22", "42"):
        return str(error).strip().splitlines()[0]
    return None


OF_FILES = (
    "FAILED_READ_FILE",
    "PATH_NOT_FOUND",
    "PARQUET_TYPE",
    "PARQUET_COLUMN",
    "UNABLE_TO_INFER_SCHEMA",
    "CANNOT_READ_FILE",
    "FILE_NOT_EXIST",
    "COLUMN_ALREADY_EXISTS",
    "DUPLICATED_FIELD",
    "CANNOT_MERGE",
)


def file_mistake(error: Exception) -> str | None:
    """What is wrong with a file that Spark was given to read, in one line; None where something else
    failed.
    """
    text = str(error)
    match = re.search(rf"\[((?:{'|'.join(OF_FILES)})[A-Z_.]*)\] ?([^\n]*)", text)
    if match is None:
        return None
    cause = re.findall(r"(?m)^Caused by: [\w.$]*?(\w+): (.*)$", text)
    return f"{match[2].strip()} ({cause[-1][1].strip()})" if cause else match[2].strip() or match[1]


def command_of(spark: SparkSession, sql: str) -> str | None:
    """The name of the command (DropTable, InsertIntoStatement …) that SQL is, for `spark.sql` runs one at
    once; None for a query.
    """
    jvm: Any = spark.sparkContext._jvm
    plan = spark._jsparkSession.sessionState().sqlParser().parsePlan(sql)
    kinds = [jvm.java.lang.Class.forName(PLANS + name) for name in ("Command", "ParsedStatement")]
    return str(plan.getClass().getSimpleName()) if any(kind.isInstance(plan) for kind in kinds) else None
