"""Numbers inside their bounds."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck


class InRange(RowCheck):
    """The value lies in [low, high]; NULL and NaN are the business of `complete`, not of this check."""

    low: float | None = None
    high: float | None = None

    def describe(self) -> str:
        return f"not in range {'' if self.low is None else self.low:g} to {'' if self.high is None else self.high:g}"

    def violated(self) -> Column:
        value = F.col(self.column)
        outside = F.lit(False)
        if self.low is not None:
            outside = outside | (value < self.low)
        if self.high is not None:
            outside = outside | (value > self.high)
        return outside & ~F.isnan(value.cast("double"))
