"""Labels that contradict each other."""

from typing import ClassVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.compared import compared
from lsml_spark.spark.tables import quoted


class Conflict(RowCheck):
    """Rows with identical features have the same label; the column that the check stands below is the label.

    Violated are the rows whose label is not the most frequent of their group; where two labels are equally
    frequent none is known to be right, and all rows of the group are violated. So the share of violated rows
    is the label noise that shows. NULL labels are kept and not counted; NULL features equal each other, but
    rows without any feature are no group.

    Fields:
        features: columns to compare; by default all of the contract but the label.
    """

    features: list[str] = []

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"another label than rows with the same {', '.join(self.features) or 'features'}"

    def attach(self, rows: DataFrame) -> DataFrame:
        features = self.features or [
            name for name in rows.columns if f"_raw_{name}" in rows.columns and name != self.column
        ]
        label, right, noisy = f"{self.attached}_label", f"{self.attached}_right", f"{self.attached}_noisy"
        keys = {name: f"{self.attached}_{i}" for i, name in enumerate(features)}
        looked_at = rows.where(
            compared(self)
            & self.value.isNotNull()
            & F.coalesce(*[F.col(quoted(name)).cast("string") for name in features]).isNotNull()
        )
        counted = looked_at.groupBy(
            *[F.col(quoted(name)).alias(key) for name, key in keys.items()], self.value.alias(label)
        ).agg(F.count(F.lit(1)).alias("n"))
        groups = counted.groupBy(*keys.values()).agg(
            F.collect_list(F.struct("n", F.col(label).alias("label"))).alias("labels")
        )
        most = F.array_max(F.col("labels.n"))
        winners = F.filter("labels", lambda counted: counted["n"] == most)
        groups = groups.where(F.size("labels") > 1).select(
            *keys.values(),
            F.lit(True).alias(noisy),
            F.when(F.size(winners) == 1, winners[0]["label"]).alias(right),
        )
        same = [F.col(quoted(name)).eqNullSafe(F.col(key)) for name, key in keys.items()]
        joined = rows.join(groups, same, "left")
        is_conflict = (
            F.col(noisy) & self.value.isNotNull() & ~F.coalesce(self.value == F.col(right), F.lit(False))
        )
        return joined.withColumn(self.attached, is_conflict).drop(*keys.values(), right, noisy)

    def violated(self) -> Column:
        return F.col(self.attached)
