"""Selection policies: numpy on the frequency spectrum, so their cost does not depend on the number of keys.

A policy says with which probability π a row is kept, from how often its key was seen and what earlier nights
know of that key. Because π depends on the key alone, P(label | features, key) is left intact, and 1/π is the
Horvitz–Thompson weight that makes sums over the kept rows unbiased for sums over all rows. Policies that look
at the row itself: of_rows.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from lsml_spark.core.config import Component


@dataclass(frozen=True)
class Pilot:
    """What `lsml pilot` learnt: errors fall as n^-beta; `errors`: (lowest, highest frequency, a), how large
    they are, relatively.
    """

    beta: float
    errors: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Spectrum:
    """Groups of equal keys: how often they were seen, ascending, and how many they are; int64 of shape (S,).

    The other fields say what earlier nights know of those keys, where a policy asks for it (`Policy.needs`);
    groups then differ in them too, so a frequency can occur more than once.
    """

    frequency: np.ndarray
    keys: np.ndarray
    new: np.ndarray | None = None  # bool: the night before did not know the key
    recall: np.ndarray | None = None  # of the promoted models, shrunk to that of keys seen about as often
    average_recall: float | None = None
    # 1 − p̃(y | x), for policies of rows: a group is then that of equal rows
    surprise: np.ndarray | None = None
    pilot: Pilot | None = None

    @property
    def rows(self) -> np.ndarray:
        """Rows that belong to the keys of each group, shape (S,)."""
        return self.frequency * self.keys

    def where(self, mask_S: np.ndarray) -> "Spectrum":
        """The groups of the mask."""
        arrays = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        return replace(self, **{name: array[mask_S] for name, array in arrays.items()})


class Policy(Component, ABC):
    """Base of the policies of keys. `unbiased`: what the weights make unbiased, for the report."""

    unbiased: ClassVar[str] = (
        "sums over the kept rows, each times its weight 1/π, are unbiased for sums over all rows"
    )

    def claim(self, weights: bool) -> str:
        """What the rows kept tell of all rows; `weights`: whether the loss is weighted."""
        if weights:
            return self.unbiased
        return (
            "rows are not weighted: the loss is that of the rows kept, on which keys seen rarely count "
            "for more"
        )

    def refuses(self, weights: bool) -> str | None:
        """Why it does not go with `select.weights` as that is; None where it does."""
        return None

    @property
    def adds(self) -> tuple[str, ...]:
        """Columns that it gives the rows beside `weight` and `keep_rate`."""
        return ()

    @property
    def needs(self) -> frozenset[str]:
        """Of earlier nights: `previous` (the keys of the night before), `scores` (of its held-out rows),
        `pilot`.
        """
        return frozenset()

    def spread(self, share: float) -> Mapping[str, Any] | None:
        """How the epochs share the rows out, where not every epoch reads all that are kept: `epochs` of
        selection.json.

        All rows are then kept, and the epochs draw their `share`.
        """
        return None

    @abstractmethod
    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """π per group, float64 of shape (S,) in [0, 1], with Σ rows π = min(budget, all rows)."""


def water_level(wanted_S: np.ndarray, spectrum: Spectrum, budget: float) -> float:
    """λ with Σ keys min(frequency, λ wanted) = budget; infinite where the budget takes every row. `wanted_S`
    > 0.

    Exact, by filling the keys in the order in which they run dry: between two of those levels the sum is
    linear in λ.
    """
    if budget >= spectrum.rows.sum():
        return np.inf
    dry_at = spectrum.frequency / wanted_S  # the λ from which all rows of such a key are kept
    order = np.argsort(dry_at, kind="stable")
    # rows of keys that are dry already
    full_before = np.concatenate([[0], np.cumsum(spectrum.rows[order])[:-1]])
    rest = np.cumsum((spectrum.keys * wanted_S)[order][::-1])[::-1]  # slope of what the others give
    filled = full_before + dry_at[order] * rest
    i = int(np.searchsorted(filled, budget))
    return float((budget - full_before[i]) / rest[i])


def filled(wanted_S: np.ndarray, spectrum: Spectrum, budget: float) -> np.ndarray:
    """π of min(frequency, λ wanted) rows of each key, λ by the budget."""
    level = water_level(wanted_S, spectrum, budget)
    return np.minimum(1.0, level * (wanted_S / spectrum.frequency))


def effective_sample_size(weight_N: np.ndarray, rows_N: np.ndarray) -> float:
    """Kish: (Σ w)² / Σ w² over rows given in groups of equal weight."""
    total = (weight_N * rows_N).sum()
    return float(total**2 / (weight_N**2 * rows_N).sum()) if total else 0.0
