"""arXiv 1993–94: the words of title and abstract → primary category. Key = label = category (57, from 4 500
papers to one).

Softmax regression on 2^14 hashed words with inverse document frequencies. Train January 1993 – April 1994,
tune on May and June 1994, test July – December 1994: archives that opened meanwhile are unseen keys and get
the Good–Turing mass.
"""

import re
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lsml_spark.core import seeds
from selection.classifier import ClassifierTask, Ragged, ids_of, take
from selection.descent import descend, log_prior

BUCKETS = 2**14
DEV, TEST = "1994-05", "1994-07"  # first months of the two sets


class Words(torch.nn.Module):
    """logits = Σ tf-idf · W + bias."""

    def __init__(self, classes: int, prior_C: np.ndarray):
        super().__init__()
        self.weight = torch.nn.EmbeddingBag(BUCKETS, classes, mode="sum")
        torch.nn.init.zeros_(self.weight.weight)
        self.bias = torch.nn.Parameter(torch.from_numpy(prior_C).float())

    def forward(self, words: Ragged, value_T: np.ndarray) -> Tensor:
        values = torch.from_numpy(value_T)
        return (
            self.weight(
                torch.from_numpy(words.values_T),
                torch.from_numpy(words.offsets_N1[:-1]),
                per_sample_weights=values,
            )
            + self.bias
        )


class Arxiv(ClassifierTask):
    """See the module's text."""

    words: Ragged  # of all rows: train, then dev, then test
    value_T: np.ndarray

    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> Words:
        torch.manual_seed(seeds.derive(seed, "model") & 0x7FFFFFFF)
        network = Words(self.classes, log_prior(self.label_N, rows_T, weight_N, self.classes))
        optimizer = torch.optim.Adam(network.parameters(), lr=lr, betas=(0.9, 0.99))
        descend(network, optimizer, partial(self.logits, network), self.label_N, rows_T, weight_N, self.batch)
        return network

    def logits(self, network: Words, rows_B: np.ndarray) -> Tensor:
        return network(
            take(self.words, rows_B), take(Ragged(self.value_T, self.words.offsets_N1), rows_B).values_T
        )


def load(data: Path) -> Arxiv:
    """The task, from the folder that holds 1993.tsv.zip and 1994.tsv.zip."""
    papers = pd.concat(
        [pd.read_csv(data / "arxiv" / f"{year}.tsv.zip", sep="\t", index_col=0) for year in (1993, 1994)]
    )
    papers = papers.sort_values(["created", "arxiv_id"], kind="stable").reset_index(drop=True)
    month = papers["created_ym"].to_numpy(str)
    train_N, dev_N = month < DEV, (month >= DEV) & (month < TEST)
    words, value_T = tf_idf(
        [f"{title} {text}" for title, text in zip(papers["title"], papers["abstract"], strict=True)],
        int(train_N.sum()),
    )
    label = ids_of(papers["primary_cat"].to_numpy(str), train_N)
    rows, dev = int(train_N.sum()), int(dev_N.sum())
    task = Arxiv.of(
        "arxiv", label, label, rows, dev, batch=128, epochs=4.0, lrs=(0.03, 0.06, 0.12, 0.24, 0.48)
    )
    task.words, task.value_T = words, value_T
    return task


def tf_idf(texts: list[str], fit_on: int) -> tuple[Ragged, np.ndarray]:
    """Buckets of each text's words, and (1 + log tf) · idf scaled to length 1; idf from the first `fit_on`
    texts.
    """
    pairs = []
    for text in texts:
        buckets = [zlib.crc32(word.encode()) % BUCKETS for word in re.findall(r"[a-z0-9]{2,}", text.lower())]
        pairs.append(np.unique(np.array(buckets, dtype=np.int64), return_counts=True))
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids, _ in pairs])])
    ids_T, count_T = np.concatenate([ids for ids, _ in pairs]), np.concatenate([count for _, count in pairs])
    seen = np.bincount(ids_T[: offsets[fit_on]], minlength=BUCKETS)
    value_T = (1 + np.log(count_T)) * np.log((1 + fit_on) / (1 + seen))[ids_T]
    length = np.sqrt(np.add.reduceat(value_T**2, offsets[:-1]))
    return Ragged(ids_T, offsets), (value_T / np.repeat(length, np.diff(offsets))).astype(np.float32)
