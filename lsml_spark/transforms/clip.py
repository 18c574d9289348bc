"""Numbers with their far ends cut off."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.transforms.transform import Needs, Seen, Transform, floats


class Clip(Transform):
    """x between two quantiles of the training rows, scaled to 0 … 1 between them; a missing value becomes
    ½.
    """

    lower: float = Field(0.01, ge=0.0, lt=0.5)  # share of rows below
    upper: float = Field(0.99, gt=0.5, le=1.0)  # share of rows below the upper end

    @property
    def needs(self) -> Needs:
        return "quantiles"

    def fit(self, seen: Seen) -> dict[str, Any]:
        low, high = np.interp([self.lower, self.upper], np.linspace(0, 1, 1001), seen.quantiles_Q).tolist()
        return {"low": low, "high": high}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        low, high = encoder["low"], encoder["high"]
        return np.nan_to_num((np.clip(floats(values), low, high) - low) / ((high - low) or 1.0), nan=0.5)
