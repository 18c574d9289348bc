"""One synchronous update, equal to a single process stepping on every rank's rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lsml_spark.core import seeds
from lsml_spark.data.batch import Batch
from lsml_spark.models.network import tensors
from lsml_spark.train.lanes import LaneParallel, gradient_of


@dataclass(frozen=True)
class StepStats:
    """Of the global batch: rows, their total weight, and their weighted mean loss in nats (0 where no row weighs)."""

    rows: int
    weight: float
    loss: float


class NonFinite(Exception):
    """The loss of the global batch is not finite. Every rank raises it at the same step.

    `rows_of`: for each of this rank's lanes, the places of the offending rows in the lane's batch.
    """

    def __init__(self, rows_of: dict[int, list[int]]):
        super().__init__("the loss is not finite")
        self.rows_of = rows_of


def step(
    model: LaneParallel,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    *,
    lanes: range,
    all_lanes: int,
    seed: int,
    weighted: bool,
    clip: float | None,
) -> StepStats:
    """`batches`: one per lane in `lanes`, this rank's share of `all_lanes`. `seed` belongs to the step; each lane derives its own.

    The gradient is Σ weight · ∂loss / Σ weight over the rows of all ranks, so unequal, short or empty batches are right too.
    """
    optimizer.zero_grad(set_to_none=True)
    device = model.world.device
    books = torch.zeros(all_lanes, 3, dtype=torch.float64, device=device)  # per lane: rows, weight, weighted loss
    weighed = {}
    for lane, batch in zip(lanes, batches, strict=True):
        last = lane == lanes[-1]
        torch.manual_seed(seeds.derive(seed, "lane", lane))  # drop-out: a function of step and lane, not of the rank
        with model.lane(last):
            features, label_B, weight_B = tensors(batch, device)
            weight_B = (weight_B if weighted else torch.ones_like(weight_B)) * (label_B > 0)
            logits_BV = model(features)
            if batch.offset is not None:
                logits_BV = _own_raised(logits_BV, label_B, torch.from_numpy(batch.offset).to(logits_BV))
            # A label outside the vocabulary (id 0) has no logit: it weighs nothing.
            loss_B = cross_entropy(logits_BV, label_B - 1, ignore_index=-1, reduction="none")
            weighed[lane] = loss_B * weight_B.to(loss_B.dtype)
            weighed[lane].sum().backward()
        model.lane_done(last)
        books[lane, 0] = len(batch)
        books[lane, 1] = weight_B.sum()
        books[lane, 2] = weighed[lane].detach().double().sum()
    books = model.world.merge(books)

    rows, weight, loss = (float(total) for total in books.cpu().numpy().cumsum(axis=0)[-1])
    if not (abs(loss) < float("inf") and abs(weight) < float("inf")):
        raise NonFinite({lane: _offenders(values) for lane, values in weighed.items()})
    for parameter in model.parameters:
        gradient_of(parameter).mul_(1.0 / weight if weight else 0.0)
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters, clip)
    optimizer.step()
    return StepStats(int(rows), weight, loss / weight if weight else 0.0)


def _own_raised(logits_BV: Tensor, label_B: Tensor, offset_B: Tensor) -> Tensor:
    """The logits with each row's offset added to that of its own label; a label that is unknown (id 0) has none.

    Rows kept with a chance π(x, y) have other log odds than all rows; with log π(x, y) − log π(x, other label) as the offset,
    the logits alone estimate those of all rows (Fithian & Hastie 2014). Masked, not scattered: deterministic on any device.
    """
    own_BV = (label_B - 1)[:, None] == torch.arange(logits_BV.shape[1], device=logits_BV.device)
    return torch.where(own_BV, logits_BV + offset_B[:, None], logits_BV)


def _offenders(values_B: Tensor) -> list[int]:
    return torch.nonzero(~torch.isfinite(values_B.detach())).flatten().tolist()
