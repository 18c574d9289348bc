"""The quality section against Spark before there is a day: types, SQL and patterns are analysed over a table
without rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import Check, RowCheck
from lsml_spark.quality.checks.fresh import Fresh
from lsml_spark.quality.checks.matches import Matches
from lsml_spark.quality.checks.references import References
from lsml_spark.quality.checks.unit_change import UnitChange
from lsml_spark.quality.figures.measure import kind_of
from lsml_spark.quality.raw.header import CORRUPT, WHY
from lsml_spark.quality.rules import of_check, with_states
from lsml_spark.quality.run import Config
from lsml_spark.quality.split import PLACE, naming, typed_rows
from lsml_spark.spark.mistakes import sql_mistake
from lsml_spark.spark.tables import quoted

# of the column that a check of the day looks at
KINDS: Mapping[type[Check], str] = {Fresh: "time", UnitChange: "number"}


def clean_of(config: Config, spark: SparkSession) -> DataFrame:
    """A `clean` table of this contract without rows; ConfigError where the contract or a check is not what
    Spark takes.

    Runs no job but where `references` looks at the schema of its table.
    """
    _refuse_other_types(config, spark)
    text = [*map(quoted, config.contract), CORRUPT, WHY, "_file"]
    records = spark.createDataFrame([], ", ".join([*(f"{name} string" for name in text), "_line bigint"]))
    contract = {name: field.type for name, field in config.contract.items()}
    typed = typed_rows(records, contract, config.format)
    types = {name: type_ for name, type_ in typed.dtypes if name in contract}
    for check in config.table:
        _refuse_other_kind(check, types)
    _analyse(spark, typed, config.row_checks())
    return typed.selectExpr(*map(quoted, contract), "DATE '2000-01-01' AS date", *PLACE)


def _refuse_other_types(config: Config, spark: SparkSession) -> None:
    def problem(columns: Sequence[str]) -> str | None:
        try:
            spark.createDataFrame(
                [], ", ".join(f"{quoted(name)} {config.contract[name].type}" for name in columns)
            )
        except (PySparkException, ValueError, TypeError) as error:
            return str(error).strip().splitlines()[0]
        return None

    if problem(list(config.contract)):
        for name in config.contract:
            if message := problem([name]):
                raise ConfigError(
                    f"quality.contract.{name}: '{config.contract[name].type}' is no type of Spark SQL: "
                    f"{message}"
                )
        raise ConfigError(f"quality.contract: {problem(list(config.contract))}")


def _refuse_other_kind(check: Check, types: Mapping[str, str]) -> None:
    expected_kind = next((kind for of, kind in KINDS.items() if isinstance(check, of)), None)
    if expected_kind is None:
        return
    fitting = [name for name, type_ in types.items() if kind_of(type_) == expected_kind]
    if check.column and check.column not in fitting:
        raise ConfigError(
            f"quality.table: {check.check}: column '{check.column}' is {types[check.column]}; this check is "
            f"for columns of {expected_kind} "
            f"({', '.join(fitting) or 'there are none'})"
        )
    if not check.column and len(fitting) != 1:
        raise ConfigError(
            f"quality.table: {check.check}: say which column of {expected_kind}: `column: …` "
            f"({', '.join(fitting) or 'none'})"
        )


def _analyse(spark: SparkSession, typed: DataFrame, checks: Sequence[RowCheck]) -> None:
    """Each check by itself only where all of them together do not hold: an analysis costs some 20 ms."""
    rules = []
    for check in checks:
        with naming(check):
            _refuse_pattern(spark, check)
            if isinstance(check, References):
                check.reference(spark)  # reads no more than its columns
            elif not check.reads() and type(check).attach is RowCheck.attach:
                rules.append(of_check(check, spark.sparkContext.applicationId))
            else:
                check.attach(typed)
    try:
        with_states(typed, rules)
        return
    except ConfigError as error:
        together = error
    for rule in rules:
        try:
            typed.select(rule.state.alias("state"))
        except PySparkException as error:
            raise ConfigError(
                f"quality: {rule.label}: {sql_mistake(error) or str(error).splitlines()[0]}"
            ) from error
    raise together


def _refuse_pattern(spark: SparkSession, check: RowCheck) -> None:
    if isinstance(check, Matches):
        jvm: Any = spark.sparkContext._jvm
        try:
            jvm.java.util.regex.Pattern.compile(check.pattern)
        except (PySparkException, Py4JError) as error:  # Java's IllegalArgumentException comes as the former
            message = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"quality: {check.label}: not a regular expression of Java: {message}"
            ) from error
