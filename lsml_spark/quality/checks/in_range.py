"""Numbers inside their bounds."""

from typing import ClassVar, Self

from pydantic import model_validator
from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck


class InRange(RowCheck):
    """The value lies in [low, high]; NULL and NaN are the business of `complete`, not of this check."""

    low: float | None = None  # smallest value that is allowed
    high: float | None = None  # largest value that is allowed

    of_a_column: ClassVar[bool] = True

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("in_range needs `low`, `high` or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"in_range: low {self.low:g} is above high {self.high:g}")
        return self

    def describe(self) -> str:
        if self.low is None:
            return f"above {self.high:g}"
        return f"below {self.low:g}" if self.high is None else f"not in range {self.low:g} to {self.high:g}"

    def violated(self) -> Column:
        value = self.value.try_cast("double")
        outside = F.lit(False)
        if self.low is not None:
            outside = outside | (value < self.low)
        if self.high is not None:
            outside = outside | (value > self.high)
        return outside & ~F.isnan(value)
