"""Selection policies: numpy on the frequency spectrum, so their cost does not depend on the number of keys.

A policy says with which probability π(f) a row is kept whose key was seen f times. Because π depends on the key alone,
P(label | features, key) is left intact, and 1/π is the Horvitz–Thompson weight that makes sums over the kept rows
unbiased for sums over all rows.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from lsml_spark.core.config import Component


@dataclass(frozen=True)
class Spectrum:
    """How many keys were seen how often: `frequency` ascending and distinct, both int64 of shape (F,)."""

    frequency: np.ndarray
    keys: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Rows that belong to keys of each frequency, shape (F,)."""
        return self.frequency * self.keys


class Policy(Component, ABC):
    """Base of the policies."""

    @abstractmethod
    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """π per frequency, float64 of shape (F,) in [0, 1], with Σ rows π = min(budget, all rows)."""


def water_level(wanted_F: np.ndarray, spectrum: Spectrum, budget: float) -> float:
    """λ with Σ keys min(frequency, λ wanted) = budget; infinite where the budget takes every row.

    Exact, by filling the keys in the order in which they run dry: between two of those levels the sum is linear in λ.
    """
    if budget >= spectrum.rows.sum():
        return np.inf
    dry_at = spectrum.frequency / wanted_F  # the λ from which all rows of such a key are kept
    order = np.argsort(dry_at, kind="stable")
    full_before = np.concatenate([[0], np.cumsum(spectrum.rows[order])[:-1]])  # rows of keys that are dry already
    rest = np.cumsum((spectrum.keys * wanted_F)[order][::-1])[::-1]  # slope of what the others give
    filled = full_before + dry_at[order] * rest
    i = int(np.searchsorted(filled, budget))
    return float((budget - full_before[i]) / rest[i])


def effective_sample_size(weight_N: np.ndarray, rows_N: np.ndarray) -> float:
    """Kish: (Σ w)² / Σ w² over rows given in groups of equal weight."""
    total = (weight_N * rows_N).sum()
    return float(total**2 / (weight_N**2 * rows_N).sum()) if total else 0.0
