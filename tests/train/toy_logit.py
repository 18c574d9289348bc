"""Logistic regression on one-hot categories: the model whose optimum scikit-learn knows too."""

from lsml_spark.models.model import Model, features_of, vocabulary_size


class ToyLogit(Model):
    def build(self, encoders):
        import torch
        from torch import nn

        from lsml_spark.models.network import Network

        class ToyLogitNetwork(Network):
            rows_of = {}

            def __init__(self):
                super().__init__()
                labels = vocabulary_size(encoders, encoders["label"])
                self.names = list(features_of(encoders)[1])
                self.tables = nn.ModuleList([nn.Embedding(size + 1, labels) for size in features_of(encoders)[1].values()])
                self.bias = nn.Parameter(torch.zeros(labels))
                for table in self.tables:
                    nn.init.zeros_(table.weight)

            def forward(self, features):
                return sum((table(features[name]) for name, table in zip(self.names, self.tables, strict=True)), self.bias)

        return ToyLogitNetwork()
