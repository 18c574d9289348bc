"""Categories as ids without a table: the hash of the value, so that no vocabulary is kept and no value is
unknown.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from pydantic import Field

from lsml_spark.transforms.transform import Becomes, Needs, Seen, Takes, Transform, bags


class Hashed(Transform):
    """Value → 1 + xxhash64(value) mod `size`; 0 for NULL. `collisions` of the encoder is the share of
    training rows whose value shares its id with a more frequent one.

    `signed`: `size` numbers instead, all 0 but that of the value, which is 1 or −1 by the hash's highest bit,
    so that values which collide cancel on average (Weinberger et al. 2009); those of a list add up. NULL and
    an empty list are zeros.
    """

    size: int = Field(ge=1)  # how many ids, or numbers
    signed: bool = False  # numbers with a sign instead of ids

    @property
    def becomes(self) -> Becomes:  # type: ignore[override]  # a property of the object, not of the class
        return "numbers" if self.signed else "ids"

    @property
    def needs(self) -> Needs:
        return "counts"

    @property
    def takes(self) -> Takes:
        return "bags" if self.signed else "values"

    def fit(self, seen: Seen) -> dict[str, Any]:
        ids_K = _ids(_hashes(seen.values_K), self.size)
        most = np.zeros(self.size + 1, np.int64)
        np.maximum.at(most, ids_K, seen.counts_K)
        rows = int(seen.counts_K.sum())
        width = {"signed": True, "width": self.size} if self.signed else {"size": self.size}
        return {**width, "collisions": round(1 - int(most.sum()) / rows, 6) if rows else 0.0}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        items, row_T = bags(values)
        coded = items.cast(pa.string()).dictionary_encode()
        hashes_K = _hashes(coded.dictionary.to_numpy(zero_copy_only=False))
        place_T = coded.indices.fill_null(len(hashes_K)).to_numpy(zero_copy_only=False)
        if "size" in encoder:
            return np.append(_ids(hashes_K, encoder["size"]), 0)[place_T]
        out_NW = np.zeros((len(values), encoder["width"]), np.float32)
        there_T = place_T < len(hashes_K)
        hashes_T = hashes_K[place_T[there_T]]
        np.add.at(
            out_NW, (row_T[there_T], _ids(hashes_T, encoder["width"]) - 1), np.where(hashes_T >> 63, -1, 1)
        )
        return out_NW


def _hashes(values_K: np.ndarray) -> np.ndarray:
    return np.array([xxhash.xxh64_intdigest(value.encode()) for value in values_K], np.uint64)


def _ids(hashes_K: np.ndarray, size: int) -> np.ndarray:
    return 1 + (hashes_K % np.uint64(size)).astype(np.int64)
