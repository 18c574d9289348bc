"""Numeric columns that say the same."""

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.figures.correlation import pairwise, ranks
from lsml_spark.quality.lacking import lacking


class Correlated(TableCheck):
    """No two numeric columns have an |r| of at least `above`, measured on the sample of the day.

    Pearson finds a column that is another one in a different unit, Spearman any that rises with it. Pairs of
    fewer than `at_least` common rows are not judged. `known`: pairs that are meant. `value` is the largest
    |r|.
    """

    above: float = Field(0.99, gt=0, le=1)  # the |r| that is too much
    method: Literal["pearson", "spearman"] = "pearson"  # which r
    columns: list[str] = []  # these alone
    known: list[tuple[str, str]] = []
    at_least: int = Field(30, ge=3)  # common rows below which a pair is not judged

    shorthand: ClassVar[str] = "above"

    def describe(self) -> str:
        return f"two columns with |{self.method}| of {self.above:g} or more"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, *self.columns):
            return lack
        numeric = [
            name for name, column in day.profile.get("columns", {}).items() if column.get("kind") == "number"
        ]
        names = [name for name in self.columns or numeric if name in day.sample.column_names]
        if wrong := [name for name in self.columns if name not in numeric]:
            return Judged(f"column '{wrong[0]}' is not a number")
        if len(names) < 2:
            return Judged()
        x_ND = np.column_stack([numbers(day.sample[name]) for name in names])
        r_DD = pairwise(ranks(x_ND) if self.method == "spearman" else x_ND, self.at_least)
        first, second = np.triu_indices(len(names), 1)
        r_P = np.abs(r_DD[first, second])
        meant = {frozenset(pair) for pair in self.known}
        judged = [
            i
            for i in np.flatnonzero(np.isfinite(r_P))
            if not meant or frozenset((names[first[i]], names[second[i]])) not in meant
        ]
        if not judged:
            return Judged()
        judged.sort(key=lambda i: -r_P[i])
        wrong_pairs = [i for i in judged if r_P[i] >= self.above]
        pairs = [
            f"'{names[first[i]]}' and '{names[second[i]]}' ({r_DD[first[i], second[i]]:+.4f})"
            for i in wrong_pairs[:5]
        ]
        more = f" and {len(wrong_pairs) - 5} pairs more" if len(wrong_pairs) > 5 else ""
        problem = f"{self.method} correlation of {', '.join(pairs)}{more}" if pairs else None
        return Judged(problem, value=float(r_P[judged[0]]))


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """float64 (N,), NaN where there is none."""
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), float)
