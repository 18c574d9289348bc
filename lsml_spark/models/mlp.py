"""A multi-layer perceptron on any mix of features."""

from typing import Any, Literal

from pydantic import Field

from lsml_spark.models.model import Model
from lsml_spark.transforms.schema import Schema


class Mlp(Model):
    """Embeddings of ids, means of embeddings of lists, numbers and flattened tensors, side by side through
    layers to the outputs.

    `residual`: a layer whose width is that of the one before adds to it. With no `hidden` layers it is linear
    in the embeddings.
    """

    dim: int = Field(16, ge=1)  # width of an embedding
    hidden: tuple[int, ...] = (128, 128)  # widths of the hidden layers
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"  # of the hidden layers
    norm: Literal["none", "batch", "layer"] = "none"  # before each activation
    dropout: float = Field(0.0, ge=0.0, lt=1.0)  # share of the hidden units
    residual: bool = False

    def build(self, schema: Schema) -> Any:
        from lsml_spark.models.networks.mlp import MlpNetwork

        return MlpNetwork(schema, **self.model_dump(exclude={"use"}))
