"""The network of `bag_mlp`. Shapes: B rows, T list items of the batch end to end, D = dim, H = bags, V known
labels.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lsml_spark.models.model import vocabulary_of, vocabulary_size
from lsml_spark.models.network import Features, Network, numbers
from lsml_spark.models.networks.blocks import embedding, key
from lsml_spark.transforms.schema import Schema


class RecencyBag(nn.Module):
    """H weighted averages of each list's embeddings; the weight of an item depends on its distance from the
    list's end.

    Bag h starts with weights ∝ exp(-h · distance): bag 0 is the plain average, the last one nearly the last
    item alone. `gate` (H,) weighs the bags on their way past the MLP.
    """

    def __init__(self, bags: int, span: int):
        super().__init__()
        self.gate = nn.Parameter(torch.full((bags,), 1.0 / bags))
        self.log_weight = nn.Parameter(
            -torch.arange(bags)[:, None] * torch.arange(span, dtype=torch.get_default_dtype())
        )

    def forward(self, items_TD: Tensor, offsets: Tensor) -> tuple[list[Tensor], Tensor]:
        """H averages and their gated sum, each of shape (B, D); an empty list gives zeros."""
        lengths_B = offsets.diff()
        rows = len(lengths_B)
        row_T = torch.repeat_interleave(torch.arange(rows, device=offsets.device), lengths_B)
        distance_T = offsets[1:][row_T] - 1 - torch.arange(len(row_T), device=offsets.device)
        weight_HT = self.log_weight[:, distance_T.clamp(max=self.log_weight.shape[1] - 1)].exp()
        total_HB = weight_HT.new_zeros(len(self.log_weight), rows).index_add(1, row_T, weight_HT)
        share_HT = weight_HT / total_HB[:, row_T]
        zeros_BD = items_TD.new_zeros(rows, items_TD.shape[1])
        bags = [zeros_BD.index_add(0, row_T, items_TD * share_T[:, None]) for share_T in share_HT]
        return bags, sum((gate * bag_BD for gate, bag_BD in zip(self.gate, bags, strict=True)), zeros_BD)


class BagMlpNetwork(Network):
    """See `BagMlp`. outputs = (MLP(bags, categories, numbers) + gated bags) · label embeddings, or a head, +
    prior + bias.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        dim: int,
        category_dim: int,
        hidden: Sequence[int],
        activation: str,
        dropout: float,
        bags: int,
        span: int,
        init: float,
    ):
        super().__init__()
        schema = schema.without_tensors("bag_mlp")
        encoders, ragged, scalar, label = schema.encoders, schema.lists, schema.ids, schema.label
        self.label, self.lists, self.categories = label, list(ragged), list(scalar)
        self.vocabulary = {name: vocabulary_of(encoders, name) for name in ragged}

        # One embedding per vocabulary: a list that is `like` the label shares the label's, which the softmax
        # uses too.
        shared = dict.fromkeys([*([] if label is None else [label]), *self.vocabulary.values()])
        self.items = nn.ModuleDict(
            {key(name): embedding(vocabulary_size(encoders, name), dim, init) for name in shared}
        )
        self.category = nn.ModuleDict(
            {key(name): embedding(size, category_dim, init) for name, size in scalar.items()}
        )
        self.bags = nn.ModuleDict({key(name): RecencyBag(bags, span) for name in ragged})
        self.numbers = schema.numbers
        width = len(ragged) * bags * dim + len(scalar) * category_dim + sum(self.numbers.values())
        self.mlp = _mlp([width, *hidden, dim], activation, dropout)
        self.head = None if label is not None else nn.Linear(dim, schema.width, bias=False)
        self.add_bias(schema)

        self.rows_of |= {f"items.{key(name)}.weight": name for name in shared}
        self.rows_of |= {f"category.{key(name)}.weight": vocabulary_of(encoders, name) for name in scalar}
        # All tables but the label's, of which the softmax needs every row.
        self.lookups = frozenset(table for table in self.rows_of if table.startswith(("items.", "category.")))
        self.lookups -= {f"items.{key(str(label))}.weight"}

    def tensor_plan(self) -> dict[str, str]:
        """Pairs of linear layers: the columns of the first, then the rows of the second, so that each pair
        exchanges once (Megatron-LM).
        """
        linear = [int(name) for name, layer in self.mlp.named_children() if isinstance(layer, nn.Linear)]
        plan: dict[str, str] = {}
        for first, second in zip(linear[0::2], linear[1::2], strict=False):
            plan |= {f"mlp.{first}": "colwise", f"mlp.{second - 1}": "dropout", f"mlp.{second}": "rowwise"}
        return plan

    def forward(self, features: Features) -> Tensor:
        inputs: list[Tensor] = []
        past_BD: Tensor | float = 0.0
        for name in self.lists:
            values, offsets = features[name]
            bags, gated_BD = self.bags[key(name)](self.items[key(self.vocabulary[name])](values), offsets)
            inputs += bags
            past_BD = past_BD + gated_BD
        inputs += [self.category[key(name)](features[name]) for name in self.categories]
        inputs += numbers(features, self.numbers, self.bias)
        hidden_BD = self.mlp(torch.cat(inputs, dim=1)) + past_BD
        head = (
            self.head.weight
            if self.head is not None
            else self.get_parameter(f"items.{key(str(self.label))}.weight")[1:]
        )
        return torch.addmm(self.start, hidden_BD, head.T)


def _mlp(widths: Sequence[int], activation: str, dropout: float) -> nn.Sequential:
    """Linear layers from width to width, all but the last with activation and drop-out behind them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths[:-1]):
        layers += [
            nn.Linear(inputs, outputs),
            {"relu": nn.ReLU, "gelu": nn.GELU}[activation](),
            nn.Dropout(dropout),
        ]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))
