"""Counts of categories from the profile's `top` and `others`, brought to the same names on two sides.

A name that a full `top` list leaves out may have been among the `others`. It is given as many of them as its
share on the other side asks for, up to twice the mean of the names not listed, and no more than the list's
last entry: the distance is exact where nothing is left out, and else close to the true one, while a day of
wholly new names still lies far away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Listed:
    """One day's list: rows by name, rows of other names, and how many such names there are."""

    counts: Mapping[str, int]
    others: int
    unlisted: int = 1

    @property
    def hidden(self) -> float:
        """The most rows that a name is given which is not listed."""
        return min(2 * self.others / max(self.unlisted, 1), min(self.counts.values(), default=self.others))


@dataclass(frozen=True)
class Categories:
    """One or more days together."""

    days: Sequence[Listed]

    @classmethod
    def of(cls, columns: Sequence[Mapping[str, Any]]) -> "Categories":
        """From the profile's entries of one column on several days."""
        days = []
        for column in columns:
            counts = {str(name): int(rows) for name, rows in column["top"]}
            unlisted = round(column.get("metrics", {}).get("distinct", 0)) - len(counts)
            days.append(Listed(counts, int(column.get("others", 0)), unlisted))
        return cls(days)

    @property
    def rows(self) -> int:
        return sum(sum(day.counts.values()) + day.others for day in self.days)

    @property
    def others(self) -> int:
        return sum(day.others for day in self.days)

    @property
    def complete(self) -> bool:
        """Every name is listed."""
        return not self.others

    @property
    def names(self) -> set[str]:
        return {name for day in self.days for name in day.counts}

    def bounds(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Least and most shares that these names can have, shapes (K,)."""
        least_K = np.array([sum(day.counts.get(name, 0) for day in self.days) for name in names], float)
        more_K = np.array(
            [sum(day.hidden for day in self.days if name not in day.counts) for name in names], float
        )
        return least_K / self.rows, (least_K + more_K) / self.rows


def aligned(reference: Categories, today: Categories) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(names (K,), p (K + 1,), q (K + 1,)): shares on both sides, the last entry being all other names. Both
    sides have rows.
    """
    names = sorted(reference.names | today.names)
    (p_low, p_high), (q_low, q_high) = reference.bounds(names), today.bounds(names)
    p_K = np.clip(np.maximum(p_low, q_low), p_low, p_high)
    q_K = np.clip(np.maximum(p_low, q_low), q_low, q_high)
    return names, _with_others(p_low, p_K, reference), _with_others(q_low, q_K, today)


def _with_others(low_K: np.ndarray, share_K: np.ndarray, side: Categories) -> np.ndarray:
    """What the names were given beyond their own rows comes out of the others, and no more than there is;
    shape (K + 1,).
    """
    others = side.others / side.rows
    given_K = share_K - low_K
    taken = given_K.sum()
    if taken > others:
        given_K = given_K * (others / taken)
    return np.append(low_K + given_K, max(0.0, others - given_K.sum()))
