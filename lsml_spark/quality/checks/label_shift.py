"""The mix of labels, against earlier nights."""

from typing import ClassVar, Literal

from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.checks.drift import Drift
from lsml_spark.quality.day import Day


class LabelShift(TableCheck):
    """The classes' shares lie within `below` of those of earlier good nights: `drift` on the label column.

    A model trained on the old mix keeps its P(x | y) but not its prior (Lipton et al. 2018), so a shift asks
    for reweighting where a drift of features asks for a look at the source.
    """

    below: float = Field(0.1, ge=0)  # the largest distance allowed
    distance: Literal["linf", "js", "psi", "zipf"] = "js"  # as in `drift`
    against: Literal["last", "window"] = "window"  # as in `drift`
    window: int = Field(7, ge=1)  # good nights of `against: window`
    unit: str = ""  # as in `drift`

    shorthand: ClassVar[str] = "column"
    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"labels shifted by {self.distance} above {self.below:g}"

    def judge(self, day: Day) -> Judged:
        fields = self.model_dump(include={"column", "below", "distance", "against", "window", "unit"})
        return Drift(**fields).judge(day)
