"""Members of a known set."""

from typing import ClassVar

from pydantic import Field, StrictFloat, StrictInt
from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck


class OneOf(RowCheck):
    """The value is one of the listed ones: numbers are compared as numbers, all else as text."""

    # strict, for YAML reads an unquoted `no` as false
    values: list[str | StrictInt | StrictFloat] = Field(min_length=1)

    shorthand: ClassVar[str] = "values"
    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"not one of {', '.join(map(str, self.values[:5]))}{' …' if len(self.values) > 5 else ''}"

    def violated(self) -> Column:
        numbers = [listed for listed in self.values if not isinstance(listed, str)]
        known = self.value.cast("string").isin([listed for listed in self.values if isinstance(listed, str)])
        if numbers:
            known = known | F.coalesce(self.value.try_cast("double").isin(numbers), F.lit(False))
        return self.value.isNotNull() & ~known
