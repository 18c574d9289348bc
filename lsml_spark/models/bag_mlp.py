"""Embedding bag + MLP: the plain, strong start for "given this list and these categories, which label?"."""

from typing import Any, Literal

from pydantic import Field

from lsml_spark.models.model import Model
from lsml_spark.transforms.schema import Schema


class BagMlp(Model):
    """Averages of item embeddings, beside category embeddings, through an MLP to a softmax over the known
    labels.

    A list is averaged `bags` times, each with weights of its own over the distance from the list's end
    (learned, so order counts where it carries information). The softmax shares the label's embeddings, and
    the averages also reach it directly, past the MLP: that path alone is matrix-factorised co-occurrence.
    """

    dim: int = Field(64, ge=1)  # width of item and label embeddings
    category_dim: int = Field(8, ge=1)  # width of the embeddings of categories
    hidden: tuple[int, ...] = (128,)  # widths of the hidden layers
    activation: Literal["relu", "gelu"] = "relu"  # of the hidden layers
    dropout: float = Field(0.2, ge=0.0, lt=1.0)  # share of the hidden units
    bags: int = Field(2, ge=1)  # averages of each list
    # distances from the end with a weight of their own; farther ones share the last
    span: int = Field(16, ge=1)
    init: float = Field(0.15, gt=0.0)  # standard deviation of fresh embeddings

    def build(self, schema: Schema) -> Any:
        from lsml_spark.models.networks.bag_mlp import BagMlpNetwork

        return BagMlpNetwork(schema, **self.model_dump(exclude={"use"}))
