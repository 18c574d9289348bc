"""word2vec's subsampling of frequent words (Mikolov et al. 2013), its threshold set by the budget."""

import numpy as np
from pydantic import Field

from lsml_spark.select.policy import Policy, Spectrum, water_level


class Power(Policy):
    """π = min(1, (t/f)^exponent): exponent 0 is uniform, ½ is word2vec's, 1 is a cap per key."""

    exponent: float = Field(0.5, ge=0.0, le=1.0)

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        rate = spectrum.frequency.astype(float) ** -self.exponent
        return np.minimum(1.0, water_level(spectrum.frequency * rate, spectrum, budget) * rate)
