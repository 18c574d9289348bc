"""Categories as the mean target of their training rows (Micci-Barreca 2001), each row's own target left
out.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lsml_spark.transforms.transform import Needs, Seen, Transform


class TargetMean(Transform):
    """(sum + `smoothing` · mean) / (rows + `smoothing`), where sum and rows are those of the training rows
    with this value, and mean is that of all. NULL and a value that no training row has become the mean.

    A training row is left out of all three, so that no feature knows its row's own target. The target is the
    label as its own transform makes it: a number; of two labels whether it is the less frequent one; of more
    labels one such number each.
    """

    knows_targets: ClassVar[bool] = True
    smoothing: float = Field(20.0, gt=0)  # so many rows does the mean of all count

    @property
    def needs(self) -> Needs:
        return "targets"

    def fit(self, seen: Seen) -> dict[str, Any]:
        order = np.argsort(seen.values_K)
        return {
            "width": seen.sums_KT.shape[1],
            "keys": seen.values_K[order].tolist(),
            "rows": seen.counts_K[order].tolist(),
            "sums": seen.sums_KT[order].tolist(),
            "unit": seen.unit,
            "all_rows": seen.rows,
            "all_sums": seen.all_T.tolist(),
            "smoothing": self.smoothing,
        }

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        return _means(
            encoder,
            values,
            np.zeros(len(values), np.int64),
            np.zeros((len(values), encoder["width"]), np.int64),
        )

    @staticmethod
    def apply_to_training(encoder: Mapping[str, Any], values: pa.Array, target_NT: np.ndarray) -> np.ndarray:
        own_N = ~np.isnan(target_NT).any(axis=1)  # whose label is known, and so is in the sums
        return _means(encoder, values, own_N.astype(np.int64), counted(target_NT, encoder["unit"]))


def counted(target_NT: np.ndarray, unit: float) -> np.ndarray:
    """Targets in whole units, so that sums are exact in any order and a row can be taken out again to the
    bit; 0 for NaN.
    """
    return np.rint(np.nan_to_num(target_NT) / unit).astype(np.int64)


def _means(encoder: Mapping[str, Any], values: pa.Array, own_N: np.ndarray, own_NT: np.ndarray) -> np.ndarray:
    """Without `own_N` rows (0 or 1) of the sum `own_NT` each."""
    place = pc.index_in(
        values.cast(pa.string()), value_set=pa.array(encoder["keys"], pa.string()), skip_nulls=True
    )
    place_N = pc.fill_null(place, len(encoder["keys"])).to_numpy(zero_copy_only=False)
    nothing = [0] * encoder["width"]
    there_N = place_N < len(encoder["keys"])
    rows_N = np.array([*encoder["rows"], 0], np.int64)[place_N] - own_N * there_N
    sums_NT = np.array([*encoder["sums"], nothing], np.int64)[place_N] - own_NT * there_N[:, None]
    others_N1 = np.maximum(encoder["all_rows"] - own_N, 1)[:, None]
    mean_NT = (np.array(encoder["all_sums"], np.int64) - own_NT) / others_N1
    smoothing = encoder["smoothing"]
    means_NT: np.ndarray = (sums_NT + smoothing * mean_NT) / (rows_N[:, None] + smoothing) * encoder["unit"]
    return means_NT[:, 0] if encoder["width"] == 1 else means_NT
