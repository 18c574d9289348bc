"""Power law with exponential cut-off, P(x) ∝ x^-α e^-λx for x ≥ xmin (Clauset, Shalizi & Newman 2009, table
2.1).

The normalising sum is taken term by term first, then by Euler–Maclaurin with the integral by Gauss–Legendre
in ln x, where the integrand is smooth for every α and λ > 0; an incomplete gamma function of negative order
would lose its digits.
"""

import numpy as np
from numpy.polynomial.legendre import leggauss

from lsml_spark.zipf.minimum import minimum

TERMS = 64
NODES, WEIGHTS = leggauss(160)


def log_likelihoods(x_F: np.ndarray, n_F: np.ndarray, alpha: float) -> np.ndarray:
    """log P(count = x) under the most likely law of a tail that starts at x_F[0]; (F,). `alpha`: that of the
    plain power law.
    """
    share_F = n_F / n_F.sum()
    mean, log_mean = float(share_F @ x_F), float(share_F @ np.log(x_F))
    top = float(x_F[-1])

    def cost(parameters: np.ndarray) -> float:
        a, rate = parameters[0], np.exp(parameters[1])
        return log_sum(a, rate, x_F[0]) + a * log_mean + rate * mean

    # λ from a millionth of a row, far beyond the last count, to a scale of a twentieth of a row.
    bounds = ((-3.0, 8.0), (np.log(1e-6 / top), np.log(20.0)))
    starts = [[alpha, np.log(0.01 / top)], [alpha - 0.2, np.log(1 / top)], [0.5, np.log(1 / mean)]]
    a, rate = minimum(cost, starts, bounds)
    return -a * np.log(x_F) - np.exp(rate) * x_F - log_sum(a, np.exp(rate), x_F[0])


def log_sum(alpha: float, rate: float, xmin: float) -> float:
    """ln Σ_{x ≥ xmin} x^-alpha e^(-rate x), for rate > 0."""
    x = xmin + np.arange(TERMS)
    base = rate * xmin + alpha * np.log(xmin)  # ln of the first term, taken out so that nothing underflows
    terms = np.exp(base - alpha * np.log(x) - rate * x).sum()
    start = xmin + TERMS
    low, high = np.log(start), np.log(start + 60 / rate)
    u = low + (high - low) * (NODES + 1) / 2
    integral = (high - low) / 2 * float(WEIGHTS @ np.exp(base + (1 - alpha) * u - rate * np.exp(u)))
    first = np.exp(base - alpha * low - rate * start)
    rest = integral + first * (0.5 + (alpha / start + rate) / 12)
    return float(np.log(terms + rest) - base)
