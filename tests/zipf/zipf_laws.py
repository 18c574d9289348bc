"""Counts that follow a known law, and a published spectrum, for the tests of this folder."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import special


def spectrum(counts) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(np.asarray(counts, dtype=np.int64), return_counts=True)


def moby_dick() -> tuple[np.ndarray, np.ndarray]:
    """Counts of the words, and words with each count; where from is said in the file."""
    pairs = json.loads((Path(__file__).parent / "moby_dick.json").read_text())["spectrum"]
    return np.array(pairs).T[0], np.array(pairs).T[1]


@lru_cache
def upper_tail(alpha: float, xmin: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from xmin on, and the chance P(X ≥ x) of each."""
    values = np.arange(xmin, xmin + 2_000_000)
    return values, special.zeta(alpha, values) / special.zeta(alpha, xmin)


def power_law_counts(alpha: float, xmin: int, keys: int, seed: int) -> np.ndarray:
    """Counts drawn from P(x) ∝ x^-alpha, x ≥ xmin, by inverting the exact distribution function."""
    values, upper = upper_tail(alpha, xmin)
    drawn = np.random.default_rng(seed).random(keys)
    return values[np.searchsorted(-upper, -drawn, side="right") - 1]
