"""Randomness as a pure function of (seed, purpose, id): same rows, same draws, whatever the partitioning or
the retries.

Spark's `rand()` changes with the partitioning and loses rows on retry (SPARK-38160), a process-global
generator changes with the order of calls; neither is used anywhere.
"""

import hashlib

import numpy as np


def derive(seed: int, *purpose: object) -> int:
    """A signed 64-bit seed for one purpose, e.g. derive(7, "select", date)."""
    text = "\x1f".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """A NumPy generator of its own for one purpose."""
    return np.random.default_rng(derive(seed, *purpose) & 0xFFFFFFFFFFFFFFFF)


def uniforms(row_seeds_N: np.ndarray, positions_N: np.ndarray) -> np.ndarray:
    """Independent draws in [0, 1), one per (row seed, position) pair: the SplitMix64 finaliser (Steele et al.
    2014).

    Both inputs are 64-bit integers of shape (N,); float64 of shape (N,) comes back.
    """
    with np.errstate(over="ignore"):
        z = row_seeds_N.astype(np.uint64) + (positions_N.astype(np.uint64) + np.uint64(1)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
