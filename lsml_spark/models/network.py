"""The contract of a network: features in, the outputs that its task asks for out; and how its weights move to
another vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lsml_spark.core.config import canonical
from lsml_spark.data.batch import Batch, Column, Ragged
from lsml_spark.transforms.schema import Schema

# Ids are a tensor (B,) int64, numbers one of (B,) or (B, K) floats, a tensor one of (B, *shape) in its own
# dtype; a list of ids is (values (T,), offsets (B + 1,)).
Features = Mapping[str, Tensor | tuple[Tensor, Tensor]]
TOLD = ("of", "list", "collisions")  # of an encoder: what says nothing of its ids


class Network(nn.Module, ABC):
    """Base of the networks. Parameters and buffers that hold a row per id of a vocabulary are named in
    `rows_of`.
    """

    # parameter or buffer name → column of encoders.json whose ids index its first dimension (V + 1 rows, row
    # 0 is "unknown")
    rows_of: dict[str, str] = {}
    # parameter name → column whose known values, in their order, are its second dimension (V columns, for
    # there is no "unknown")
    columns_of: Mapping[str, str] = {}
    # buffers beside those of norms that its forward pass moves in training
    running: frozenset[str] = frozenset()
    uses_all = True  # whether every parameter takes part in every batch
    # parameters of which a batch only ever looks up rows, so that their gradients can be sparse; and those
    # where they are to be
    lookups: frozenset[str] = frozenset()
    sparse: frozenset[str] = frozenset()

    bias: nn.Parameter
    prior: Tensor

    @abstractmethod
    def forward(self, features: Features) -> Tensor:
        """Outputs (B, W), as many as the schema says; where they are logits of labels, column j is id j + 1
        and "unknown" has none.
        """

    def tensor_plan(self) -> dict[str, str]:
        """Modules that ranks may compute together, by name: `colwise` or `rowwise` a Linear, `dropout` one on
        a colwise one's columns.
        """
        return {}

    def add_bias(self, schema: Schema) -> None:
        """`bias`, trained, and `prior`, which each night sets from its own rows, so that the weights learn
        what differs from it.

        Where the outputs are those of a label's values, both begin with a row for "unknown", as all that is
        indexed by its ids.
        """
        self.unknown = int(schema.label is not None)
        self.bias = nn.Parameter(torch.zeros(schema.width + self.unknown))
        self.register_buffer("prior", torch.zeros(schema.width + self.unknown))
        if schema.label is not None:
            self.rows_of = {**self.rows_of, "bias": schema.label, "prior": schema.label}

    @property
    def start(self) -> Tensor:
        """Outputs (W,) of a row that says nothing."""
        return (self.prior + self.bias)[self.unknown :]

    def set_prior(self, start_W: Tensor) -> None:
        """Begin with these outputs, shape (W,); a network without a use for them ignores it."""
        if "prior" in self._buffers:
            self.prior[self.unknown :] = start_W.to(self.prior)

    def names_in(self, encoders: Mapping[str, Any]) -> Mapping[str, str]:
        """What a network of this kind with other encoders calls these parameters, where a name depends on
        them.
        """
        return {}

    def use_sparse(self, names: Iterable[str]) -> None:
        """From now on the gradients of these tables, some of `lookups`, are sparse; those of the others are
        dense.
        """
        self.sparse = frozenset(names)
        for name, module in self.named_modules():
            if isinstance(module, nn.Embedding):
                module.sparse = f"{name}.weight" in self.sparse


def tensors(batch: Batch, device: torch.device | str = "cpu") -> tuple[Features, Any, Tensor]:
    """(features, label, weight (B,) float64) of a batch on a device; ids become int64, which indexing wants.
    Numbers and tensors keep their dtype: a network that takes images knows what to do with bytes. The label
    is as `tasks.task.Truth` says."""

    def moved(array: Any, dtype: str | None = None) -> Tensor:
        return torch.from_numpy(array.astype(dtype or array.dtype)).to(device, non_blocking=True)

    def feature(array: Any) -> Tensor:
        return moved(array) if array.dtype.kind == "f" else moved(array, "int64")

    def target(column: Column) -> Any:
        if isinstance(column, Ragged):
            return moved(column.values_T, "int64"), moved(column.offsets_N1, "int64")
        return feature(column)

    features: dict[str, Tensor | tuple[Tensor, Tensor]] = {
        name: feature(array) for name, array in batch.scalars.items()
    }
    for name, ragged in batch.ragged.items():
        if ragged.values_T.dtype.kind == "f":  # numbers side by side, as many in every row
            features[name] = feature(ragged.values_T).reshape(len(ragged), -1 if len(ragged) else 0)
        else:
            features[name] = moved(ragged.values_T, "int64"), moved(ragged.offsets_N1, "int64")
    features |= {name: moved(array) for name, array in batch.tensors.items()}
    return features, target(batch.label), moved(batch.weight, "float64")


def numbers(features: Features, widths: Mapping[str, int], like: Tensor) -> list[Tensor]:
    """The features of these names, each (B, its width), of the dtype of `like`."""
    columns = {name: features[name] for name in widths}
    return [
        one.to(like.dtype).reshape(len(one), widths[name])
        for name, one in columns.items()
        if isinstance(one, Tensor)
    ]


@torch.no_grad()
def transplant(
    network: Network,
    encoders: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    old_encoders: Mapping[str, Any],
) -> bool:
    """Warm start: copy `weights`, fitted with `old_encoders`, into a fresh network for `encoders`.

    Rows and columns that belong to a value are moved by the value, whatever its id is now; values that are
    new keep what is fresh, values that are gone are forgotten. Buffers move as parameters do, but for the
    prior, which stays as tonight set it. Returns False, with nothing changed, where the architecture is
    another one.
    """
    buffers = {name: buffer for name, buffer in network.named_buffers() if name != "prior"}
    parameters, renamed = dict(network.named_parameters()) | buffers, network.names_in(old_encoders)
    theirs = {name: weights.get(renamed.get(name, name)) for name in parameters}
    if not all(_fits(network, name, parameter, theirs[name]) for name, parameter in parameters.items()):
        return False
    for name, parameter in parameters.items():
        old = theirs[name]
        assert old is not None
        old = old.to(parameter)
        if name not in network.rows_of:
            parameter.copy_(old)
            continue
        new_ids, old_ids = (
            ids.to(parameter.device) for ids in _shared_ids(network.rows_of[name], encoders, old_encoders)
        )
        if name in network.columns_of:
            new_columns, old_columns = (
                ids[1:].to(parameter.device) - 1
                for ids in _shared_ids(network.columns_of[name], encoders, old_encoders)
            )
            parameter[new_ids[:, None], new_columns] = old[old_ids[:, None], old_columns]
        else:
            parameter[new_ids] = old[old_ids]
    return True


def _fits(network: Network, name: str, parameter: Tensor, old: Tensor | None) -> bool:
    skip = 2 if name in network.columns_of else 1 if name in network.rows_of else 0
    return old is not None and parameter.dim() == old.dim() and parameter.shape[skip:] == old.shape[skip:]


def _shared_ids(
    column: str, encoders: Mapping[str, Any], old_encoders: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    """Ids of "unknown" and of the values known to both, in the new and in the old numbering."""
    values, old_values = _values(encoders, column), _values(old_encoders, column)
    old_id = {value: i for i, value in enumerate(old_values, start=1)}
    pairs = [(0, 0)] + [(i, old_id[value]) for i, value in enumerate(values, start=1) if value in old_id]
    new_ids, old_ids = torch.tensor(pairs).T
    return new_ids, old_ids


def _values(encoders: Mapping[str, Any], column: str) -> list[Any]:
    """What the ids 1, 2, … of a column stand for. Those of buckets and hashes have no names: they are what
    they are under this very encoder."""
    encoder = encoders["columns"].get(column, {})
    if "values" in encoder or "size" not in encoder:
        return list(encoder.get("values", []))
    kind = canonical({key: value for key, value in encoder.items() if key not in TOLD})
    return [(kind, i) for i in range(encoder["size"])]
