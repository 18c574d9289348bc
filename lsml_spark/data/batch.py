"""Rows as flat arrays: scalars are one array per column, lists are values and offsets (no Python object per
row).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Ragged:
    """N lists end to end: list i is values_T[offsets_N1[i] : offsets_N1[i + 1]]; offsets are int64 and start
    at 0.
    """

    values_T: np.ndarray
    offsets_N1: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets_N1) - 1

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> "Ragged":
        """Of Python's lists, as int64."""
        return cls(
            np.array(list(chain.from_iterable(lists)), np.int64),
            _offsets(np.array([len(one) for one in lists], np.int64)),
        )


Column = np.ndarray | Ragged


@dataclass(frozen=True)
class Batch:
    """Rows ready for a step. `scalars`, `tensors`, `ragged` and `texts` hold the features by column name.

    Scalars that lie packed in a record are strided views of it; the record is also there whole.
    """

    label: np.ndarray  # (B,) ids; 0 is "unknown"
    weight: np.ndarray  # (B,) importance weights
    scalars: Mapping[str, np.ndarray]  # each (B,)
    ragged: Mapping[str, Ragged]
    sample_ids: np.ndarray | None = None  # (B,) objects; read only when asked for
    # (B,) added to the logit of the row's own label while training; where the shards have it
    offset: np.ndarray | None = None
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)  # each (B, *shape)
    records: Mapping[str, np.ndarray] = field(default_factory=dict)  # each (B, columns), one dtype
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)  # (B,) objects: str or bytes

    def __len__(self) -> int:
        return len(self.label)


def take(column: Column, rows_B: np.ndarray) -> Column:
    """The chosen rows in the given order; lists are gathered without a loop over rows."""
    if not isinstance(column, Ragged):
        return column[rows_B]
    starts_B = column.offsets_N1[rows_B]
    lengths_B = column.offsets_N1[rows_B + 1] - starts_B
    offsets = _offsets(lengths_B)
    within_T = np.arange(offsets[-1]) + np.repeat(starts_B - offsets[:-1], lengths_B)
    return Ragged(column.values_T[within_T], offsets)


def span(column: Column, start: int, stop: int) -> Column:
    """Rows [start, stop) as a view."""
    if not isinstance(column, Ragged):
        return column[start:stop]
    first, last = column.offsets_N1[start], column.offsets_N1[stop]
    return Ragged(column.values_T[first:last], column.offsets_N1[start : stop + 1] - first)


def concat(columns: Sequence[Column]) -> Column:
    """Columns of the same kind one after the other."""
    if len(columns) == 1:
        return columns[0]
    if isinstance(columns[0], Ragged):
        lengths = np.concatenate([np.diff(column.offsets_N1) for column in columns])  # type: ignore[union-attr]
        return Ragged(np.concatenate([column.values_T for column in columns]), _offsets(lengths))  # type: ignore[union-attr]
    return np.concatenate(columns)  # type: ignore[arg-type]


def padded(lists: Ragged, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists as (B, length), cut or with 0 after their end, and how many values of each were kept, (B,)
    int64.
    """
    lengths_B = np.minimum(np.diff(lists.offsets_N1), length)
    there_BP = np.arange(length) < lengths_B[:, None]
    out_BP = np.zeros((len(lists), length), lists.values_T.dtype)
    if lengths_B.sum() == len(lists.values_T):
        out_BP[there_BP] = lists.values_T
    else:
        out_BP[there_BP] = lists.values_T[(lists.offsets_N1[:-1, None] + np.arange(length))[there_BP]]
    return out_BP, lengths_B


def _offsets(lengths_N: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths_N, dtype=np.int64)])


def of_arrow(
    rows: pa.RecordBatch, features: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, Ragged], dict[str, np.ndarray]]:
    """(scalars, ragged, tensors) of encoded columns as `transforms.encode.encode` gives them."""
    scalars, ragged, tensors = {}, {}, {}
    for name in features:
        column = rows.column(name)
        if pa.types.is_list(column.type):
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
            ragged[name] = Ragged(column.flatten().to_numpy(zero_copy_only=False), _offsets(lengths))
        elif isinstance(column.type, pa.FixedShapeTensorType):
            tensors[name] = column.storage.flatten().to_numpy().reshape(len(column), *column.type.shape)
        else:
            scalars[name] = column.to_numpy(zero_copy_only=False)
    return scalars, ragged, tensors
