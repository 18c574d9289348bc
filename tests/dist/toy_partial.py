"""Logistic regression with a table that only some batches use, and one that none does."""

from lsml_spark.models.model import Model


class ToyPartial(Model):
    def build(self, schema):
        import torch
        from torch import nn

        from lsml_spark.models.network import Network

        class ToyPartialNetwork(Network):
            rows_of = {}
            uses_all = False

            def __init__(self):
                super().__init__()
                labels = schema.width
                self.name, size = next(iter(schema.ids.items()))
                self.often, self.seldom, self.never = (nn.Embedding(size + 1, labels) for _ in range(3))
                self.bias = nn.Parameter(torch.zeros(labels))

            def forward(self, features):
                ids = features[self.name]
                logits = self.often(ids) + self.bias
                return logits + self.seldom(ids) if (ids == 2).sum() % 2 else logits

        return ToyPartialNetwork()
