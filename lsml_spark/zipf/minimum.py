"""The least value of a smooth function of two parameters, by Nelder & Mead 1965 from the best of a few
starts.

Pure Python on purpose: the quasi-Newton methods call LAPACK, whose threads cost 25 times the work on problems
of this size when the cores are busy. Started again from where it ended, since a simplex may collapse early.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize


def minimum(
    cost: Callable[[np.ndarray], float],
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
) -> np.ndarray:
    """The parameters of the least cost found inside `bounds`, shape (2,)."""
    low, high = np.array(bounds).T
    inside = [np.clip(start, low, high) for start in starts]
    best = min(inside, key=cost)
    for size in (0.5, 0.05):
        step = np.where(best + size <= high, size, -size)  # into the bounds
        simplex = np.stack([best, best + step * [1, 0], best + step * [0, 1]])
        options = {"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-11, "maxfev": 400}
        best = minimize(cost, best, method="Nelder-Mead", bounds=bounds, options=options).x
    return best
