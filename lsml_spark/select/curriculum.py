"""The order in which keys enter training: from the known to the strange, or the other way round (Bengio et
al. 2009).
"""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from lsml_spark.core.config import Strict
from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.policy import Spectrum


class Curriculum(Strict):
    """`order`: by what the keys are ordered.

    The kept rows in `stages` of about equal size; an epoch trains on the first ones, from `full_by` of the
    epochs on, on all.

    `frequent_first` and `rare_first` order keys by how often they were seen, `easy_first` and `hard_first` by
    the recall of the nights before, which are then needed. Keys that tie are of one stage.
    """

    order: Literal["frequent_first", "rare_first", "easy_first", "hard_first"] = "frequent_first"
    stages: int = Field(3, ge=2, le=100)  # parts of about equal size
    full_by: float = Field(0.5, gt=0.0, le=1.0)  # share of the epochs after which all rows take part

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"scores"} if self.order in ("easy_first", "hard_first") else set())

    def spread(self) -> dict[str, Any]:
        """`epochs` of selection.json."""
        return {"use": "curriculum", **self.model_dump(mode="json")}

    def paces(self, spectrum: Spectrum, rates_S: np.ndarray) -> np.ndarray:
        """The stage 0 … stages − 1 from which the keys of each group take part; int32 of shape (S,)."""
        first, by = self.order.split("_")[0], spectrum.frequency
        if first in ("easy", "hard"):
            if spectrum.recall is None:
                raise ConfigError(
                    f"select.curriculum: {self.order} needs the scores of an earlier night, and there are "
                    "none"
                )
            by = spectrum.recall
        rank_S = np.unique(by if first in ("rare", "hard") else -by, return_inverse=True)[1]
        rows_R = np.bincount(rank_S, weights=rates_S * spectrum.rows)
        middle_R = np.cumsum(rows_R) - rows_R / 2
        pace_R = np.floor(self.stages * middle_R / max(rows_R.sum(), 1e-9)).clip(0, self.stages - 1)
        return np.asarray(pace_R[rank_S], dtype=np.int32)
