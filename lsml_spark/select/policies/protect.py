"""Keys that are kept whole whatever the law says: those that are new, and those that last night's models
recalled poorly.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.policy import Policy, Spectrum


class Protecting(Policy):
    """Base of the policies that never drop rows of `protect`ed keys. A key is `poor` whose recall is below
    `poor_below` times the average."""

    protect: tuple[Literal["new", "poor"], ...] = ("new", "poor")
    poor_below: float = Field(0.5, ge=0.0, le=1.0)

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"new": "previous", "poor": "scores"}[reason] for reason in self.protect)

    def reasons(self, spectrum: Spectrum) -> dict[str, np.ndarray]:
        """Masks (S,) of the groups that are protected, by reason; only those reasons of which anything is
        known.
        """
        masks = {}
        if "new" in self.protect and spectrum.new is not None:
            masks["new"] = spectrum.new
        if "poor" in self.protect and spectrum.recall is not None and spectrum.average_recall is not None:
            masks["poor"] = spectrum.recall < self.poor_below * spectrum.average_recall
        return masks

    def protected(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """Mask (S,) of the groups kept whole. ConfigError where they alone exceed the budget."""
        reasons = self.reasons(spectrum)
        whole_S = np.logical_or.reduce([*reasons.values(), np.zeros(len(spectrum.frequency), bool)])
        rows = int(spectrum.rows[whole_S].sum())
        if rows > budget and rows < spectrum.rows.sum():
            each = " and ".join(
                f"{int(spectrum.rows[mask].sum())} of {reason} keys" for reason, mask in reasons.items()
            )
            raise ConfigError(
                f"select: {each} are protected, {rows} rows together, more than the budget of {budget:.0f}; "
                "take a larger budget, a smaller policy.poor_below, or policy.protect: []"
            )
        return whole_S
