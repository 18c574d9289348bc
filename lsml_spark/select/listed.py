"""Which keys get a rate of their own: as few as a driver can broadcast, however many keys there are."""

import numpy as np

from lsml_spark.select.policies.policy import Spectrum

MOST = 500_000  # keys that are broadcast, about 50 MB


def coarse_below(spectrum: Spectrum, most: int = MOST) -> int:
    """The frequency up to which keys share one rate: 0, or so large that at most `most` keys were seen more
    often.

    It depends on the spectrum alone, not on the budget, so selections nest still.
    """
    frequency_F, place = np.unique(spectrum.frequency, return_inverse=True)
    keys_F = np.bincount(place, weights=spectrum.keys)
    above_F = keys_F[::-1].cumsum()[::-1]  # keys seen at least that often
    return 0 if above_F[0] <= most else int(frequency_F[np.searchsorted(-above_F, -most) - 1])


def coarse(rates_S: np.ndarray, spectrum: Spectrum, below: int, fixed_S: np.ndarray) -> np.ndarray:
    """The rates (S,), with one and the same for the groups seen at most `below` times, except the `fixed_S`;
    as many rows in all.
    """
    tail_S = (spectrum.frequency <= below) & ~fixed_S
    rows_S = spectrum.rows * tail_S
    return np.where(tail_S, (rows_S * rates_S).sum() / max(rows_S.sum(), 1), rates_S)


def alike(values_S: np.ndarray, spectrum: Spectrum, below: int) -> np.ndarray:
    """The values (S,), with that of most rows for all groups seen at most `below` times: another value would
    list their keys.
    """
    tail_S = spectrum.frequency <= below
    return np.where(tail_S, values_S[np.argmax(spectrum.rows * tail_S)], values_S) if below else values_S
