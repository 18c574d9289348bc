"""How many different values there are, from 4096 bytes: HyperLogLog (Flajolet et al. 2007), standard error
1.6 %.

The largest rank per register does not depend on the order of the rows, so every partitioning gives the same
estimate. The estimator is Ertl's (2017, algorithm 6), which needs neither a bias table nor a switch to linear
counting.
"""

import math

import numpy as np

REGISTERS = 4096
RANK_BITS = 52  # of a 64-bit hash, the upper 12 choose the register


def empty() -> np.ndarray:
    """Registers that have seen nothing: (4096,) uint8."""
    return np.zeros(REGISTERS, np.uint8)


def add(registers: np.ndarray, hashes_N: np.ndarray) -> None:
    """Take in 64-bit hashes (uint64); the registers, (4096,), are changed in place."""
    register = (hashes_N >> np.uint64(RANK_BITS)).astype(np.intp)
    # below 2^53, so its exponent is the highest bit
    rest = (hashes_N & np.uint64((1 << RANK_BITS) - 1)).astype(np.float64)
    exponent = (rest.view(np.int64) >> 52) - 1023
    rank = np.minimum(RANK_BITS - exponent, RANK_BITS + 1).astype(np.uint8)
    np.maximum.at(registers, register, rank)


def estimate(registers: np.ndarray) -> int:
    """Different hashes that the registers, (4096,), have seen, rounded to a whole number."""
    counts = np.bincount(registers, minlength=RANK_BITS + 2).tolist()
    z = REGISTERS * _tau(1 - counts[RANK_BITS + 1] / REGISTERS)
    for count in counts[RANK_BITS:0:-1]:
        z = 0.5 * (z + count)
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    return round(REGISTERS**2 / (2 * math.log(2) * z)) if math.isfinite(z) else 0


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, 0.0
    while z != before:
        x, before = x * x, z
        z, y = z + x * y, 2 * y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, math.inf
    while z != before:
        x, before, y = math.sqrt(x), z, y / 2
        z -= (1 - x) ** 2 * y
    return z / 3


def hashes(values: np.ndarray) -> np.ndarray:
    """uint64 hashes of numbers, of the same shape, equal where Spark calls them equal: NaN is NaN, -0.0 is
    0.0 (SplitMix64's finaliser).
    """
    if values.dtype.kind == "f":
        values = values.astype(np.float64) + 0.0  # turns -0.0 into 0.0
        values[np.isnan(values)] = np.nan
    z = values.astype(np.int64).view(np.uint64) if values.dtype.kind != "f" else values.view(np.uint64)
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
