"""Values that are there."""

from typing import Any, ClassVar

from pydantic import model_validator
from pyspark.sql import Column

from lsml_spark.quality.check import RowCheck


class Complete(RowCheck):
    """The value is neither NULL nor NaN. `complete: 0.6` tolerates that 40 % are missing."""

    at_least: float = 1.0  # share of the rows

    shorthand: ClassVar[str] = "at_least"
    of_a_column: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _tolerate_the_rest(cls, values: dict[str, Any]) -> dict[str, Any]:
        # 0.1, not 0.09999999999999998
        return {**values, "at_most": round(1.0 - float(values.get("at_least", 1.0)), 12)}

    def describe(self) -> str:
        return "missing"

    def violated(self) -> Column:
        # `isnan` takes neither dates nor lists
        return self.value.isNull() | (self.value.cast("string") == "NaN")
