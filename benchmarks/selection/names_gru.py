"""First names → sex with a character GRU: the same rows as selection/names.py, read letter by letter."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lsml_spark.core import seeds
from selection.names import NamesTask

LETTERS = 28  # padding, an end, a … z
LENGTH = 16

torch.set_num_threads(1)


class Letters(nn.Module):
    """Embedding → GRU → logit, from the state after the last letter; shorter names are padded on the left."""

    def __init__(self, dim: int = 24, hidden: int = 48):
        super().__init__()
        self.embedding = nn.Embedding(LETTERS, dim, padding_idx=0)
        self.gru = nn.GRU(dim, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, letters_DT: Tensor) -> Tensor:
        longest = int((letters_DT > 0).sum(dim=1).max())
        states_DTH, _ = self.gru(self.embedding(letters_DT[:, LENGTH - longest :]))
        return self.head(states_DTH[:, -1]).squeeze(1)


class Gru(NamesTask):
    """Adam; the rows of a batch are merged by name before the network runs."""

    letters_KT: Tensor

    def encode(self, names: Sequence[str]) -> None:
        letters_KT = np.zeros((len(names), LENGTH), np.int64)
        for row_T, name in zip(letters_KT, names, strict=True):
            codes = [ord(letter) - ord("a") + 2 for letter in name.lower()][: LENGTH - 1] + [1]
            row_T[LENGTH - len(codes) :] = codes
        self.letters_KT = torch.from_numpy(letters_KT)

    @torch.no_grad()
    def scores(self, model: Letters, keys_B: np.ndarray) -> np.ndarray:
        names_D, name_B = np.unique(keys_B, return_inverse=True)
        parts = [model(self.letters_KT[names_D[i : i + 4096]]) for i in range(0, len(names_D), 4096)]
        return torch.cat(parts).double().numpy()[name_B]

    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> Letters:
        return self.descend(rows_T, weight_N, None, lr, seed)

    def fit_offset(self, rows_T: np.ndarray, offset_N: np.ndarray, lr: float, seed: int) -> Letters:
        return self.descend(rows_T, None, offset_N, lr, seed)

    def descend(
        self,
        rows_T: np.ndarray,
        weight_N: np.ndarray | None,
        offset_N: np.ndarray | None,
        lr: float,
        seed: int,
    ) -> Letters:
        """`seed` draws the first weights."""
        torch.manual_seed(seeds.derive(seed, "model") & 0x7FFFFFFF)
        model = Letters()
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        steps = -(-len(rows_T) // self.batch)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - step / steps)
            rows_B = rows_T[step * self.batch : (step + 1) * self.batch]
            names_D, name_B = np.unique(self.key_N[rows_B], return_inverse=True)
            logit_B = model(self.letters_KT[names_D])[torch.from_numpy(name_B)]
            label_B = torch.from_numpy(self.label_N[rows_B]).float()
            if offset_N is not None:
                logit_B = logit_B + (2 * label_B - 1) * torch.from_numpy(offset_N[rows_B]).float()
            weight_B = (
                torch.ones(len(rows_B)) if weight_N is None else torch.from_numpy(weight_N[rows_B]).float()
            )
            loss_B = binary_cross_entropy_with_logits(logit_B, label_B, reduction="none")
            optimizer.zero_grad(set_to_none=True)
            ((weight_B * loss_B).sum() / weight_B.sum()).backward()
            optimizer.step()
        return model
