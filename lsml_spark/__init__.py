"""lsml_spark: nightly training on the rows that matter."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsml_spark.data.dataset import make_torch_dataset as make_torch_dataset

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Spark's hosts have no torch: it is imported by whoever asks for the reader.
    if name == "make_torch_dataset":
        return importlib.import_module("lsml_spark.data.dataset").make_torch_dataset
    raise AttributeError(f"module 'lsml_spark' has no attribute '{name}'")
