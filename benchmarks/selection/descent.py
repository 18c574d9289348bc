"""Weighted minibatch descent on rows in a given order: one loop for every torch model of the proof.

The learning rate falls linearly to 0 over the run, and the loss of a step is Σ w·loss / Σ w over its rows, as
in the library's train stage. All randomness (initial weights, drop-out) comes from torch's generator, seeded
once per fit.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

torch.set_num_threads(1)


def descend(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    logits_of: Callable[[np.ndarray], Tensor],
    label_N: np.ndarray,
    rows_T: np.ndarray,
    weight_N: np.ndarray | None,
    batch: int,
    offset_NC: np.ndarray | None = None,
) -> None:
    """Visit `rows_T` in its order, `batch` rows a step, and leave `network` in eval mode.

    `logits_of(rows_B)` gives (B, C). `offset_NC` is added to the logits while training and not afterwards.
    """
    steps = -(-len(rows_T) // batch)
    slope = [group["lr"] for group in optimizer.param_groups]
    network.train()
    for step in range(steps):
        for group, lr in zip(optimizer.param_groups, slope, strict=True):
            group["lr"] = lr * (1 - step / steps)
        rows_B = rows_T[step * batch : (step + 1) * batch]
        logits_BC = logits_of(rows_B)
        if offset_NC is not None:
            logits_BC = logits_BC + torch.from_numpy(offset_NC[rows_B])
        loss_B = cross_entropy(logits_BC, torch.from_numpy(label_N[rows_B]), reduction="none")
        weight_B = (
            torch.ones(len(rows_B))
            if weight_N is None
            else torch.from_numpy(weight_N[rows_B].astype(np.float32))
        )
        optimizer.zero_grad(set_to_none=True)
        ((weight_B * loss_B).sum() / weight_B.sum()).backward()
        optimizer.step()
    network.eval()


@torch.no_grad()
def scores(
    logits_of: Callable[[np.ndarray], Tensor], rows_M: np.ndarray, label_M: np.ndarray, batch: int = 2048
) -> tuple[np.ndarray, np.ndarray]:
    """(log p of the rows' labels, the label of highest p), float64 and int64 of shape (M,)."""
    own, best, batch = [], [], 2048
    for i in range(0, len(rows_M), batch):
        log_p_BC = torch.log_softmax(logits_of(rows_M[i : i + batch]), dim=1)
        own.append(
            log_p_BC[torch.arange(len(log_p_BC)), torch.from_numpy(label_M[i : i + batch])].double().numpy()
        )
        best.append(log_p_BC.argmax(dim=1).numpy())
    return np.concatenate(own), np.concatenate(best)


def log_prior(
    label_N: np.ndarray, rows_T: np.ndarray, weight_N: np.ndarray | None, classes: int
) -> np.ndarray:
    """Log of the smoothed, weighted label frequencies of the rows visited, (C,): training starts from
    popularity.
    """
    rows_N = np.unique(rows_T)
    counts_C = 0.5 + np.bincount(
        label_N[rows_N], None if weight_N is None else weight_N[rows_N], minlength=classes
    )
    return np.log(counts_C / counts_C.sum())
