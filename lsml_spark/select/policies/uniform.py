"""The baseline: every row has the same chance."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lsml_spark.select.policies.policy import Policy, Spectrum


class Uniform(Policy):
    """π = budget / rows. Unbiased without weights; spends the budget on keys known long ago.

    `per_epoch: true` draws anew for every epoch (RS2: Okanovic et al. 2024): all rows are kept, an epoch
    reads a share of them.
    """

    per_epoch: bool = False  # every epoch draws its own rows

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        return np.full(len(spectrum.frequency), min(1.0, budget / spectrum.rows.sum()))

    def spread(self, share: float) -> Mapping[str, Any] | None:
        return {"use": "redraw", "share": round(min(1.0, share), 9)} if self.per_epoch and share < 1 else None
