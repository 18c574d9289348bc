"""Numbers as ids of intervals, for models that look up rows of a table."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.transforms.transform import Becomes, Needs, Seen, Transform, floats


class Buckets(Transform):
    """x → the number of its interval, from 1; 0 for a missing value. Intervals of equal width or of equally
    many training rows, `size` of them, or between given `edges`; each holds its lower edge, and the outer
    ones have no end."""

    becomes: ClassVar[Becomes] = "ids"
    by: Literal["width", "mass"] = "mass"  # equal width, or equal mass: as many rows in each
    size: int = Field(10, ge=2)  # how many intervals
    edges: list[float] | None = Field(None, min_length=1)  # between the intervals, in place of `size`

    @property
    def needs(self) -> Needs:
        return "nothing" if self.edges else "moments" if self.by == "width" else "quantiles"

    def fit(self, seen: Seen) -> dict[str, Any]:
        inner = np.linspace(0, 1, self.size + 1)[1:-1]
        if self.edges:
            edges = np.array(self.edges)
        elif self.by == "width":
            edges = seen.low + inner * (seen.high - seen.low)
        else:
            edges = seen.quantiles_Q[np.rint(inner * 1000).astype(int)]  # values of rows, not between them
        edges = np.unique(edges)
        return {"edges": edges.tolist(), "size": len(edges) + 1}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        x = floats(values)
        return np.where(np.isnan(x), 0, 1 + np.searchsorted(encoder["edges"], x, side="right"))
