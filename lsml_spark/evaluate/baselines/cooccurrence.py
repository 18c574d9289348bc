"""Item-item co-occurrence: what followed the items of this basket in earlier baskets."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from scipy import sparse

from lsml_spark.core.errors import ConfigError
from lsml_spark.evaluate.baselines.popularity import Frequencies
from lsml_spark.models.system import Baseline, Lists, System


class Cooccurrence(Baseline):
    """p(j | basket) = λ · mean over basket items i of p(j | i) + (1 - λ) · popularity(j), with p(j | i) =
    n_ij / n_i.

    Items count with decay^distance from the end of the basket, in the counts n_ij and in the mean (1: order
    does not matter). λ and decay are those with the best log loss on the last training day, fitted on the
    days before it.
    """

    title: ClassVar[str] = "Co-occurrence"
    short: ClassVar[str] = "co-occ."

    shares: tuple[float, ...] = Field((0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), min_length=1)  # λ that are tried
    decays: tuple[float, ...] = Field((1.0, 0.8, 0.6, 0.4), min_length=1)  # that are tried

    def fit(self, train: pa.Table, context: str | None) -> System:
        if context is None:
            raise ConfigError(
                "evaluate.baselines: cooccurrence needs a list of items; set evaluate.context, or leave it "
                "out"
            )
        last = pc.max(train["date"])
        before, after = (train.filter(rule(train["date"], last)) for rule in (pc.less, pc.equal))
        share, decay = self.shares[len(self.shares) // 2], self.decays[0]
        if before.num_rows:
            losses: dict[tuple[float, float], float] = {}
            for decay in self.decays:
                of_share = Transitions(before, context, decay).losses(after, self.shares)
                losses |= {(share, decay): loss for share, loss in zip(self.shares, of_share, strict=True)}
            share, decay = min(losses, key=lambda pair: losses[pair])
        return Transitions(train, context, decay, share)


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
        lists = (
            rows[self.context] if isinstance(rows, pa.RecordBatch) else rows[self.context].combine_chunks()
        )
        items = Lists.of(self, lists)
        use = self.seen_V[items.column_T]
        row_T, column_T, weight_T = items.row_T[use], items.column_T[use], self.decay ** items.distance_T[use]
        total_B = np.bincount(row_T, weights=weight_T, minlength=rows.num_rows)
        mean = sparse.coo_array(
            (weight_T / total_B[row_T], (row_T, column_T)), shape=(rows.num_rows, len(self.labels))
        )
        return (sparse.csr_array(mean) @ self.given_VV).toarray(), total_B > 0

    def mixed(
        self, conditional_B: np.ndarray, says_B: np.ndarray, popular_B: np.ndarray, share: float
    ) -> np.ndarray:
        share_B = np.where(says_B, share, 0.0).reshape(-1, *[1] * (conditional_B.ndim - 1))
        return share_B * conditional_B + (1.0 - share_B) * popular_B

    def log_probs(self, rows: pa.RecordBatch) -> np.ndarray:
        conditional_BV, says_B = self.conditional(rows)
        return np.log(self.mixed(conditional_BV, says_B, self.share_V[None, :], self.share))

    def losses(self, rows: pa.Table, shares: Sequence[float]) -> list[float]:
        """For each λ the log loss over the rows whose label is known."""
        label_N = self.columns_of(rows["label"].combine_chunks())
        conditional_NV, says_N = self.conditional(rows)
        known = np.flatnonzero(label_N >= 0)
        if not len(known):
            return [0.0] * len(shares)
        own, popular = conditional_NV[known, label_N[known]], self.share_V[label_N[known]]
        return [float(-np.log(self.mixed(own, says_N[known], popular, share)).mean()) for share in shares]
