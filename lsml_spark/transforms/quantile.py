"""Numbers by their rank among the training rows, so that no outlier is far away."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from lsml_spark.transforms.transform import Needs, Seen, Transform, floats

EDGE = 1e-7  # of a normal: no rank is 0 or 1


class Quantile(Transform):
    """The share of training rows below x, or the normal deviate of that share: scikit-learn's
    QuantileTransformer with 1,001 quantiles. A missing value becomes the middle."""

    to: Literal["uniform", "normal"] = "uniform"  # which distribution the column gets

    @property
    def needs(self) -> Needs:
        return "quantiles"

    def fit(self, seen: Seen) -> dict[str, Any]:
        return {"to": self.to, "quantiles": seen.quantiles_Q.tolist()}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        quantiles_Q, shares_Q = np.array(encoder["quantiles"]), np.linspace(0, 1, len(encoder["quantiles"]))
        x = floats(values)
        # From both sides, so that a value which many rows have gets the middle of their ranks.
        up, down = np.interp(x, quantiles_Q, shares_Q), 1 - np.interp(-x, -quantiles_Q[::-1], shares_Q)
        share = np.where(x <= quantiles_Q[0], 0.0, np.where(x >= quantiles_Q[-1], 1.0, (up + down) / 2))
        share = np.nan_to_num(share, nan=0.5)
        return ndtri(np.clip(share, EDGE, 1 - EDGE)) if encoder["to"] == "normal" else share
