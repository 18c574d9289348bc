"""word2vec's subsampling of frequent words (Mikolov et al. 2013), its threshold set by the budget."""

import numpy as np
from pydantic import Field

from lsml_spark.select.policies.policy import Policy, Spectrum, filled


class Power(Policy):
    """π = min(1, (t/f)^exponent): exponent 0 is uniform, ½ is word2vec's, 1 is a cap per key."""

    exponent: float = Field(0.5, ge=0.0, le=1.0)  # 0: all alike; 1: a cap

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        return filled(spectrum.frequency.astype(float) ** (1 - self.exponent), spectrum, budget)
