"""Is it a power law? Likelihood ratios against two rivals on the same tail (Vuong 1989; Clauset, Shalizi &
Newman 2009, §5).

A ratio above 0 speaks for the power law. The lognormal's is normalised by its standard deviation, so it is a
normal deviate. The power law lies inside the law with cut-off: there the plain ratio is never above 0, and −2
× it is χ² with one degree of freedom.
"""

import numpy as np
from scipy.special import erfc

from lsml_spark.zipf import cutoff, fit, lognormal

LEVEL = 0.1  # Clauset et al. decide at p < 0.1


def tests(law: fit.Fit | None, frequency_F: np.ndarray, keys_F: np.ndarray) -> dict | None:
    """{"lognormal" and "cutoff": {"ratio", "p", "favoured"}}; favoured is "power_law", the rival, or None at
    p ≥ 0.1.

    `keys_F` may be fractional: the keys looked at, where the spectrum was scaled up from a sample. None
    without a law.
    """
    if law is None:
        return None
    tail = frequency_F >= law.xmin
    x_F, n_F = frequency_F[tail].astype(float), keys_F[tail].astype(float)
    alpha = fit.exponent(x_F, n_F)
    plain_F = fit.log_likelihoods(x_F, alpha)
    return {
        "lognormal": _verdict("lognormal", *vuong(plain_F - lognormal.log_likelihoods(x_F, n_F, alpha), n_F)),
        "cutoff": _verdict("cutoff", *nested(plain_F - cutoff.log_likelihoods(x_F, n_F, alpha), n_F)),
    }


def vuong(difference_F: np.ndarray, n_F: np.ndarray) -> tuple[float, float]:
    """(normalised ratio, two-sided p) of pointwise differences of the log likelihoods that n_F keys have
    each.
    """
    keys = n_F.sum()
    total = float(n_F @ difference_F)
    spread = float(np.sqrt(n_F @ (difference_F - total / keys) ** 2))
    if spread < 1e-5 * np.sqrt(keys):  # the lognormal has become the power law itself
        return 0.0, 1.0
    return total / spread, float(erfc(abs(total / spread) / np.sqrt(2)))


def nested(difference_F: np.ndarray, n_F: np.ndarray) -> tuple[float, float]:
    """(ratio ≤ 0, p): Wilks, one more parameter in the rival."""
    total = min(float(n_F @ difference_F), 0.0)
    return total, float(erfc(np.sqrt(-total)))  # P(χ²₁ > 2|R|)


def _verdict(rival: str, ratio: float, p: float) -> dict:
    favoured = None if p >= LEVEL else "power_law" if ratio > 0 else rival
    return {"ratio": round(ratio, 4), "p": round(p, 6), "favoured": favoured}
