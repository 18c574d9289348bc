"""Expressions that must not end the job when they raise on a row: Spark's own TryEval, which gives NULL
there.

`try_cast` and `try_divide` are made of it; here it is for any expression. Two limits. Spark moves parts of an
expression out of the attempt, into shared subexpressions and out of conditions: run the job inside
`compiled_apart`. And what Spark does not compute as an expression of the row is no part of it: a Python UDF,
a window or an aggregate that raises ends the job.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import Column, SparkSession
from pyspark.sql.classic.column import Column as ClassicColumn

EXCLUDED = "spark.sql.optimizer.excludedRules"
APART = {
    "spark.sql.subexpressionElimination.enabled": "false",
    # Above 8000 bytes of bytecode the JVM never compiles a method; better to take the path that splits long
    # projections.
    "spark.sql.codegen.hugeMethodLimit": "8000",
}
# attempt(CASE WHEN c …) → CASE WHEN c THEN attempt(…)
HOISTING = "org.apache.spark.sql.catalyst.optimizer.PushFoldableIntoBranches"


def attempt(column: Column) -> Column:
    """`column`, and NULL where it raises."""
    context = SparkSession.getActiveSession()
    assert context is not None
    jvm = context.sparkContext._jvm
    assert jvm is not None
    utils = jvm.org.apache.spark.sql.classic.ExpressionUtils
    tried = jvm.org.apache.spark.sql.catalyst.expressions.TryEval(utils.expression(column._jc))
    return ClassicColumn(utils.column(tried))


@contextmanager
def compiled_apart(spark: SparkSession) -> Iterator[None]:
    """Within it an `attempt` holds: every column is computed for itself. Settings are put back as they
    were.
    """
    excluded = spark.conf.get(EXCLUDED, None)
    settings = APART | {EXCLUDED: f"{excluded},{HOISTING}" if excluded else HOISTING}
    before = {key: spark.conf.get(key, None) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, previous in before.items():
            if previous is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, previous)
