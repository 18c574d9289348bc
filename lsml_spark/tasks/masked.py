"""Learning without a label: an item of each list is hidden, and guessed from the rest of the row."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core import seeds
from lsml_spark.tasks.classify import Classify
from lsml_spark.tasks.task import Target, size_of
from lsml_spark.transforms.schema import Schema

MASK = (1 << 64) - 1


class Masked(Classify):
    """`target` is a list column and a feature too: in every step one item of each list, drawn anew, is taken
    out of what the network sees, and its id is the label. In the test rows the item is drawn once, by the
    sample's id. An empty list weighs nothing."""

    learns: ClassVar[Target] = "lists"

    def hides(self) -> frozenset[str]:
        return frozenset()

    def width(self, encoders: Mapping[str, Any]) -> int:
        return size_of(encoders, self.target, "masked", lists=True)

    def schema_of(self, encoders: Mapping[str, Any]) -> Schema:
        return Schema(encoders, self.width(encoders), self.target, self.hides())

    def start(self, mean: np.ndarray) -> np.ndarray:
        return np.log(mean / mean.sum())

    def view(self, columns: Mapping[str, Any], label: Any) -> tuple[Mapping[str, Any], Any]:
        import torch

        values_T, offsets = columns[self.target]
        lengths_B = offsets.diff()
        # From the host's generator, which every lane seeds by itself, so that a rank's device does not
        # matter.
        drawn_B = torch.rand(len(lengths_B)).to(offsets.device)
        there_B = lengths_B > 0
        place_B = offsets[:-1] + torch.minimum((drawn_B * lengths_B).long(), (lengths_B - 1).clamp(min=0))
        hidden_B = (
            torch.where(there_B, values_T[place_B.clamp(max=max(len(values_T) - 1, 0))], 0)
            if len(values_T)
            else lengths_B * 0
        )
        keep_T = torch.ones(len(values_T), dtype=torch.bool, device=offsets.device)
        keep_T[place_B[there_B]] = False
        left = torch.cat([offsets[:1], (lengths_B - there_B.long()).cumsum(0)])
        return {name: column for name, column in columns.items() if name != self.target} | {
            self.target: (values_T[keep_T], left),
        }, hidden_B

    def criterion(self, outputs: Any, truth: Any) -> tuple[Any, Any]:
        columns = {name: column for name, column in truth.columns.items() if name != self.target}
        return super().criterion(outputs, dataclasses.replace(truth, columns=columns))

    def samples(self, rows: pa.Table) -> pa.Table:
        """`label` is the hidden item as text, and the target lacks it; rows with an empty list have no
        label.
        """
        lists = rows[self.target].combine_chunks().cast(pa.list_(pa.string()))
        lengths_N = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        starts_N = np.cumsum(lengths_N) - lengths_N
        drawn_N = np.array(
            [seeds.derive(0, "masked", name) & MASK for name in rows["sample_id"].to_pylist()],
            dtype=np.uint64,
        )
        there_N = lengths_N > 0
        place_N = starts_N + (drawn_N % np.maximum(lengths_N, 1).astype(np.uint64)).astype(np.int64)
        items = lists.flatten()
        hidden = items.take(pa.array(place_N, mask=~there_N))
        keep_T = np.ones(len(items), bool)
        keep_T[place_N[there_N]] = False
        offsets = np.concatenate([[0], np.cumsum(lengths_N - there_N)]).astype(np.int32)
        left = pa.ListArray.from_arrays(pa.array(offsets), items.filter(pa.array(keep_T)))
        for name, column in ((self.target, left), ("label", hidden)):
            rows = rows.set_column(rows.column_names.index(name), name, column)
        return rows.filter(pa.array(there_N))
