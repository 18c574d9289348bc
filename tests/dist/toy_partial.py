"""Logistic regression with a table that only some batches use, and one that none does."""

from lsml_spark.models.model import Model, features_of, vocabulary_size


class ToyPartial(Model):
    def build(self, encoders):
        import torch
        from torch import nn

        from lsml_spark.models.network import Network

        class ToyPartialNetwork(Network):
            rows_of = {}
            uses_all = False

            def __init__(self):
                super().__init__()
                labels = vocabulary_size(encoders, encoders["label"])
                self.name, size = next(iter(features_of(encoders)[1].items()))
                self.often, self.seldom, self.never = (nn.Embedding(size + 1, labels) for _ in range(3))
                self.bias = nn.Parameter(torch.zeros(labels))

            def forward(self, features):
                ids = features[self.name]
                logits = self.often(ids) + self.bias
                return logits + self.seldom(ids) if (ids == 2).sum() % 2 else logits

        return ToyPartialNetwork()
