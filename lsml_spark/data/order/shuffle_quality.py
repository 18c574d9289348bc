"""How well an order is shuffled: three figures on the order of rows alone, for any reader, and what a uniform
shuffle gives.

N rows are numbered as they lie; `order_N[t]` is the row that is read at time t.
"""

import numpy as np


def travel(order_N: np.ndarray) -> float:
    """Mean |time − place| / N: how far rows travel. 0 as they lie, 1/3 for a uniform shuffle."""
    return float(np.abs(order_N - np.arange(len(order_N))).mean() / len(order_N))


def neighbours(order_N: np.ndarray) -> float:
    """Pearson correlation of the places of rows that are read one after the other (Spearman's, as places are
    ranks).

    1 as they lie, 0 ± 1/√N for a uniform shuffle.
    """
    return float(np.corrcoef(order_N[:-1], order_N[1:])[0, 1])


def imbalance(order_N: np.ndarray, label_N: np.ndarray, batch: int) -> float:
    """Mean over full batches of the total variation between a batch's labels and all labels; 0 is best, 1
    worst.

    With K labels a uniform shuffle gives about √(K / (2 π batch)). `label_N`: label of each row as they lie,
    0 … K − 1.
    """
    labels = int(label_N.max()) + 1
    batches_TB = label_N[order_N[: len(order_N) // batch * batch]].reshape(-1, batch)
    counts_TK = np.stack([np.bincount(batch_B, minlength=labels) for batch_B in batches_TB])
    return float(
        np.abs(counts_TK / batch - np.bincount(label_N, minlength=labels) / len(label_N)).sum(axis=1).mean()
        / 2
    )
