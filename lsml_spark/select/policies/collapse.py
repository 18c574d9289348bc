"""Rows that say the same become one: exact for discrete features, and free of any loss where the rows repeat."""

from typing import ClassVar, Literal

import numpy as np

from lsml_spark.select.policies.policy import Policy, Spectrum, filled


class Collapse(Policy):
    """Rows equal in key, label and all features become the one of smallest id, with the number of them as its weight.

    A weighted loss over these is that over all rows, to the last term. Where they are still more than the budget, a row that
    stands for c is kept with π = min(1, λ c) and weighs c / π, so sums stay unbiased. The rows are shuffled once for it.
    """

    unit: ClassVar[Literal["key", "row", "distinct row"]] = "distinct row"
    unbiased: ClassVar[str] = (
        "sums over the kept rows, each times its weight, are those over all rows (unbiased ones where the budget thins)"
    )

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """`spectrum`: distinct rows by how many rows they stand for; Σ keys π = min(budget, distinct rows)."""
        ones = Spectrum(np.ones(len(spectrum.keys), np.int64), spectrum.keys)
        return filled(spectrum.frequency.astype(float), ones, budget)
