"""The optimal split of a budget of rows over keys whose errors fall as a power of their rows."""

from typing import Literal

import numpy as np
from pydantic import Field

from lsml_spark.select.policy import Policy, Spectrum, water_level


class Zipf(Policy):
    """Water-filling: n_k = min(f_k, λ w_k^(1/(1+β))), the optimum of Σ w_k n_k^-β for a budget of rows.

    Objective `average` weighs a key by its traffic (w_k = f_k): β → 0 is random, ½ gives f^⅔, 1 the square-root law.
    Objective `breadth` weighs all keys alike (w_k = 1): a cap per key.
    """

    beta: float = Field(0.5, gt=0.0, le=10.0)
    objective: Literal["average", "breadth"] = "average"

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        traffic = spectrum.frequency.astype(float) if self.objective == "average" else np.ones(len(spectrum.frequency))
        wanted = traffic ** (1 / (1 + self.beta))
        return np.minimum(1.0, water_level(wanted, spectrum, budget) * wanted / spectrum.frequency)
