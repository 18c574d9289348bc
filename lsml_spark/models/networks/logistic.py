"""The network of `logistic`. Shapes: B rows, T list items of the batch end to end, V known labels, K values
of a column.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lsml_spark.core.config import digest
from lsml_spark.models.model import vocabulary_of
from lsml_spark.models.network import Features, Network, numbers
from lsml_spark.models.networks.blocks import key
from lsml_spark.transforms.schema import Schema


class LogisticNetwork(Network):
    """See `Logistic`. logits = Σ weights of the row's values + Σ slopes · numbers + prior + bias.

    A table has a column per label; a warm start moves its rows and its columns by value. The name of the
    tables carries a hash of the labels in their order, so that weights are never read under labels in another
    order.
    """

    def __init__(self, schema: Schema):
        super().__init__()
        schema = schema.without_tensors("logistic")
        encoders, ragged, scalar, label = schema.encoders, schema.lists, schema.ids, schema.label
        self.lists, self.categories = list(ragged), list(scalar)
        self.schema = schema
        self.tables = _tables_of(encoders, label)
        tables = {key(name): _zeros(size + 1, schema.width) for name, size in (ragged | scalar).items()}
        self.add_module(self.tables, nn.ParameterDict(tables))
        self.add_bias(schema)
        self.numbers = schema.numbers
        self.slopes = nn.ParameterDict(
            {key(name): _zeros(len(self.bias), width) for name, width in self.numbers.items()}
        )

        self.lookups = frozenset(f"{self.tables}.{key(name)}" for name in ragged | scalar)
        if label is not None:
            self.rows_of |= {f"slopes.{key(name)}": label for name in self.numbers}
            self.columns_of = dict.fromkeys(self.lookups, vocabulary_of(encoders, label))
        self.rows_of |= {
            f"{self.tables}.{key(name)}": vocabulary_of(encoders, name) for name in ragged | scalar
        }

    def names_in(self, encoders: Mapping[str, Any]) -> Mapping[str, str]:
        return {
            name: name.replace(self.tables, _tables_of(encoders, self.schema.label), 1)
            for name in self.lookups
        }

    def forward(self, features: Features) -> Tensor:
        logits_BV = self.start
        for name in self.lists:
            values_T, offsets = features[name]
            table, sparse = self._table(name)
            bag_BV = nn.functional.embedding_bag(
                values_T, table, offsets, mode="sum", include_last_offset=True, sparse=sparse
            )
            logits_BV = logits_BV + bag_BV
        for name in self.categories:
            ids_B: Any = features[name]
            table, sparse = self._table(name)
            logits_BV = logits_BV + nn.functional.embedding(ids_B, table, sparse=sparse)
        for name, x_BK in zip(self.numbers, numbers(features, self.numbers, self.bias), strict=True):
            logits_BV = logits_BV + x_BK @ self.slopes[key(name)][self.unknown :].T
        return logits_BV

    def _table(self, name: str) -> tuple[Tensor, bool]:
        full = f"{self.tables}.{key(name)}"
        return self.get_parameter(full), full in self.sparse


def _tables_of(encoders: Mapping[str, Any], label: str | None) -> str:
    if label is None:
        return "weight"
    labels = encoders["columns"][vocabulary_of(encoders, label)]["values"]
    return f"weight_{digest(labels)[:12]}"


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))
