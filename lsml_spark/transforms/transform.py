"""What a transform is: fitted on training rows only, written down as plain JSON (encoders.json), applied
wherever rows are.

The fitted object is data, not code: `encode.py` hands it to `apply` of the same class in Spark tonight and in
the scorer tomorrow. A transform of one's own is one class: say what it needs, what its column becomes, `fit`
and `apply`.
"""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import SerializerFunctionWrapHandler, model_serializer

from lsml_spark.core.config import Component
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.batch import Ragged

PACKAGE = "lsml_spark.transforms"
# counts: of each distinct value, as text; moments: mean, deviation, smallest and largest; quantiles: those
# too and 1,001 quantiles; spread: those too and the median absolute deviation; pieces: counts of the most
# frequent `pieces` of its texts; targets: of each distinct value, its rows and the sums of their targets.
Needs = Literal["nothing", "counts", "moments", "quantiles", "spread", "pieces", "targets"]
# ids or numbers: of each value, so that a list of values becomes a list of ids; lists: of ids, any number of
# them of one value; tensors: of one shape, which the encoder names.
Becomes = Literal["ids", "numbers", "lists", "tensors"]
# values: of any type that `needs` can look at; bags: those, and a list of them is one value; text or bytes:
# nothing else
Takes = Literal["values", "bags", "text", "bytes"]


@dataclass(frozen=True)
class Seen:
    """A column of the training rows; what a transform did not ask for is empty. Missing and non-finite values
    are left out.
    """

    rows: int = 0  # values that are there
    values_K: np.ndarray = field(default_factory=lambda: np.empty(0, object))  # (K,) distinct values as text
    counts_K: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # (K,) their training rows
    mean: float = 0.0
    deviation: float = 0.0  # of the population, as scikit-learn's StandardScaler takes it
    low: float = 0.0
    high: float = 0.0
    # at 0, 0.001, … 1, interpolated as NumPy does
    quantiles_Q: np.ndarray = field(default_factory=lambda: np.zeros(1001))
    mad: float = 0.0  # median absolute deviation from the median
    # (K, T) sums of the targets, in units
    sums_KT: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    all_T: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))  # (T,) of all rows
    unit: float = 1.0


class Transform(Component, ABC):
    """Base of the transforms. `of`: the column that it reads, where that is not its own name; `like`: borrow
    the encoder that was fitted on another column."""

    becomes: ClassVar[Becomes] = "numbers"
    knows_targets: ClassVar[bool] = False
    like: str | None = None
    of: str | None = None

    @model_serializer(mode="wrap")
    def _unless_said(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `of` where there is none: a night that was made before there was such a key stays up to
        date.
        """
        fields: dict[str, Any] = plain(self)
        return {key: value for key, value in fields.items() if key != "of" or value is not None}

    @property
    def needs(self) -> Needs:
        """What `fit` looks at."""
        return "nothing"

    def pieces(self, values: pa.Array) -> Iterable[str]:
        """Where it needs them: what is counted of texts (N,), NULL among them."""
        return ()

    @property
    def takes(self) -> Takes:
        """The type of its column."""
        return "values"

    def fit(self, seen: Seen) -> dict[str, Any]:
        """The encoder: all that `apply` must know, as JSON values. Of ids, `values` or `size` says how many
        there are beside 0; of numbers, `width` how many a row has, where these are not one; of tensors,
        `shape` and `dtype` what they are."""
        return {}

    @staticmethod
    @abstractmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray | Ragged:
        """Ids (N,), 0 for unknown, N lists of ids, numbers, (N,) or (N, K), or tensors (N, *shape), of values
        (N,) as they are in the samples, NULL among them."""

    @classmethod
    def apply_to_training(
        cls, encoder: Mapping[str, Any], values: pa.Array, target_NT: np.ndarray
    ) -> np.ndarray | Ragged:
        """The same of training rows, for what `knows_targets` and must leave out their own, (N, T), NaN where
        there is none.
        """
        return cls.apply(encoder, values)


def require(transform: Transform, module: str, extra: str) -> None:
    """ConfigError where this host lacks a package."""
    if importlib.util.find_spec(module) is None:
        raise ConfigError(
            f"features: `{transform.use}` needs the package {module}: pip install 'lsml_spark[{extra}]'"
        )


def bags(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """(items, row (T,) of each) of values (N,) or of N lists."""
    if not pa.types.is_list(values.type):
        return values, np.arange(len(values))
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    return values.flatten(), np.repeat(np.arange(len(values)), lengths)


def floats(values: pa.Array) -> np.ndarray:
    """Numbers or booleans as float64 (N,); NaN for what is missing or not finite."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(numbers), numbers, np.nan)
