"""Numbers as they are."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.transforms.transform import Transform, floats


class Number(Transform):
    """The value itself; `missing` where it is missing or not finite."""

    missing: float = 0.0  # in place of a missing value

    def fit(self, seen: Any) -> dict[str, Any]:
        return {"missing": self.missing}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        return np.nan_to_num(floats(values), nan=encoder["missing"])

    @staticmethod
    def inverse(encoder: Mapping[str, Any], numbers: np.ndarray) -> np.ndarray:
        return numbers
