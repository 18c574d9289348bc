"""Part of the budget where it teaches most, the rest anywhere: unbiased, with weights that stay small."""

import numpy as np
from pydantic import Field

from lsml_spark.select.policies.policy import Spectrum
from lsml_spark.select.policies.zipf import Zipf


class Mixed(Zipf):
    """`share` of the budget by `zipf`, the rest drawn evenly from what that left: π = z + (1 − z) u.

    Every row keeps π ≥ (1 − share) × budget / rows, so no Horvitz–Thompson weight is above the inverse of
    that, whatever β is. With weights, sums over the kept rows are unbiased for sums over all rows. Protected
    keys are kept whole, and do not count for the share: it is one of what they leave of the budget.
    """

    share: float = Field(0.5, ge=0.0, le=1.0)  # of the budget, by water-filling

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        if budget >= spectrum.rows.sum():
            return np.ones(len(spectrum.frequency))
        whole = spectrum.rows[self.protected(spectrum, budget)].sum()
        first_S = super().keep_rates(spectrum, whole + self.share * max(0.0, budget - whole))
        left = (spectrum.rows * (1 - first_S)).sum()
        even = (budget - (spectrum.rows * first_S).sum()) / left if left else 0.0
        return np.clip(first_S + (1 - first_S) * even, 0.0, 1.0)
