"""The profile of a frequency spectrum: every figure of the zipf stage that needs no key by name."""

import numpy as np

from lsml_spark.zipf import compare, fit, heaps
from lsml_spark.zipf.coverage import coverage
from lsml_spark.zipf.forecast import forecast
from lsml_spark.zipf.mandelbrot import mandelbrot
from lsml_spark.zipf.unseen import hapaxes, unseen_keys, unseen_mass

LEAST_TAIL = 50  # keys that a power law is fitted to


def describe(spectrum_F2: np.ndarray, one_in: int = 1) -> dict:
    """profile.json, less the named keys, from rows of (frequency, keys); shape (F, 2), ascending.

    `one_in`: the spectrum was scaled up from one key in so many; tests and deviations then count the keys
    looked at.
    """
    frequency, keys = spectrum_F2[:, 0], spectrum_F2[:, 1]
    law = fit.power_law(frequency, keys, LEAST_TAIL * one_in)
    ranks = mandelbrot(frequency, keys)
    growth = heaps.curve(frequency, keys)
    once, all_keys = hapaxes(frequency, keys), int(keys.sum())
    return {
        "rows": int((frequency * keys).sum()),
        "keys": all_keys,
        "hapaxes": once,
        "hapax_share": round(once / all_keys, 6) if all_keys else None,
        "unseen_mass": round(unseen_mass(frequency, keys), 9),
        "unseen_keys": round(unseen_keys(frequency, keys), 3),
        "fit": vars(law) if law else None,
        "tests": compare.tests(law, frequency, keys / one_in),
        "mandelbrot": vars(ranks) if ranks else None,
        "forecast": forecast(frequency, keys, one_in),
        "heaps": {"curve": growth, "exponent": heaps.exponent(growth)},
        "spectrum": spectrum_F2.tolist(),
        "coverage": coverage(frequency, keys),
    }
