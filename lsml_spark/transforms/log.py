"""Numbers of many sizes on a logarithmic scale."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.transforms.transform import Needs, Seen, Transform, floats


class Log(Transform):
    """sign(x) · log(1 + |x|), standardised by its own mean over the training rows' quantiles; a missing value
    becomes 0.
    """

    @property
    def needs(self) -> Needs:
        return "quantiles"

    def fit(self, seen: Seen) -> dict[str, Any]:
        logs_Q = _log(seen.quantiles_Q)
        return {"center": float(logs_Q.mean()), "scale": float(logs_Q.std()) or 1.0}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        return np.nan_to_num((_log(floats(values)) - encoder["center"]) / encoder["scale"], nan=0.0)

    @staticmethod
    def inverse(encoder: Mapping[str, Any], numbers: np.ndarray) -> np.ndarray:
        """Encoded numbers in the unit of the column."""
        logs = numbers * encoder["scale"] + encoder["center"]
        return np.sign(logs) * np.expm1(np.abs(logs))


def _log(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.log1p(np.abs(x))
