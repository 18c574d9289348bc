"""Open Bandit, men's campaign: impression → click (0.6 % are), 2 × 10 000 rows of a random and a
Thompson-sampling policy over one week.

Logistic regression on hashed categories: item, position, user features, affinity. Pairs with the item and
fewer features were tried too, with the test in sight: the 10 clicks of dev cannot tell them apart, and no
model clearly beats the click rate. Key = the user's segment (the combination of the four user features), with
a head of hundreds and a tail of singletons; each of the 34 items was shown 165 times or more, so by item
there is no tail to protect, and `by="item_id"` tries it all the same. Trained on the first 60 % of the week,
tuned on the next 10 %, tested on the rest.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from selection.classifier import ClassifierTask, ids_of
from selection.descent import descend, log_prior

BUCKETS = 2**12
L2 = 1e-4
USER = [f"user_feature_{n}" for n in range(4)]
TRAIN_SHARE, DEV_SHARE = 0.6, 0.1  # of the rows in time order


class Clicks(torch.nn.Module):
    """logit of a click = bias + Σ weights of the row's buckets."""

    def __init__(self, prior: float):
        super().__init__()
        self.weight = torch.nn.EmbeddingBag(BUCKETS, 1, mode="sum")
        torch.nn.init.zeros_(self.weight.weight)
        self.bias = torch.nn.Parameter(torch.tensor([prior]))

    def forward(self, bucket_BF: Tensor) -> Tensor:
        return self.weight(bucket_BF) + self.bias


class Bandit(ClassifierTask):
    """See the module's text."""

    bucket_NF: np.ndarray  # of all rows: train, dev, test

    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> Clicks:
        return self._fit(rows_T, weight_N, None, lr)

    def fit_offset(self, rows_T: np.ndarray, offset_N: np.ndarray, lr: float, seed: int) -> Clicks:
        # log π(x, click) − log π(x, none)
        click_N = np.where(self.label_N == 1, offset_N, -offset_N).astype(np.float32)
        return self._fit(rows_T, None, click_N, lr)

    def _fit(
        self, rows_T: np.ndarray, weight_N: np.ndarray | None, offset_N: np.ndarray | None, lr: float
    ) -> Clicks:
        """Starts from zero weights and the click rate of the rows (less what the offsets explain of it), so
        no seed is needed.
        """
        none, click = log_prior(self.label_N, rows_T, weight_N, 2)
        explained = 0.0 if offset_N is None else offset_N[np.unique(rows_T)].mean()
        offset_N2 = None if offset_N is None else np.stack([np.zeros_like(offset_N), offset_N], axis=1)
        network = Clicks(float(click - none - explained))
        optimizer = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=L2)
        descend(
            network,
            optimizer,
            partial(self.logits, network),
            self.label_N,
            rows_T,
            weight_N,
            self.batch,
            offset_N2,
        )
        return network

    def logits(self, network: Clicks, rows_B: np.ndarray) -> Tensor:
        click_B1 = network(torch.from_numpy(self.bucket_NF[rows_B]))
        return torch.cat([torch.zeros_like(click_B1), click_B1], dim=1)


def load(data: Path, by: str = "segment") -> Bandit:
    """The task, from the folder that holds men_bts and men_random; `by`: the key, "segment" or "item_id"."""
    parts = [
        pd.read_csv(data / "bandit" / f"men_{policy}" / "men.csv", index_col=0)
        for policy in ("bts", "random")
    ]
    table = pd.concat(parts).sort_values("timestamp", kind="stable").reset_index(drop=True)
    table["segment"] = table[USER].agg("|".join, axis=1)
    rows, dev = int(TRAIN_SHARE * len(table)), int(DEV_SHARE * len(table))
    key = ids_of(table[by].to_numpy(), np.arange(len(table)) < rows)
    name = "bandit" if by == "segment" else f"bandit_{by}"
    clicks = table["click"].to_numpy(np.int64)
    task = Bandit.of(
        name, key, clicks, rows, dev, batch=128, epochs=3.0, lrs=(0.001, 0.003, 0.01, 0.03), binary=True
    )
    task.bucket_NF = buckets(table)
    return task


def buckets(table: pd.DataFrame) -> np.ndarray:
    """(rows, features) hashed ids; `own`: the user clicked the item shown before, `any`: some item."""
    affinity = table[[f"user-item_affinity_{n}" for n in range(34)]].to_numpy() > 0
    extra = {"own": affinity[np.arange(len(table)), table["item_id"]], "any": affinity.any(axis=1)}
    table = table.assign(**extra)
    columns = [name + "=" + table[name].astype(str) for name in ("item_id", "position", *USER, *extra)]
    return np.stack(
        [pd.util.hash_array(column.to_numpy(object)) % BUCKETS for column in columns], axis=1
    ).astype(np.int64)
