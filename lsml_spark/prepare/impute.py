"""Fill in missing values of the window's clean rows, with statistics of its training days alone.

A median or a mode may be that of a group (rows with equal values in the `by` columns); a group that has none
takes that of all training rows. Medians are Spark's approximate percentile, a rank error of 1 in 10,000 at
most and the same on every run; a mode's tie goes to the least value.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DatetimeType, NumericType

from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.core.missing import Missing
from lsml_spark.spark.tables import is_missing, quoted

ACCURACY = 10_000


class Imputer:
    """The fill-in values of a window. `values`: what a row outside all groups gets, by column."""

    def __init__(self, train: DataFrame, policies: Mapping[str, Missing]):
        """One job over the rows of the training days; QualityGateError where a column has nothing to learn
        from.
        """
        self.policies = {name: policy for name, policy in policies.items() if policy.policy == "impute"}
        self.values: dict[str, Any] = {}
        self._groups: dict[str, DataFrame] = {}
        if not self.policies:
            return
        for policy in self.policies.values():
            for name in policy.by:
                if name not in train.columns:
                    raise ConfigError(
                        f"quality.missing: `by` names the column '{name}', which the clean rows do not have"
                    )
        learnt = {name: policy for name, policy in self.policies.items() if policy.impute != "constant"}
        statistics = (
            train.agg(*[_statistic(name, policy).alias(name) for name, policy in learnt.items()]).first()
            if learnt
            else None
        )
        for name, policy in self.policies.items():
            self.values[name] = (
                policy.value
                if policy.impute == "constant"
                else statistics[name]
                if statistics is not None
                else None
            )
            if self.values[name] is None:
                raise QualityGateError(
                    f"{name} is to be imputed by its {policy.impute}, but no row of the window has a value"
                )
            if policy.by:
                keys = [F.col(quoted(by)).alias(f"__by_{i}") for i, by in enumerate(policy.by)]
                self._groups[name] = train.groupBy(*keys).agg(_statistic(name, policy).alias("__value"))

    def fill(self, rows: DataFrame) -> DataFrame:
        """`rows` with every imputed column filled in, and a boolean `<column>_missing` where the policy asks
        for it.

        Groups are those of the values as they were found, whether or not the grouping column is filled in
        too.
        """
        groups = dict.fromkeys(by for policy in self.policies.values() for by in policy.by)
        was = {by: f"__was_{i}" for i, by in enumerate(groups)}
        rows = rows.withColumns({copy: F.col(quoted(by)) for by, copy in was.items()})
        for name, policy in self.policies.items():
            value: Column = F.lit(self.values[name])
            if name in self._groups:
                # NULL keys are a group of their own. The statistics are few beside the rows: Spark broadcasts
                # them.
                same = [F.col(was[by]).eqNullSafe(F.col(f"__by_{i}")) for i, by in enumerate(policy.by)]
                rows = rows.join(F.broadcast(self._groups[name]), on=reduce(Column.__and__, same), how="left")
                value = F.coalesce("__value", value)
            type_ = rows.schema[name].dataType
            columns = {name: F.when(is_missing(name), value.cast(type_)).otherwise(F.col(quoted(name)))}
            if policy.indicator:
                columns[f"{name}_missing"] = is_missing(name)
            rows = rows.withColumns(columns).drop("__value", *[f"__by_{i}" for i in range(len(policy.by))])
        return rows.drop(*was.values())


def filled_schema(rows: DataFrame, policies: Mapping[str, Missing]) -> DataFrame:
    """`rows`, which has no rows, with the columns that `Imputer.fill` adds; analyses what it would compute,
    and runs nothing.
    """
    for name, policy in policies.items():
        if policy.policy != "impute":
            continue
        type_ = rows.schema[name].dataType
        where = f"quality.missing.{name}: '{name}' is {type_.simpleString()}"
        if policy.impute == "constant":
            # no job
            one = (
                rows.sparkSession.sql("SELECT 1")
                .select(F.lit(policy.value).try_cast(type_).isNull().alias("none"))
                .first()
            )
            if one is not None and one["none"]:
                raise ConfigError(f"{where}, and the value {policy.value!r} is not")
        elif policy.impute == "median" and not isinstance(type_, NumericType | DatetimeType):
            raise ConfigError(f"{where}; a median is of numbers or times: take `impute: mode`")
        else:
            rows.groupBy(*map(quoted, policy.by)).agg(_statistic(name, policy))
        if policy.indicator:
            rows = rows.withColumn(f"{name}_missing", F.lit(False))
    return rows


def _statistic(name: str, policy: Missing) -> Column:
    there = F.when(~is_missing(name), F.col(quoted(name)))
    return (
        F.percentile_approx(there, 0.5, ACCURACY)
        if policy.impute == "median"
        else F.mode(there, deterministic=True)
    )
