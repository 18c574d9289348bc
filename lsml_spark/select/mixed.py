"""Part of the budget where it teaches most, the rest anywhere: unbiased, with weights that stay small."""

from typing import Literal

import numpy as np
from pydantic import Field

from lsml_spark.select.policy import Policy, Spectrum
from lsml_spark.select.zipf import Zipf


class Mixed(Policy):
    """`share` of the budget by `zipf`, the rest drawn evenly from what that left: π = z + (1 − z) u.

    Every row keeps π ≥ (1 − share) × budget / rows, so no Horvitz–Thompson weight is above the inverse of that, whatever β
    is. With weights, sums over the kept rows are unbiased for sums over all rows.
    """

    beta: float = Field(0.5, gt=0.0, le=10.0)
    objective: Literal["average", "breadth"] = "average"
    share: float = Field(0.5, ge=0.0, le=1.0)

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        if budget >= spectrum.rows.sum():
            return np.ones(len(spectrum.frequency))
        first = Zipf(beta=self.beta, objective=self.objective).keep_rates(spectrum, self.share * budget)
        left = (spectrum.rows * (1 - first)).sum()
        even = (budget - (spectrum.rows * first).sum()) / left
        return np.clip(first + (1 - first) * even, 0.0, 1.0)
