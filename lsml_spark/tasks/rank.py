"""The order of the rows of a group, such as the offers that one customer saw."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.scoreboard import Figure
from lsml_spark.data.parquet.shards import GROUP
from lsml_spark.tasks.figures import pairs
from lsml_spark.tasks.figures.ranking import ndcg
from lsml_spark.tasks.task import Target, Task, Truth, floats_of, known, refuse_other_than_a_number


class Rank(Task):
    """A score that puts the rows of a group in the order of their gains, which are the target's numbers, at
    least 0.

    The loss of a row is the mean of log(1 + exp(s' − s)) over the rows of its group with a smaller gain,
    whose score is s' (RankNet, Burges et al. 2005); a row without such peers has none. A step sees the pairs
    within a lane, where a group's rows lie together.
    """

    learns: ClassVar[Target] = "numbers"
    # a column of the samples; rows of equal values are one group, rows without a value none
    group: str = "key"
    at: int | None = Field(10, ge=1)  # places that NDCG counts; null: all
    gain: Literal["linear", "exponential"] = "linear"  # of a target y in NDCG: y, or 2^y − 1

    @property
    def grouped_by(self) -> str:
        return self.group

    @property
    def shown(self) -> Mapping[str, Figure]:
        return {
            "ndcg": Figure("NDCG" + (f"@{self.at}" if self.at else ""), "higher"),
            "in_order": Figure("pairs in order", "higher"),
        }

    @property
    def baselines(self) -> tuple[dict[str, Any], ...]:
        """The same for all is an order by chance; what the key alone says is another one where a group has
        many keys.
        """
        by_key = () if self.group == "key" else ({"use": "key_mean", "target": self.target},)
        return ({"use": "constant", "target": self.target}, *by_key)

    def width(self, encoders: Mapping[str, Any]) -> int:
        refuse_other_than_a_number(encoders, self.target, "rank")
        return 1

    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        import torch
        from torch.nn.functional import softplus

        z_B, gain_B = outputs[:, 0], truth.of(self.target)
        above, below = pairs.within(truth.columns[GROUP].cpu().numpy(), gain_B.cpu().numpy())
        above_P, below_P = (torch.from_numpy(rows).to(z_B.device) for rows in (above, below))
        peers_B = torch.from_numpy(np.bincount(above, minlength=len(z_B))).to(z_B.device)
        loss_B = torch.zeros_like(z_B).index_add(0, above_P, softplus(z_B[below_P] - z_B[above_P]))
        return loss_B / peers_B.clamp(min=1), peers_B > 0

    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """Scores (B,), which mean nothing but their order within a group."""
        scores: np.ndarray = outputs[:, 0].double().numpy()
        return scores

    def truth(self, rows: pa.Table, encoders: Mapping[str, Any]) -> np.ndarray:
        """A structured array (N,): the `gain` and the number of the `group` of each row."""
        made = np.empty(rows.num_rows, dtype=[("gain", np.float64), ("group", np.int64)])
        made["gain"] = floats_of(rows, self.target)
        if (made["gain"] < 0).any():
            raise ConfigError(
                f"task.target: '{self.target}' holds {made['gain'].min():g}; gains to rank by are at least 0"
            )
        group = rows[self.group].combine_chunks().cast(pa.string()).dictionary_encode().indices
        alone_N = -1 - np.arange(rows.num_rows)
        found_N = group.fill_null(-1).to_numpy(zero_copy_only=False)
        made["group"] = np.where(found_N < 0, alone_N, found_N)
        return made

    def losses(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return pairs.losses(truth["group"], truth["gain"], predicted)

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        gain = ndcg(
            truth["gain"], predicted, truth["group"], k=self.at, exponential=self.gain == "exponential"
        )
        return {
            "ndcg": known(gain),
            "in_order": known(pairs.in_order(truth["group"], truth["gain"], predicted)),
        }
