"""What was not seen: mass of unseen keys (Good 1953, after Turing) and their number (Chao 1984,
bias-corrected).
"""

import numpy as np


def unseen_mass(frequency_F: np.ndarray, keys_F: np.ndarray) -> float:
    """Good–Turing: the share of tomorrow's rows whose key was never seen, f₁ / N."""
    rows = int((frequency_F * keys_F).sum())
    return hapaxes(frequency_F, keys_F) / rows if rows else 1.0


def unseen_keys(frequency_F: np.ndarray, keys_F: np.ndarray) -> float:
    """Chao 1, bias-corrected: a lower bound of the number of keys not seen yet, f₁(f₁−1) / 2(f₂+1)."""
    once = hapaxes(frequency_F, keys_F)
    twice = int(keys_F[frequency_F == 2].sum())
    return once * (once - 1) / (2 * (twice + 1))


def hapaxes(frequency_F: np.ndarray, keys_F: np.ndarray) -> int:
    """Keys seen exactly once."""
    return int(keys_F[frequency_F == 1].sum())
