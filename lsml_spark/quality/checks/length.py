"""Text and lists of the right length."""

from typing import ClassVar, Self

from pydantic import Field, model_validator
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, MapType

from lsml_spark.quality.check import RowCheck


class Length(RowCheck):
    """Between `low` and `high` characters (Unicode code points), bytes of a binary value, or elements of a
    list or map; NULL is kept.
    """

    low: int | None = Field(None, ge=0)  # at least
    high: int | None = Field(None, ge=0)  # at most

    of_a_column: ClassVar[bool] = True

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("length needs `low`, `high` or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"length: low {self.low} is above high {self.high}")
        return self

    def describe(self) -> str:
        if self.low is None:
            return f"longer than {self.high}"
        return f"shorter than {self.low}" if self.high is None else f"not of length {self.low} to {self.high}"

    def attach(self, rows: DataFrame) -> DataFrame:
        """What `length` means depends on the column's type, which only the frame knows."""
        type_ = rows.schema[self.column].dataType
        if isinstance(type_, (ArrayType, MapType)):
            # `size` of NULL is -1 outside ANSI mode
            length = F.when(self.value.isNotNull(), F.size(self.value))
        else:
            length = F.length(self.value if isinstance(type_, BinaryType) else self.value.cast("string"))
        return rows.withColumn(self.attached, length)

    def violated(self) -> Column:
        length = F.col(self.attached)
        outside = F.lit(False)
        if self.low is not None:
            outside = outside | (length < self.low)
        if self.high is not None:
            outside = outside | (length > self.high)
        return outside
