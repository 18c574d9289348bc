"""Logistic regression on one-hot categories: the model whose optimum scikit-learn knows too."""

from lsml_spark.models.model import Model


class ToyLogit(Model):
    def build(self, schema):
        import torch
        from torch import nn

        from lsml_spark.models.network import Network

        class ToyLogitNetwork(Network):
            rows_of = {}

            def __init__(self):
                super().__init__()
                labels = schema.width
                self.names = list(schema.ids)
                self.tables = nn.ModuleList([nn.Embedding(size + 1, labels) for size in schema.ids.values()])
                self.bias = nn.Parameter(torch.zeros(labels))
                for table in self.tables:
                    nn.init.zeros_(table.weight)

            def forward(self, features):
                return sum(
                    (table(features[name]) for name, table in zip(self.names, self.tables, strict=True)),
                    self.bias,
                )

        return ToyLogitNetwork()
