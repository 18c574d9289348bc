"""A quality check: declared in YAML, compiled to one boolean column or judged on the counts of the night.

    UnitPrice: [{in_range: {low: 0.01, high: 1000}, on_bad: quarantine}]

The one key that is not common to all checks names it: `in_range` is class `InRange` in quality/in_range.py. A new check is
one new file.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.core.config import Strict, component_names, did_you_mean, find_component
from lsml_spark.spark.tables import quoted

OnBad = Literal["warn", "quarantine", "fail"]
COMMON = ("on_bad", "name", "at_most", "column")


class Check(Strict, ABC):
    """Common to all checks. `at_most`: share of rows that may violate before a warning or a failure is raised."""

    on_bad: OnBad = "warn"
    name: str = ""
    at_most: float = 0.0
    column: str = ""

    shorthand: ClassVar[str] = ""  # the field that a bare value means: `sql: "a < b"`

    @property
    def label(self) -> str:
        """What findings and quarantine reasons call it."""
        return self.name or ": ".join(part for part in (self.column, self.describe()) if part)

    @abstractmethod
    def describe(self) -> str:
        """The rule in words, e.g. `in_range 0.01 to 1000`."""


class RowCheck(Check):
    """A check of every row."""

    @property
    def value(self) -> Column:
        """The column that it looks at, whatever is in its name."""
        return F.col(quoted(self.column))

    @abstractmethod
    def violated(self) -> Column:
        """True where a row breaks the rule; NULL counts as kept."""


class TableCheck(Check):
    """A check of the night as a whole."""

    @abstractmethod
    def problem(self, counts: "Counts") -> str | None:
        """A sentence where the table breaks the rule."""


@dataclass(frozen=True)
class Counts:
    """What a table check may look at."""

    rows: int
    clean: int


def parse(item: Any, base: type[Check], column: str = "") -> Check:
    """One YAML item as a check; ValueError (shown as a config error) where it is none."""
    known = component_names(base, "lsml_spark.quality")
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, Mapping):
        raise ValueError(f"expected a check such as {{{known[0]}: …}}, found {item!r}")
    names = [key for key in item if key not in COMMON]
    if len(names) != 1:
        raise ValueError(f"expected one check per item, found {names or 'none'}{did_you_mean('', known)}")
    (name,) = names
    check = find_component(base, "lsml_spark.quality", name)
    value = item[name]
    fields = dict(value) if isinstance(value, Mapping) else {check.shorthand or name: value}
    common = {key: item[key] for key in COMMON if key in item}
    return check(**{**fields, **common, **({"column": column} if column else {})})
