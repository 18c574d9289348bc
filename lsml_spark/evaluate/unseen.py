"""The probability of labels that training never showed, and over how many of them it is spread."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa


def unseen(train: pa.Table, profile: Mapping[str, Any]) -> dict[str, float]:
    """`mass` (Good–Turing) and `keys` (Chao 1) of unseen labels: those of zipf's profile where the label is
    the key, else from the counts of the labels themselves. A new key says nothing of new labels.

    With no label seen once, Good–Turing says 0; a new label is still not impossible.
    """
    if train["key"].equals(train["label"]):
        rows, mass, keys = profile["rows"], profile["unseen_mass"], profile["unseen_keys"]
    else:
        counts_V = np.unique(train["label"].to_numpy().astype(str), return_counts=True)[1]
        once, twice = int((counts_V == 1).sum()), int((counts_V == 2).sum())
        rows, mass, keys = train.num_rows, once / train.num_rows, once * (once - 1) / (2 * (twice + 1))
    return {"mass": min(max(mass, 1 / (rows + 2)), 0.5), "keys": max(keys, 1.0)}
