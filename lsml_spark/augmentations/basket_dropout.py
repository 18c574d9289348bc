"""Basket drop-out: forget some of the items that are already in the basket; what comes next stays the label.

The basket's counterpart of word drop-out for text (Iyyer et al. 2015): the model sees smaller baskets than
were bought and cannot lean on one frequent companion.
"""

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.augmentations.augmentation import Augmentation
from lsml_spark.core.seeds import uniforms


class BasketDropout(Augmentation):
    """A share `rows` of the samples loses each item of the list `column` with probability `items`."""

    column: str  # a list
    rows: float = Field(0.5, ge=0.0, le=1.0)  # share of the samples
    items: float = Field(0.3, ge=0.0, lt=1.0)  # chance of each item

    def problem(self, schema: pa.Schema) -> str | None:
        if self.column not in schema.names:
            return f"column: there is no column '{self.column}' (found: {', '.join(schema.names)})"
        if not pa.types.is_list(schema.field(self.column).type):
            return f"column: '{self.column}' holds no lists but {schema.field(self.column).type}"
        return None

    def apply(self, samples: pa.RecordBatch, row_seeds_N: np.ndarray) -> pa.RecordBatch:
        lists = samples.column(self.column)
        lengths = np.diff(lists.offsets.to_numpy())
        lengths[lists.is_null().to_numpy(zero_copy_only=False)] = 0
        touched = uniforms(row_seeds_N, np.zeros(len(lists), dtype=np.uint64)) < self.rows
        sample_of = np.repeat(np.arange(len(lists)), lengths)
        position = np.arange(len(sample_of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        drop = touched[sample_of] & (uniforms(row_seeds_N[sample_of], position + 1) < self.items)
        kept = np.bincount(sample_of[~drop], minlength=len(lists))
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
        values = lists.flatten().filter(pa.array(~drop))
        thinned = pa.ListArray.from_arrays(offsets, values, type=lists.type, mask=lists.is_null())
        index = samples.schema.get_field_index(self.column)
        return samples.set_column(index, samples.schema.field(index), thinned)
