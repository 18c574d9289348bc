"""Breadth alone: at most T rows of any key."""

import numpy as np

from lsml_spark.select.policies.policy import Policy, Spectrum, filled


class Cap(Policy):
    """π = min(1, T/f), T such that the budget is met. With weights its effective sample size is poor: the
    head's are large.
    """

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        return filled(np.ones(len(spectrum.frequency)), spectrum, budget)
