"""A trained model folder as a system: it encodes the raw rows with its own encoders, so models of any night compare."""

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
from lsml_spark.transforms.encode import encode, source_of


class Neural(System):
    """Softmax of the network's logits, on the CPU."""

    def __init__(self, folder: Path):
        model = saved.load(folder)
        self.network, self.encoders = model.network, model.encoders
        label = model.encoders["label"]
        self.labels = list(model.encoders["columns"][label]["values"])
        self.features = [name for name in model.encoders["columns"] if name != label]
        self.sources = list(dict.fromkeys(source_of(model.encoders, name) for name in self.features))

    @classmethod
    def of(cls, train: Source) -> Self:
        """The model of a train folder. IntegrityError where a byte of it is not as it was written."""
        for name in (saved.WEIGHTS, saved.DESCRIPTION, saved.ENCODERS):
            train.file(name)
        return cls(train.folder)

    @torch.inference_mode()
    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        encoded = encode(self.encoders, rows.select(self.sources))
        scalars, ragged = of_arrow(encoded, self.features)
        unused = np.zeros(rows.num_rows, dtype=np.int32)
        features, _, _ = tensors(Batch(unused, unused, scalars, ragged))
        return torch.log_softmax(self.network(features).double(), dim=1).numpy()
