"""Breadth alone: at most T rows of any key."""

import numpy as np

from lsml_spark.select.policy import Policy, Spectrum, water_level


class Cap(Policy):
    """π = min(1, T/f), T such that the budget is met. With weights its effective sample size is poor: the head's are large."""

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        level = water_level(np.ones(len(spectrum.frequency)), spectrum, budget)
        return np.minimum(1.0, level / spectrum.frequency)
