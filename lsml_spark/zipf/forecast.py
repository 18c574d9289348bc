"""How many new keys more data would bring: the smoothed Good–Toulmin forecast.

Good & Toulmin 1956: from n rows, t n further rows bring U(t) = −Σ (−t)^i φ_i new keys, φ_i keys having been
seen i times. Beyond t = 1 its terms explode; they are damped by P(L ≥ i) with L ~ Binomial(k, 2/(2+t)), k = ½
log₃(n t²/(t−1)) (Efron & Thisted 1976; Orlitsky, Suresh & Wu 2016, whose bound holds up to t of the order of
ln n). All assume rows that come as if shuffled: where the keys themselves change from day to day, more keys
are new than foretold.
"""

import numpy as np
from scipy.stats import binom

TIMES = (0.5, 1.0, 2.0)


def forecast(
    frequency_F: np.ndarray, keys_F: np.ndarray, one_in: int = 1
) -> list[tuple[float, float, float]]:
    """(t, expected new keys, standard deviation) for each t of `TIMES` that is at most ln n; n the rows of
    the spectrum.

    The deviation is that of the truth from the forecast: Σ h_i² φ_i for the estimate and U(t) for the draw to
    come, exact for Poisson counts and t ≤ 1, without the bias of the smoothing beyond. `one_in`: keys were
    sampled, one in so many, and scaled. Empty where no key was seen once: either all are known, or rare keys
    were cut off before (published names start at five).
    """
    rows = float(frequency_F @ keys_F)
    if not (frequency_F == 1).any():
        return []
    points = []
    for t in TIMES:
        if rows >= np.exp(t):
            h_F = coefficients(frequency_F, t, rows)
            new = max(float(h_F @ keys_F), 0.0)
            deviation = np.sqrt(one_in * float(h_F**2 @ keys_F) + new)
            points.append((t, round(new, 1), round(float(deviation), 1)))
    return points


def coefficients(frequency_F: np.ndarray, t: float, rows: float) -> np.ndarray:
    """h_i = −(−t)^i P(L ≥ i), so that U(t) = Σ h_i φ_i; (F,). Without damping for t ≤ 1."""
    sign_F = np.where(frequency_F % 2 == 1, 1.0, -1.0)
    if t <= 1:
        return sign_F * t**frequency_F
    trials = int(np.log(rows * t * t / (t - 1)) / np.log(3) / 2)
    h_F = np.zeros(len(frequency_F))
    damped = frequency_F <= trials  # few: the logarithm of the rows
    i = frequency_F[damped]
    h_F[damped] = sign_F[damped] * t**i * binom.sf(i - 1, trials, 2 / (2 + t))
    return h_F
