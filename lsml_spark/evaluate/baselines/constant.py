"""The same number for every row."""

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from lsml_spark.models.system import Baseline, Predictor
from lsml_spark.tasks.task import floats_of


class Constant(Baseline):
    """The mean or the median of the training window: for `task: regress`."""

    title: ClassVar[str] = "Same for all"
    short: ClassVar[str] = "constant"

    by: Literal["mean", "median"] = "mean"  # which number
    target: str = "label"  # of the samples

    def fit(self, train: pa.Table, context: str | None) -> Predictor:
        y_N = floats_of(train, self.target)
        return Same(float(np.mean(y_N) if self.by == "mean" else np.median(y_N)))


class Same(Predictor):
    """Predicts `value`."""

    def __init__(self, value: float):
        self.value = value

    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        return np.full(rows.num_rows, self.value)
