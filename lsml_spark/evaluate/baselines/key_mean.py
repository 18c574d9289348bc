"""What the key alone says of a number: the mean of its rows in training."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.models.system import Baseline, Predictor
from lsml_spark.tasks.task import floats_of


class KeyMean(Baseline):
    """(sum over the key's rows + s · mean of all rows) / (rows of the key + s); a key never seen gets the
    mean of all rows. For `task: regress`."""

    title: ClassVar[str] = "Mean of the key"
    short: ClassVar[str] = "by key"

    smoothing: float = Field(10.0, gt=0.0)  # s: rows that the mean counts for
    target: str = "label"  # of the samples

    def fit(self, train: pa.Table, context: str | None) -> Predictor:
        return PerKey(train["key"].to_numpy().astype(str), floats_of(train, self.target), self.smoothing)


class PerKey(Predictor):
    """Means of sorted keys; the last one is that of all unknown keys."""

    def __init__(self, key_N: np.ndarray, y_N: np.ndarray, smoothing: float):
        self.key_K, row_N = np.unique(key_N, return_inverse=True)
        sums_K, rows_K = np.bincount(row_N, y_N), np.bincount(row_N)
        self.mean_K1 = np.append((sums_K + smoothing * y_N.mean()) / (rows_K + smoothing), y_N.mean())

    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        key_B = rows["key"].to_numpy(zero_copy_only=False).astype(str)
        place_B = np.minimum(np.searchsorted(self.key_K, key_B), len(self.key_K) - 1)
        return self.mean_K1[np.where(self.key_K[place_B] == key_B, place_B, len(self.key_K))]
