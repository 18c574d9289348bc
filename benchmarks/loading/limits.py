"""What no reader can pass: pyarrow reading the same columns and giving them away, memory copied, and a
TensorDataset in memory.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from loading import ours
from loading.shapes import BATCH, Rows

REQUIREMENTS: list[str] = []


def write(folder: Path, rows: Rows) -> None:
    ours.write(folder, rows)
    if all(isinstance(values, np.ndarray) for values in rows.fields.values()):
        np.savez(folder / "memory.npz", **rows.fields, label=rows.label)


class Epochs:
    """An epoch each time it is iterated."""

    def __init__(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return self.epoch()


def pyarrow_read(folder: Path, shape: str) -> Epochs:
    """Row groups of the shards decoded by pyarrow and forgotten: no shuffle, no batch, no tensor."""

    def epoch():
        for path in sorted((folder / "train").glob("*.parquet")):
            with pq.ParquetFile(path, memory_map=True) as file:
                for group in range(file.num_row_groups):
                    yield {"label": file.read_row_group(group).column("label").to_numpy()}

    return Epochs(epoch)


def in_memory(folder: Path) -> dict[str, np.ndarray]:
    path = folder / "memory.npz"
    if not path.exists():
        raise NotImplementedError("rows of unequal length are no TensorDataset")
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def memory_copy(folder: Path, shape: str) -> Epochs:
    """Batches of consecutive rows copied from memory."""
    arrays = in_memory(folder)

    def epoch():
        for start in range(0, len(arrays["label"]), BATCH):
            yield {name: array[start : start + BATCH].copy() for name, array in arrays.items()}

    return Epochs(epoch)


def tensor_dataset(folder: Path, shape: str) -> Epochs:
    """The fast way to read a TensorDataset: a permuted index, whole batches by it."""
    import torch
    from torch.utils.data import TensorDataset

    arrays = in_memory(folder)
    names, data = list(arrays), TensorDataset(*(torch.from_numpy(array) for array in arrays.values()))

    def epoch():
        order = torch.randperm(len(data))
        for start in range(0, len(data), BATCH):
            yield dict(zip(names, data[order[start : start + BATCH]], strict=True))

    return Epochs(epoch)


def tensor_dataset_loader(folder: Path, shape: str):
    """As most people write it: DataLoader(dataset, batch_size, shuffle=True)."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(*(torch.from_numpy(array) for array in in_memory(folder).values()))
    return DataLoader(data, batch_size=BATCH, shuffle=True)


READERS = {
    "limit: pyarrow read": pyarrow_read,
    "limit: memory copy": memory_copy,
    "TensorDataset, permuted index": tensor_dataset,
    "TensorDataset, DataLoader": tensor_dataset_loader,
}
