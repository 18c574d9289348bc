"""Augmentation: a pure function of a batch of samples and one seed per sample."""

from abc import ABC, abstractmethod

import numpy as np
import pyarrow as pa

from lsml_spark.core.config import Component


class Augmentation(Component, ABC):
    """Base of the augmentations. The label, key, id and weight of a sample are never touched."""

    def problem(self, schema: pa.Schema) -> str | None:
        """`field: sentence` where the step does not fit samples of this schema; asked before any work is
        done.
        """
        return None

    @abstractmethod
    def apply(self, samples: pa.RecordBatch, row_seeds_N: np.ndarray) -> pa.RecordBatch:
        """The same samples in the same order with changed features; `row_seeds_N` is uint64, one per
        sample.
        """
