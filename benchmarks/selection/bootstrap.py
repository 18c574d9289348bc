"""Bootstrap clustered by key: keys are resampled with all their test rows, and the seeds too, paired over the
arms.

Entry 0 of every axis of replicates is the estimate itself; whatever is computed from replicates entry by
entry (a difference, a ratio, an interpolation) thus comes with its interval.
"""

import numpy as np

REPLICATES = 1000
CHUNK = 100


def resampled(
    total_ASK: np.ndarray, weight_K: np.ndarray, group_K: np.ndarray, groups: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over resampled keys: (1 + R, groups, A) of `total_ASK`, averaged over resampled seeds, and (1 + R,
    groups) of `weight_K`.
    """
    arms, runs, keys = total_ASK.shape
    generator = np.random.default_rng([seed, keys])
    numbers, weights = [], []
    for first in range(0, 1 + REPLICATES, CHUNK):
        size = min(CHUNK, 1 + REPLICATES - first)
        count_RK = np.stack(
            [np.bincount(generator.integers(keys, size=keys), minlength=keys) for _ in range(size)]
        ).astype(float)
        count_RS = generator.multinomial(runs, np.full(runs, 1 / runs), size=size) / runs
        if first == 0:
            count_RK[0], count_RS[0] = 1.0, 1 / runs
        number_RGA, weight_RG = np.zeros((size, groups, arms)), np.zeros((size, groups))
        for group in range(groups):
            inside = np.flatnonzero(group_K == group)
            sums_RAS = (count_RK[:, inside] @ total_ASK[:, :, inside].reshape(arms * runs, -1).T).reshape(
                size, arms, runs
            )
            number_RGA[:, group] = np.einsum("ras,rs->ra", sums_RAS, count_RS)
            weight_RG[:, group] = count_RK[:, inside] @ weight_K[inside]
        numbers.append(number_RGA)
        weights.append(weight_RG)
    return np.concatenate(numbers), np.concatenate(weights)


def interval(values_R: np.ndarray, digits: int = 5) -> list[float]:
    """[estimate, low, high] of 95 %, from an axis of replicates."""
    known_R = values_R[1:][np.isfinite(values_R[1:])]
    low, high = np.percentile(known_R, [2.5, 97.5]) if len(known_R) else (np.nan, np.nan)
    return [round(float(x), digits) for x in (values_R[0], low, high)]
