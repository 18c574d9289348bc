"""The arms of the proof: which training rows each keeps of a share of the data, and with which weights.

Keep rates are the library's own policies on the key counts of all training rows. A row is kept where a draw
that depends on (seed, row) alone is below its rate, so arms of one seed are paired, and smaller shares are
parts of larger ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lsml_spark.core import seeds
from lsml_spark.select.policies.boundary import acceptance
from lsml_spark.select.policies.cap import Cap
from lsml_spark.select.policies.mixed import Mixed
from lsml_spark.select.policies.policy import Policy, Spectrum, filled
from lsml_spark.select.policies.power import Power
from lsml_spark.select.policies.zipf import Zipf

FLOOR = 0.05  # of boundary
BETA = 0.5
POLICIES: dict[str, tuple[Policy, bool]] = {  # policy, weights
    "cap": (Cap(), False),
    "sqrt": (Power(exponent=0.5), False),
    "zipf": (Zipf(beta=BETA), False),
    "zipf_weighted": (Zipf(beta=BETA), True),
    "mixed": (Mixed(beta=BETA), True),
}
OTHERS = (
    "random",
    "rs2",
    "zipf_redrawn",
    "placebo",
    "placebo_weighted",
    "boundary",
    "boundary_offset",
    "full_fewer",
    "full",
)


@dataclass(frozen=True)
class Draw:
    """Rows of an epoch by its number, and what training adds to them. `rate_N`: the chance of each row to be
    kept.
    """

    rows_of: Callable[[int], np.ndarray]
    rate_N: np.ndarray
    weight_N: np.ndarray | None = None
    offset_N: np.ndarray | None = None


def draw(arm: str, key_N: np.ndarray, share: float, seed: int, own_N: Callable[[], np.ndarray]) -> Draw:
    """`own_N()`: the pilot's probability of each row's own label, asked for by the boundary arms alone."""
    rows = len(key_N)
    if arm in ("full", "full_fewer"):
        return Draw(lambda epoch: np.arange(rows), np.ones(rows))
    if arm in ("rs2", "zipf_redrawn"):  # both draw anew for every epoch
        anew_N = np.full(rows, share) if arm == "rs2" else key_rates(POLICIES["zipf"][0], key_N, share)[key_N]
        return Draw(lambda epoch: np.flatnonzero(uniforms(rows, seed, epoch) < anew_N), anew_N)
    offset_N = None
    if arm == "random":
        rate_N = np.full(rows, share)
    elif arm in ("boundary", "boundary_offset"):
        rate_N = acceptance(own_N(), share * rows, FLOOR)
        offset_N = log_odds(own_N(), rate_N) if arm == "boundary_offset" else None
    elif arm in ("placebo", "placebo_weighted"):
        rate_N = placebo(key_rates(POLICIES["zipf"][0], key_N, share), np.bincount(key_N), share, seed)[key_N]
    else:
        rate_N = key_rates(POLICIES[arm][0], key_N, share)[key_N]
    kept_N = uniforms(rows, seed, 0) < rate_N
    weighted = arm in ("boundary", "placebo_weighted") or (arm in POLICIES and POLICIES[arm][1])
    return Draw(lambda epoch: np.flatnonzero(kept_N), rate_N, 1 / rate_N if weighted else None, offset_N)


@lru_cache(maxsize=2)
def uniforms(rows: int, seed: int, epoch: int) -> np.ndarray:
    """The draws of a seed, one per row, (N,) in [0, 1). Epoch 0 serves every arm."""
    return seeds.uniforms(np.full(rows, seeds.derive(seed, "keep", epoch)), np.arange(rows))


def key_rates(policy: Policy, key_N: np.ndarray, share: float) -> np.ndarray:
    """π of every key, (K,), from its count in all rows."""
    frequency_S, group_K, keys_S = np.unique(np.bincount(key_N), return_inverse=True, return_counts=True)
    return policy.keep_rates(Spectrum(frequency_S, keys_S), share * len(key_N))[group_K]


def placebo(rate_K: np.ndarray, counts_K: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The same rates dealt out to keys at random, then raised or lowered by one factor to meet the budget,
    (K,).

    Most keys are rare and have rates near 1; a frequent key that is dealt such a rate would burst the budget.
    """
    dealt_K = rate_K[seeds.generator(seed, "placebo").permutation(len(rate_K))]
    return filled(dealt_K * counts_K, Spectrum(counts_K, np.ones_like(counts_K)), share * counts_K.sum())


def log_odds(own_N: np.ndarray, rate_N: np.ndarray) -> np.ndarray:
    """log π(x, y) − log π(x, other label) of two labels: the offset that undoes boundary's choice, (N,)."""
    wanted_N, other_N = np.maximum(1 - own_N, FLOOR), np.maximum(own_N, FLOOR)
    level = np.max(rate_N / wanted_N, where=rate_N < 1, initial=0.0) or np.inf
    return np.log(rate_N) - np.log(np.minimum(1.0, level * other_N))
