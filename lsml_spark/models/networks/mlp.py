"""The network of `mlp`. Shapes: B rows, W outputs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lsml_spark.models.network import Features, Network
from lsml_spark.models.networks.blocks import Activation, ToVector, layers
from lsml_spark.transforms.schema import Schema


class MlpNetwork(Network):
    """See `Mlp`. outputs = head(layers(features)) + prior + bias."""

    def __init__(
        self,
        schema: Schema,
        *,
        dim: int,
        hidden: Sequence[int],
        activation: Activation,
        norm: str,
        dropout: float,
        residual: bool,
    ):
        super().__init__()
        self.inputs = ToVector(schema, dim)
        widths = [self.inputs.width, *hidden]
        self.layers = layers(widths, activation, norm, dropout, residual)  # type: ignore[arg-type]
        # A row for "unknown" where the outputs are a label's, so that a warm start moves all of them by
        # value.
        self.head = nn.Parameter(torch.empty(schema.width + int(schema.label is not None), widths[-1]))
        nn.init.normal_(self.head, std=1e-2 / max(widths[-1], 1) ** 0.5)
        self.add_bias(schema)
        self.rows_of |= self.inputs.rows_of("inputs")
        if schema.label is not None:
            self.rows_of |= {"head": schema.label}
        self.lookups = frozenset(self.inputs.rows_of("inputs"))

    def forward(self, features: Features) -> Tensor:
        hidden_BD = self.layers(self.inputs(features, self.bias))
        return torch.addmm(self.start, hidden_BD, self.head[self.unknown :].T)
