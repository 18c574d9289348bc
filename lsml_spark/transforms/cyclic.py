"""Numbers that come round again: hours, weekdays, angles."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.transforms.transform import Seen, Transform, floats


class Cyclic(Transform):
    """x → (sin, cos) of 2π x / `period`, so that 23 h lies beside 0 h; both are 0 for a missing value."""

    period: float = Field(gt=0)  # after which values begin anew: 24 of hours, 7 of weekdays

    def fit(self, seen: Seen) -> dict[str, Any]:
        return {"period": self.period, "width": 2}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        angle = floats(values) * (2 * np.pi / encoder["period"])
        return np.nan_to_num(np.stack([np.sin(angle), np.cos(angle)], axis=1), nan=0.0)
