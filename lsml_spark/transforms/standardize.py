"""Numbers around zero, with a spread of one."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from lsml_spark.transforms.transform import Needs, Seen, Transform, floats


class Standardize(Transform):
    """(x − center) / scale: mean and deviation, or, `by: median`, the median and the MAD, which outliers do
    not move. A missing value becomes 0, the center; a column of one value has scale 1."""

    by: Literal["mean", "median"] = "mean"  # what is the center

    @property
    def needs(self) -> Needs:
        return "moments" if self.by == "mean" else "spread"

    def fit(self, seen: Seen) -> dict[str, Any]:
        center, scale = (
            (seen.mean, seen.deviation) if self.by == "mean" else (float(seen.quantiles_Q[500]), seen.mad)
        )
        return {"center": center, "scale": scale or 1.0}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        return np.nan_to_num((floats(values) - encoder["center"]) / encoder["scale"], nan=0.0)

    @staticmethod
    def inverse(encoder: Mapping[str, Any], numbers: np.ndarray) -> np.ndarray:
        """Encoded numbers in the unit of the column."""
        return numbers * encoder["scale"] + encoder["center"]
