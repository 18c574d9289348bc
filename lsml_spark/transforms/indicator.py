"""Whether a value is missing, as a feature of its own: `{use: indicator, of: age}`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.transforms.transform import Transform


class Indicator(Transform):
    """1 where the value is NULL or NaN, else 0."""

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        return pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False).astype(np.float64)
