"""Learning curves of a pilot: how fast the loss falls with more rows, and how large it is for keys of which
frequency.

Per band of frequency b and share q of the rows, loss_b(q) = c_b + a_b q^-β with one β for all bands (Hestness
et al. 2017). For a given β this is a non-negative linear fit; β is the one of largest posterior under a
log-normal prior around ½, since three shares say little about a curve. Intervals and the noise of each loss
come from a bootstrap over keys.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

BETAS = np.geomspace(0.05, 4.0, 60)
PRIOR, SPREAD = np.log(0.5), 0.7  # of log β: half of all β lie within 0.31 and 0.80
SHRINK = 0.5  # standard deviation that log a_b is believed to have between bands


@dataclass(frozen=True)
class Curve:
    """β, and per band the amplitude a_b at all rows and its standard error; arrays of shape (B,)."""

    beta: float
    amplitude_B: np.ndarray
    deviation_B: np.ndarray


def fit(share_S: np.ndarray, loss_SB: np.ndarray, deviation_SB: np.ndarray) -> Curve:
    """From losses at S shares of the rows in B bands and their standard errors (> 0)."""
    best: tuple[float, float, np.ndarray] | None = None
    for beta in BETAS:
        design_S2 = np.stack([np.ones_like(share_S), share_S**-beta], axis=1)
        solved = [
            nnls(design_S2 / sd[:, None], loss / sd)
            for loss, sd in zip(loss_SB.T, deviation_SB.T, strict=True)
        ]
        cost = sum(residual**2 for _, residual in solved) + ((np.log(beta) - PRIOR) / SPREAD) ** 2
        if best is None or cost < best[0]:
            best = cost, float(beta), np.array([weights[1] for weights, _ in solved])
    assert best is not None
    _, beta, amplitude_B = best
    slope_S = share_S**-beta - (share_S**-beta).mean()
    return Curve(beta, amplitude_B, 1 / np.sqrt(((slope_S[:, None] / deviation_SB) ** 2).sum(axis=0)))


def relative_errors(curve: Curve, frequency_B: np.ndarray) -> np.ndarray:
    """a_k of n_k^-β for keys of each band, relative to their geometric mean and shrunk to it; shape (B,).

    The curve's a_b belongs to shares of the rows: a key of frequency f has q f rows, so its own is a_b f^β.
    """
    amplitude_B = np.maximum(curve.amplitude_B, 1e-3 * max(curve.amplitude_B.max(), 1e-12))
    logs_B = np.log(amplitude_B) + curve.beta * np.log(frequency_B)
    trust_B = SHRINK**2 / (SHRINK**2 + (curve.deviation_B / amplitude_B) ** 2)
    middle = (trust_B * logs_B).sum() / trust_B.sum()
    return np.exp(trust_B * (logs_B - middle))
