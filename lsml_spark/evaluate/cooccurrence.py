"""Item-item co-occurrence: what followed the items of this basket in earlier baskets."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from scipy import sparse

from lsml_spark.core.errors import ConfigError
from lsml_spark.evaluate.popularity import Frequencies
from lsml_spark.evaluate.system import Baseline, Lists, System


class Cooccurrence(Baseline):
    """p(j | basket) = λ · mean over basket items i of p(j | i) + (1 - λ) · popularity(j), with p(j | i) = n_ij / n_i.

    Items count with decay^distance from the end of the basket, in the counts n_ij and in the mean (1: order does not
    matter). λ and decay are those with the best log loss on the last training day, fitted on the days before it.
    """

    shares: tuple[float, ...] = Field((0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), min_length=1)
    decays: tuple[float, ...] = Field((1.0, 0.8, 0.6, 0.4), min_length=1)

    def fit(self, train: pa.Table, context: str | None) -> System:
        if context is None:
            raise ConfigError("evaluate.baselines: cooccurrence needs a list of items; set evaluate.context, or leave it out")
        last = pc.max(train["date"])
        before, after = (train.filter(rule(train["date"], last)) for rule in (pc.less, pc.equal))
        share, decay = self.shares[len(self.shares) // 2], self.decays[0]
        if before.num_rows:
            fitted = {decay: Transitions(before, context, decay) for decay in self.decays}
            share, decay = min(itertools.product(self.shares, self.decays), key=lambda pair: fitted[pair[1]].loss(after, pair[0]))
        chosen = Transitions(train, context, decay)
        chosen.share = share
        return chosen


class Transitions(Frequencies):
    """Conditional frequencies of the label given each item of the context. `share` is λ."""

    def __init__(self, train: pa.Table, context: str, decay: float, share: float = 0.0):
        super().__init__(train["label"].to_numpy().astype(str))
        self.context, self.decay, self.share = context, decay, share
        items = Lists.of(self, train[context].combine_chunks())
        label_N = self.columns_of(train["label"].combine_chunks())
        size = len(self.labels)
        pairs = (decay**items.distance_T, (items.column_T, label_N[items.row_T]))
        counts = sparse.csr_array(sparse.coo_array(pairs, shape=(size, size)))
        total_V = counts.sum(axis=1)
        self.seen_V = total_V > 0  # items that something ever followed
        self.given_VV = sparse.diags_array(1.0 / np.where(self.seen_V, total_V, 1.0)) @ counts

    def conditional(self, rows: pa.RecordBatch | pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """(mean over the basket of p(· | item) (B, V), mask (B,) of the rows whose basket says something)."""
        lists = rows[self.context] if isinstance(rows, pa.RecordBatch) else rows[self.context].combine_chunks()
        items = Lists.of(self, lists)
        use = self.seen_V[items.column_T]
        row_T, column_T, weight_T = items.row_T[use], items.column_T[use], self.decay ** items.distance_T[use]
        total_B = np.bincount(row_T, weights=weight_T, minlength=rows.num_rows)
        mean = sparse.coo_array((weight_T / total_B[row_T], (row_T, column_T)), shape=(rows.num_rows, len(self.labels)))
        return (sparse.csr_array(mean) @ self.given_VV).toarray(), total_B > 0

    def mixed(self, conditional_B: np.ndarray, says_B: np.ndarray, popular_B: np.ndarray, share: float) -> np.ndarray:
        share_B = np.where(says_B, share, 0.0).reshape(-1, *[1] * (conditional_B.ndim - 1))
        return share_B * conditional_B + (1.0 - share_B) * popular_B

    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        conditional_BV, says_B = self.conditional(rows)
        return np.log(self.mixed(conditional_BV, says_B, self.share_V[None, :], self.share))

    def loss(self, rows: pa.Table, share: float) -> float:
        """Log loss over the rows whose label is known."""
        label_N = self.columns_of(rows["label"].combine_chunks())
        known = label_N >= 0
        if not hasattr(self, "_own") or self._own[0] is not rows:
            conditional, says = self.conditional(rows)
            self._own = (rows, conditional[np.arange(len(label_N)), label_N], says)
        _, own, says = self._own
        probability = self.mixed(own[known], says[known], self.share_V[label_N[known]], share)
        return float(-np.log(probability).mean()) if known.any() else 0.0
