"""A trained model folder as a system: it encodes the raw rows with its own encoders, so models of any night
compare.
"""

from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import torch

from lsml_spark.core.work import Source
from lsml_spark.data.batch import Batch, of_arrow
from lsml_spark.models import saved
from lsml_spark.models.network import tensors
from lsml_spark.models.system import System
from lsml_spark.transforms.encode import encode, encoder_of, source_of


class Neural(System):
    """The predictions of a network, on the CPU."""

    def __init__(self, folder: Path):
        model = saved.load(folder)
        self.network, self.task, self.encoders = model.network, model.task, model.encoders
        self.labels = list(encoder_of(model.encoders, model.encoders["label"]).get("values", []))
        self.features = list(model.task.schema_of(model.encoders).features)
        self.sources = list(dict.fromkeys(source_of(model.encoders, name) for name in self.features))

    @classmethod
    def of(cls, train: Source) -> Self:
        """The model of a train folder. IntegrityError where a byte of it is not as it was written."""
        for name in (saved.WEIGHTS, saved.DESCRIPTION, saved.ENCODERS):
            train.file(name)
        return cls(train.folder)

    @torch.inference_mode()
    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        """What the task takes for a prediction: of classes, log probabilities (B, V)."""
        encoded = encode(self.encoders, rows.select(self.sources))
        scalars, ragged, dense = of_arrow(encoded, self.features)
        unused = np.zeros(rows.num_rows, dtype=np.int32)
        features, _, _ = tensors(Batch(unused, unused, scalars, ragged, tensors=dense))
        return self.task.predict(self.network(features), self.encoders)

    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        return self.predict(rows)
