"""MosaicML streaming: MDS shards, read by its StreamingDataset in a DataLoader."""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from loading.shapes import BATCH, Rows, collate

REQUIREMENTS = ["mosaicml-streaming==0.13.0", "torch==2.13.0", "pillow"]


def streaming() -> ModuleType:
    """The package. It imports torchvision for data sets that are not used here; an empty one does where it
    was not built for this torch.
    """
    try:
        importlib.import_module("torchvision.datasets")
    except (ImportError, RuntimeError):
        for name in (
            "torchvision",
            "torchvision.datasets",
            "torchvision.transforms",
            "torchvision.transforms.functional",
        ):
            sys.modules[name] = module_from_spec(ModuleSpec(name, None))
        sys.modules["torchvision.datasets"].VisionDataset = object
        sys.modules["torchvision.transforms.functional"].to_tensor = None
    import streaming as package

    return package


def write(folder: Path, rows: Rows) -> None:
    kinds = {"jpeg": "bytes", "strings": "str", "ragged": "ndarray:int32"}
    columns = {"label": "int32"}
    for name, values in rows.fields.items():
        columns[name] = (
            kinds.get(rows.shape) or f"ndarray:{values.dtype}:{','.join(map(str, values.shape[1:]))}"
        )
    with streaming().MDSWriter(out=str(folder), columns=columns) as writer:
        for i in range(len(rows)):
            writer.write(
                {"label": rows.label[i], **{name: values[i] for name, values in rows.fields.items()}}
            )


def reader(shuffle: bool):
    def open_(folder: Path, shape: str):
        from torch.utils.data import DataLoader

        data = streaming().StreamingDataset(local=str(folder), batch_size=BATCH, shuffle=shuffle)
        return DataLoader(data, batch_size=BATCH, num_workers=2, collate_fn=collate, persistent_workers=True)

    return open_


READERS = {"MosaicML streaming, shuffled": reader(True), "MosaicML streaming": reader(False)}
