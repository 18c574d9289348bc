"""Categories and lists of categories as ids."""

from typing import Any

import numpy as np
from pydantic import Field

from lsml_spark.transforms.transform import Transform


class Vocabulary(Transform):
    """Value → id 1..V by falling count, then name; 0 for a value that training rows hold fewer than `min_count` times."""

    min_count: int = Field(1, ge=1)
    max_size: int | None = Field(None, ge=1)

    def fit(self, values_K: np.ndarray, counts_K: np.ndarray) -> dict[str, Any]:
        order = np.lexsort((values_K, -counts_K))
        order = order[counts_K[order] >= self.min_count][: self.max_size]
        return {"values": values_K[order].tolist(), "counts": counts_K[order].tolist()}
