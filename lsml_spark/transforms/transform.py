"""Feature transforms: fitted on training rows only, then written down as plain JSON (encoders.json).

The fitted object is data, not code; `transforms/encode.py` applies it, in Spark tonight and wherever the model scores tomorrow.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from lsml_spark.core.config import Component


class Transform(Component, ABC):
    """Base of the transforms."""

    like: str | None = None  # borrow the encoder fitted on another column

    @abstractmethod
    def fit(self, values_K: np.ndarray, counts_K: np.ndarray) -> dict[str, Any]:
        """The encoder from a column's distinct values and their numbers of training rows, both of shape (K,)."""
