"""Lognormal tail of whole numbers: the density of a lognormal, rounded, given x ≥ xmin (Clauset, Shalizi &
Newman 2009, table 2.1).

P(x) = [Φ(z(x+½)) − Φ(z(x−½))] / [1 − Φ(z(xmin−½))] with z(y) = (ln y − μ)/σ. Fitted in (a, ln σ) with μ =
(1−a)σ²: for σ → ∞ it becomes the power law of exponent a, so the ridge where μ → −∞ and σ → ∞ together lies
along one axis.
"""

import numpy as np
from scipy.special import log_ndtr

from lsml_spark.zipf.minimum import minimum

# from here the density at x is the probability of x to ten digits, and Φ(high) − Φ(low) has no longer that
# many
WIDE = 1e5
BOUNDS = ((-20.0, 8.0), (np.log(0.05), np.log(30.0)))  # of a and ln σ


def log_likelihoods(x_F: np.ndarray, n_F: np.ndarray, alpha: float) -> np.ndarray:
    """log P(count = x) under the most likely lognormal of a tail that starts at x_F[0]; (F,). `alpha`: that
    of the power law.
    """
    near = int(np.searchsorted(x_F, WIDE))
    low_F, high_F, log_F = np.log(x_F[:near] - 0.5), np.log(x_F[:near] + 0.5), np.log(x_F[near:])
    share_F = n_F / n_F.sum()
    mean = float(share_F @ np.log(x_F))
    spread = max(float(np.sqrt(share_F @ (np.log(x_F) - mean) ** 2)), 0.1)

    def log_p(parameters: np.ndarray) -> np.ndarray:
        a, sigma = parameters[0], np.exp(parameters[1])
        z_low, z_high, z = (edge / sigma + (a - 1) * sigma for edge in (low_F, high_F, log_F))
        density = -z * z / 2 - np.log(sigma * np.sqrt(2 * np.pi)) - log_F
        start = np.log(x_F[0] - 0.5) / sigma + (a - 1) * sigma
        return np.concatenate([_log_between(z_low, z_high), density]) - log_ndtr(-start)

    def cost(parameters: np.ndarray) -> float:
        value = -float(share_F @ log_p(parameters))
        return value if np.isfinite(value) else 1e6

    starts = [[1 - mean / spread**2, np.log(spread)], [alpha, np.log(5.0)], [alpha - 0.5, np.log(2.0)]]
    return log_p(minimum(cost, starts, BOUNDS))


def _log_between(low_F: np.ndarray, high_F: np.ndarray) -> np.ndarray:
    """ln[Φ(high) − Φ(low)], taken in the tail where the two do not both round to one."""
    upper = low_F > 0
    small, large = np.where(upper, -high_F, low_F), np.where(upper, -low_F, high_F)
    log_large = log_ndtr(large)
    return log_large + np.log(-np.expm1(np.minimum(log_ndtr(small) - log_large, -1e-300)))
