"""lsml_spark: nightly training on the rows that matter."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsml_spark.data.dataset import make_torch_dataset as make_torch_dataset
    from lsml_spark.data.options import ReadOptions as ReadOptions
    from lsml_spark.data.reader import make_reader as make_reader

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Spark's hosts have no torch, and its import takes longer than the first batch: only who asks for tensors
    # imports it.
    if module := {"make_torch_dataset": "dataset", "make_reader": "reader", "ReadOptions": "options"}.get(
        name
    ):
        return getattr(importlib.import_module(f"lsml_spark.data.{module}"), name)
    raise AttributeError(f"module 'lsml_spark' has no attribute '{name}'")
