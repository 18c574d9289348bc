"""The baseline: every row has the same chance."""

import numpy as np

from lsml_spark.select.policy import Policy, Spectrum


class Uniform(Policy):
    """π = budget / rows. Unbiased without weights; spends the budget on keys known long ago."""

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        return np.full(len(spectrum.frequency), min(1.0, budget / spectrum.rows.sum()))
