"""Rows for the keys that are known worst (DRoP: Vysogorets, Ahuja & Kempe 2024): a quota per key, random rows
within it.
"""

import numpy as np
from pydantic import Field

from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.policy import Policy, Spectrum, filled


class Quota(Policy):
    """n_k = min(f_k, λ (1 − recall_k)), at least `floor` in place of 1 − recall; recall is that of the last
    nights' promoted models, shrunk to that of keys seen about as often."""

    floor: float = Field(0.01, gt=0.0, le=1.0)  # in place of 1 − recall, at least

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"scores"})

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        if spectrum.recall is None:
            raise ConfigError(
                "select.policy: quota needs the scores of an earlier night, and there are none; begin with "
                "zipf"
            )
        return filled(np.maximum(1 - spectrum.recall, self.floor), spectrum, budget)
