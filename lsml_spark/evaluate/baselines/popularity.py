"""The most popular labels, whatever the row."""

from typing import ClassVar

import numpy as np
import pyarrow as pa

from lsml_spark.models.system import Baseline, System


class Popularity(Baseline):
    """Label frequencies of the training window."""

    title: ClassVar[str] = "Popularity"
    short: ClassVar[str] = "popular"

    def fit(self, train: pa.Table, context: str | None) -> System:
        return Frequencies(train["label"].to_numpy().astype(str))


class Frequencies(System):
    """Maximum likelihood: count / rows."""

    def __init__(self, label_N: np.ndarray):
        labels, counts = np.unique(label_N, return_counts=True)
        self.labels = labels.tolist()
        self.share_V = counts / counts.sum()

    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        return np.tile(np.log(self.share_V), (rows.num_rows, 1))
