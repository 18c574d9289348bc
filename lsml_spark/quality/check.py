"""A quality check: declared in YAML, compiled to one boolean column or judged on the day as a whole.

    UnitPrice: [{in_range: {low: 0.01, high: 1000}, on_bad: quarantine, where: "Country = 'EIRE'"}]

The one key that is not common to all checks names it: `in_range` is class `InRange` in
quality/checks/in_range.py. A new check is one new file.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, TypeVar

import pyarrow as pa
from pydantic import Field, computed_field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.components import built
from lsml_spark.core.config import Strict, component_names, did_you_mean, digest, find_component
from lsml_spark.core.variables import mask
from lsml_spark.quality.day import Day
from lsml_spark.spark.tables import quoted

PACKAGE = "lsml_spark.quality.checks"
OnBad = Literal["warn", "quarantine", "fail"]
C = TypeVar("C", bound="Check")
# fields that name columns
NAMING = {"column", "columns", "features", "by", "id", "key", "near", "split", "unit", "text", "image"}
COMMON = ("on_bad", "name", "at_most", "where", "column")


class Check(Strict, ABC):
    """Common to all checks.

    Fields:
        on_bad: `warn` says so, `quarantine` takes the row out of the clean ones, `fail` stops the night.
        at_most: share of the rows looked at that may violate before a warning or a failure is raised.
        where: SQL predicate; the check is about these rows alone, and `at_most` is a share of them.
    """

    on_bad: OnBad = "warn"
    name: str = ""
    at_most: float = Field(0.0, ge=0, le=1)
    where: str = ""
    column: str = ""

    shorthand: ClassVar[str] = ""  # the field that a bare value means: `sql: "a < b"`
    of_a_column: ClassVar[bool] = False  # whether there is no such check without a `column`

    @computed_field  # type: ignore[prop-decorator]  # so that a resolved config says which check it holds
    @property
    def check(self) -> str:
        """What the YAML calls this check."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def label(self) -> str:
        """What findings and quarantine reasons call it."""
        words = ": ".join(part for part in (self.column, self.describe()) if part)
        return mask(self.name or (f"{words}, where {self.where}" if self.where else words))

    def names(self) -> Iterator[tuple[str, str]]:
        """(field, column) of all columns that the check names."""
        for name in [known for known in type(self).model_fields if known in NAMING]:
            value = getattr(self, name)
            for column in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
                if column:
                    yield name, column

    @abstractmethod
    def describe(self) -> str:
        """What is wrong with what breaks the rule, e.g. `not in range 0.01 to 1000`."""


class RowCheck(Check):
    """A check of every row."""

    @property
    def value(self) -> Column:
        """The column that it looks at, whatever is in its name."""
        return F.col(quoted(self.column))

    def reads(self) -> Sequence[str]:
        """Columns whose values `fit` wants to see; none for a check that needs no look at the day
        beforehand.
        """
        return ()

    def fit(self, sample: pa.Table) -> Self:
        """This check with its bounds set from a sample of the day's rows (columns `reads()`); rows are drawn
        by hash.
        """
        return self

    def attach(self, rows: DataFrame) -> DataFrame:
        """`rows` with columns that `violated` needs beside those of the day, e.g. from a join; call them
        `self.attached`.
        """
        return rows

    @property
    def attached(self) -> str:
        """The name of this check's own column; add a suffix for several."""
        return f"__{self.check}_{digest(self.model_dump(mode='json'))[:8]}"

    @abstractmethod
    def violated(self) -> Column:
        """True where a row breaks the rule; NULL counts as kept. A row on which it raises is quarantined."""


@dataclass(frozen=True)
class Judged:
    """What a check of the whole day found.

    Fields:
        problem: a sentence where the day breaks the rule.
        value: what was measured (a distance, a share); kept, so that later nights can show its history.
        rows: how many rows are to blame, where that can be said.
        examples: a few of them, the worst first, as plain values by column name.
    """

    problem: str | None = None
    value: float | None = None
    rows: int | None = None
    examples: list[dict[str, Any]] = field(default_factory=list)


class TableCheck(Check):
    """A check of the day as a whole, of its profile, or of its history."""

    @abstractmethod
    def judge(self, day: Day) -> Judged:
        """Whether the day breaks the rule, and by how much."""


def parse(item: Any, base: type[C], column: str = "") -> C:
    """One YAML item as a check; ValueError (shown as a config error) where it is none."""
    known = component_names(base, PACKAGE)
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, Mapping):
        raise ValueError(f"expected a check such as {{{known[0]}: …}}, found {item!r}")
    names = [key for key in item if key not in COMMON]
    if len(names) != 1:
        raise ValueError(f"expected one check per item, found {names or 'none'}{did_you_mean('', known)}")
    (name,) = names
    check = find_component(base, PACKAGE, name)
    value = item[name]
    fields = (
        dict(value)
        if isinstance(value, Mapping)
        else {}
        if value is None or value is True
        else {check.shorthand or name: value}
    )
    common = {key: item[key] for key in COMMON if key in item}
    return built(check, {**fields, **common, **({"column": column} if column else {})})
