"""Categories as ids without a table: the hash of the value, so that no vocabulary is kept and no value is unknown."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import xxhash
from pydantic import Field

from lsml_spark.transforms.transform import Becomes, Needs, Seen, Transform


class Hashed(Transform):
    """Value → 1 + xxhash64(value) mod `size` (Weinberger et al. 2009); 0 for NULL. `collisions` of the encoder is the share of
    training rows whose value shares its id with a more frequent one."""

    becomes: ClassVar[Becomes] = "ids"
    size: int = Field(ge=1)  # how many ids

    @property
    def needs(self) -> Needs:
        return "counts"

    def fit(self, seen: Seen) -> dict[str, Any]:
        ids_K = _ids(seen.values_K, self.size)
        most = np.zeros(self.size + 1, np.int64)
        np.maximum.at(most, ids_K, seen.counts_K)
        rows = int(seen.counts_K.sum())
        return {"size": self.size, "collisions": round(1 - int(most.sum()) / rows, 6) if rows else 0.0}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        coded = values.cast(pa.string()).dictionary_encode()
        ids_K1 = np.append(_ids(coded.dictionary.to_numpy(zero_copy_only=False), encoder["size"]), 0)
        return ids_K1[coded.indices.fill_null(len(ids_K1) - 1).to_numpy(zero_copy_only=False)]


def _ids(values_K: np.ndarray, size: int) -> np.ndarray:
    return np.array([1 + xxhash.xxh64_intdigest(value.encode()) % size for value in values_K], np.int64)
