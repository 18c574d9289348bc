"""What the key alone says: how often each label came with it in training. Hard to beat on keys that are known
well.
"""

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field
from scipy import sparse

from lsml_spark.core.errors import ConfigError
from lsml_spark.evaluate.baselines.popularity import Frequencies
from lsml_spark.models.system import Baseline, System


class KeyFrequency(Baseline):
    """p(label | key) = (rows of key and label + s · popularity) / (rows of key + s); a key never seen gets
    the popularity.

    Meant for keys that are known before the label is; where the key is the label, it would look the answer
    up.
    """

    title: ClassVar[str] = "Past of the key"
    short: ClassVar[str] = "by key"

    smoothing: float = Field(1.0, gt=0.0)  # s: rows that the popularity of the labels counts for

    def fit(self, train: pa.Table, context: str | None) -> System:
        if "key" not in train.column_names:
            raise ConfigError(
                "evaluate.baselines: key_frequency needs the column `key` of the training samples"
            )
        if train["key"].equals(train["label"]):
            raise ConfigError(
                "evaluate.baselines: key_frequency would look the label up, for the key of every sample is "
                "its label; leave it out"
            )
        return PerKey(train, self.smoothing)


class PerKey(Frequencies):
    """Counts per key and label in a sparse matrix; its last row, without counts, is that of all unknown
    keys.
    """

    def __init__(self, train: pa.Table, smoothing: float):
        super().__init__(train["label"].to_numpy().astype(str))
        self.smoothing = smoothing
        self.key_K, row_N = np.unique(train["key"].to_numpy().astype(str), return_inverse=True)
        column_N = self.columns_of(train["label"].combine_chunks())
        ones_N = np.ones(len(row_N))
        self.count_KV = sparse.csr_array(
            sparse.coo_array((ones_N, (row_N, column_N)), shape=(len(self.key_K) + 1, len(self.labels)))
        )

    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        key_B = rows["key"].to_numpy(zero_copy_only=False).astype(str)
        place_B = np.searchsorted(self.key_K, key_B)
        known_B = self.key_K[np.minimum(place_B, len(self.key_K) - 1)] == key_B
        count_BV = self.count_KV[np.where(known_B, place_B, len(self.key_K))].toarray()
        mixed_BV = count_BV + self.smoothing * self.share_V
        return np.log(mixed_BV / mixed_BV.sum(axis=1, keepdims=True))
