"""Local case-control sampling (Fithian & Hastie 2014): keep a row as likely as the last promoted model found its label surprising."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.policy import Policy, Spectrum, filled


class Boundary(Policy):
    """π = min(1, λ max(1 − p̃(y | x), floor)), p̃ from the promoted model of the night that held the row out.

    `correct: weights` makes sums over the kept rows unbiased, whatever the model. `correct: offset`, for two labels, trains on
    the kept rows as they are and adds log π(x, y) − log π(x, other label) to the logit of y: the pilot added back, whose
    asymptotic variance is at most twice that of all rows. Rows that no night scored count as average.
    """

    floor: float = Field(0.05, gt=0.0, le=1.0)  # least surprise of a row
    correct: Literal["weights", "offset"] = "weights"  # what makes the loss that of all rows

    unit: ClassVar[Literal["key", "row", "distinct row"]] = "row"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"scores"})

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        if spectrum.surprise is None:
            raise ConfigError("select.policy: boundary needs the scores of an earlier night, and there are none; begin with zipf")
        return filled(np.maximum(spectrum.surprise, self.floor), spectrum, budget)


def acceptance(own_N: np.ndarray, budget: float, floor: float) -> np.ndarray:
    """π of every row from the probability that the pilot gave to its own label; Σ π = min(budget, N). Shape (N,).

    ConfigError where a score is not a probability.
    """
    bad_N = ~((own_N >= 0) & (own_N <= 1))
    if bad_N.any():
        raise ConfigError(f"boundary: {bad_N.sum()} scores are no probabilities, the first is {own_N[bad_N][0]}")
    ones_N = np.ones(len(own_N), np.int64)
    return Boundary(floor=floor).keep_rates(Spectrum(ones_N, ones_N, surprise=1.0 - own_N), budget)
