"""MinHash and banding: sets that are alike share a bucket (Broder 1997; Leskovec, Rajaraman & Ullman, Mining
of Massive Datasets, ch. 3).

Two sets of Jaccard similarity s have the same minimum under a random order of all elements with probability
s, so all r minima of a band with s^r, and share one of b bands with 1 - (1 - s^r)^b. Pure functions of
arrays: the orders are drawn from a fixed seed.
"""

import math

import numpy as np

MOST = 128  # minima of a set
MISS = 1e-3  # at the threshold itself; pairs that are more alike are missed far more rarely
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def bands(similarity: float) -> tuple[int, int]:
    """(bands, rows of a band): the most selective ones that miss a pair at the threshold with at most 0.1
    %.
    """
    best = MOST, 1
    for rows in range(1, MOST + 1):
        share = similarity**rows
        number = 1 if share >= 1 else math.ceil(math.log(MISS) / math.log1p(-share))
        if number * rows <= MOST:
            best = number, rows
    return best


def buckets(hashes: np.ndarray, starts: np.ndarray, similarity: float) -> np.ndarray:
    """The buckets of each set, one per band: (sets, bands) int64.

    Args:
        hashes: (elements,) 64-bit hashes of the elements of all sets, one set after the other, none of them
            empty.
        starts: (sets,) where each begins.
    """
    number, rows = bands(similarity)
    draw = np.random.default_rng(0)
    elements = hashes.view(np.uint64)
    bucket_SB = np.empty((len(starts), number), np.uint64)
    for band in range(number):
        mixed = np.full(len(starts), band, np.uint64) * GOLDEN
        for _ in range(rows):
            a, b = draw.integers(0, 1 << 64, 2, dtype=np.uint64)
            least = np.minimum.reduceat(elements * (a | np.uint64(1)) + b, starts)
            mixed = (mixed ^ least) * GOLDEN
            mixed ^= mixed >> np.uint64(32)
        bucket_SB[:, band] = mixed
    return bucket_SB.view(np.int64)


def shingles(text: str, characters: int, words: int) -> frozenset[str]:
    """All stretches of so many `words` (separated by one space), or where that is 0 of `characters`; a
    shorter text is one itself.
    """
    if not words:
        return frozenset(text[i : i + characters] for i in range(max(1, len(text) - characters + 1)))
    units = text.split(" ")
    return frozenset(" ".join(units[i : i + words]) for i in range(max(1, len(units) - words + 1)))
