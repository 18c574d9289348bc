"""How many rows have each label, whatever the row."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.models.system import Baseline, Predictor
from lsml_spark.tasks.labels import held


class LabelShares(Baseline):
    """Each label's share of the training rows: for `task: labels`."""

    title: ClassVar[str] = "Share of the label"
    short: ClassVar[str] = "shares"
    target: str = "label"  # of the samples

    def fit(self, train: pa.Table, context: str | None) -> Predictor:
        lists = train[self.target].combine_chunks()
        labels = pc.unique(lists.flatten().cast(pa.string())).drop_null().sort().to_pylist()
        return Shares(labels, held(lists, labels).mean(axis=0))


class Shares(Predictor):
    """Predicts `share_V` of its labels."""

    def __init__(self, labels: list[str], share_V: np.ndarray):
        self.labels, self.share_V = labels, share_V

    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        return np.tile(self.share_V, (rows.num_rows, 1))
