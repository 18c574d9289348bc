"""Categories and lists of categories as ids."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lsml_spark.transforms.transform import Becomes, Needs, Seen, Transform


class Vocabulary(Transform):
    """Value → id 1..V by falling count, then name; 0 for a value that training rows hold fewer than
    `min_count` times, and for NULL.
    """

    becomes: ClassVar[Becomes] = "ids"
    min_count: int = Field(1, ge=1)  # training rows of a value that gets an id
    max_size: int | None = Field(None, ge=1)  # ids at most: the most frequent values

    @property
    def needs(self) -> Needs:
        return "counts"

    def fit(self, seen: Seen) -> dict[str, Any]:
        order = np.lexsort((seen.values_K, -seen.counts_K))
        order = order[seen.counts_K[order] >= self.min_count][: self.max_size]
        return {"values": seen.values_K[order].tolist(), "counts": seen.counts_K[order].tolist()}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        known = pa.array(encoder["values"], pa.string())
        place = pc.index_in(values.cast(pa.string()), value_set=known, skip_nulls=True)
        return pc.fill_null(pc.add(place, 1), 0).to_numpy(zero_copy_only=False)
