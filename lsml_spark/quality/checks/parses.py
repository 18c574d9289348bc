"""Text that should be a number, a time or JSON."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator
from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck

# Spark's cast would take `1d` for a double and `2011` for a date.
NUMBER = r"^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:[+-]?inf(inity)?|nan))$"
WHOLE = r"^[+-]?\d+$"
DAY_FIRST = r"^[+-]?\d{4,6}-\d{1,2}-\d{1,2}"


class Parses(RowCheck):
    """The trimmed text reads as a value of type `as`; NULL and blank text are kept, as the contract keeps
    them.

    Fields:
        as: double | int (64 bit) | date | timestamp | boolean | json.
        format: for dates and timestamps, Spark's pattern, e.g. `dd/MM/yyyy`; by default ISO 8601.
    """

    # written `as`, which is no name in Python
    kind: Literal["double", "int", "date", "timestamp", "boolean", "json"]
    format: str = ""

    shorthand: ClassVar[str] = "kind"
    of_a_column: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _as_is_the_kind(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"kind" if key == "as" else key: value for key, value in values.items()}

    @model_validator(mode="after")
    def _only_times_have_a_format(self) -> Self:
        if self.format and self.kind not in ("date", "timestamp"):
            raise ValueError(f"parses: `format` is for date and timestamp, not for {self.kind}")
        return self

    def describe(self) -> str:
        return f"not a {self.kind}{f' of the form {self.format}' if self.format else ''}"

    def violated(self) -> Column:
        text = F.trim(self.value.cast("string"))
        return text.isNotNull() & (text != "") & ~F.coalesce(self._reads(text), F.lit(False))

    def _reads(self, text: Column) -> Column:
        if self.kind == "double":
            return text.rlike(NUMBER)
        if self.kind == "int":
            return text.rlike(WHOLE) & text.try_cast("bigint").isNotNull()
        if self.kind == "boolean":
            return text.try_cast("boolean").isNotNull()
        if self.kind == "json":
            # the parser overlooks what follows a value: here nothing may
            listed = F.concat(F.lit("["), text, F.lit(",0]"))
            return F.try_parse_json(listed).isNotNull() & (F.json_array_length(listed) == 2)
        if self.format:
            return F.try_to_timestamp(text, F.lit(self.format)).isNotNull()
        return text.rlike(DAY_FIRST) & text.try_cast(self.kind).isNotNull()
