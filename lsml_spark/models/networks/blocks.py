"""From any mix of features to what a backbone wants: a vector, a sequence or an image a row.

Shapes: B rows, T list items of the batch end to end, P positions of the longest list, D width of an
embedding.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lsml_spark.models.model import vocabulary_of
from lsml_spark.models.network import Features, numbers
from lsml_spark.transforms.schema import Schema

Activation = Literal["relu", "gelu", "silu", "tanh"]
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class ToVector(nn.Module):
    """(B, width): an embedding for ids, the mean of embeddings for lists of ids (zeros for an empty one),
    numbers as they are, tensors flattened. Columns that share a vocabulary (`like`) share its embeddings."""

    def __init__(self, schema: Schema, dim: int, std: float = 0.1):
        super().__init__()
        ids = schema.lists | schema.ids
        self.lists, self.ids, self.numbers = list(schema.lists), list(schema.ids), schema.numbers
        self.tensors = schema.tensors
        self.vocabulary = {name: vocabulary_of(schema.encoders, name) for name in ids}
        sizes = {self.vocabulary[name]: size for name, size in ids.items()}
        self.tables = nn.ModuleDict({key(name): embedding(size, dim, std) for name, size in sizes.items()})
        tensors = sum(int(torch.Size(shape).numel()) for shape in self.tensors.values())
        self.width = len(ids) * dim + sum(self.numbers.values()) + tensors

    def rows_of(self, prefix: str) -> dict[str, str]:
        """For `Network.rows_of`, of a network that holds it under this name."""
        return {
            f"{prefix}.tables.{key(name)}.weight": name for name in dict.fromkeys(self.vocabulary.values())
        }

    def forward(self, features: Features, like: Tensor) -> Tensor:
        """Of the dtype of `like`."""
        parts: list[Tensor] = []
        for name in self.lists:
            values_T, offsets = features[name]
            table: Any = self.tables[key(self.vocabulary[name])]
            parts.append(mean_of_lists(table(values_T), offsets))
        parts += [self.tables[key(self.vocabulary[name])](features[name]) for name in self.ids]
        parts += numbers(features, self.numbers, like)
        parts += [image(features[name], like).flatten(1) for name in self.tensors]
        return torch.cat(parts, dim=1)


class ToSequence(nn.Module):
    """((B, P, D), there (B, P)): the embeddings of one list column, in order, and which positions hold an
    item.
    """

    def __init__(self, schema: Schema, column: str, dim: int, longest: int, std: float = 0.1):
        super().__init__()
        self.column, self.longest = column, longest
        self.vocabulary = vocabulary_of(schema.encoders, column)
        self.table = embedding(schema.lists[column], dim, std)

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        values_T, offsets = features[self.column]
        lengths_B = offsets.diff()
        positions_P = torch.arange(
            min(self.longest, max(int(lengths_B.max()) if len(lengths_B) else 0, 1)), device=offsets.device
        )
        there_BP = positions_P < lengths_B[:, None]
        place_BP = (offsets[:-1, None] + positions_P).clamp(max=max(len(values_T) - 1, 0))
        ids_BP = torch.where(there_BP, values_T[place_BP] if len(values_T) else place_BP * 0, 0)
        return self.table(ids_BP) * there_BP[:, :, None], there_BP


def image(features: Any, like: Tensor) -> Tensor:
    """A tensor column (B, *shape) as floats of the dtype of `like`: bytes from 0 to 1, other numbers as they
    are.
    """
    return features.to(like.dtype) / 255 if features.dtype == torch.uint8 else features.to(like.dtype)


def mean_of_lists(items_TD: Tensor, offsets: Tensor) -> Tensor:
    """(B, D): the mean of each list's rows; zeros for an empty one."""
    lengths_B = offsets.diff()
    row_T = torch.repeat_interleave(torch.arange(len(lengths_B), device=offsets.device), lengths_B)
    sums_BD = items_TD.new_zeros(len(lengths_B), items_TD.shape[1]).index_add(0, row_T, items_TD)
    return sums_BD / lengths_B.clamp(min=1)[:, None].to(items_TD.dtype)


class Residual(nn.Module):
    """x + block(x)."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.block(x)
        return out


def layers(
    widths: Sequence[int],
    activation: Activation = "relu",
    norm: Literal["none", "batch", "layer"] = "none",
    dropout: float = 0.0,
    residual: bool = False,
) -> nn.Sequential:
    """Linear, norm, activation, drop-out from width to width. `residual`: where two widths are equal the
    layer adds to its input.
    """
    norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    made: list[nn.Module] = []
    for i in range(len(widths) - 1):
        parts: list[nn.Module] = [nn.Linear(widths[i], widths[i + 1])]
        if norm != "none":
            parts.append(norms[norm](widths[i + 1]))
        parts += [ACTIVATIONS[activation](), *([nn.Dropout(dropout)] if dropout else [])]
        block = nn.Sequential(*parts)
        made.append(Residual(block) if residual and widths[i] == widths[i + 1] else block)
    return nn.Sequential(*made)


def key(column: str) -> str:
    """A column's name as torch allows it: no dots, and no clash with a module's own attributes such as
    `type`.
    """
    return f"[{column}]".replace(".", "_")


def embedding(size: int, dim: int, std: float) -> nn.Embedding:
    """size + 1 rows; row 0, "unknown", starts at zero so that an item never seen adds nothing."""
    made = nn.Embedding(size + 1, dim)
    with torch.no_grad():
        made.weight.normal_(std=std)
        made.weight[0] = 0.0
    return made
