"""Hugging Face datasets: an Arrow folder (`save_to_disk`), as a map and as an iterable."""

from pathlib import Path

import numpy as np

from loading.shapes import BATCH, Rows, decoded, padded

REQUIREMENTS = ["datasets==5.2.0", "torch==2.13.0", "pillow"]


def write(folder: Path, rows: Rows) -> None:
    from datasets import Array2D, Dataset, Features, Sequence, Value

    kinds = {
        "images": Array2D((28, 28), "uint8"),
        "jpeg": Value("binary"),
        "strings": Value("string"),
        "ragged": Sequence(Value("int32")),
    }
    features, columns = {}, {}
    for name, values in rows.fields.items():
        dtype = str(values.dtype) if isinstance(values, np.ndarray) else None
        features[name] = kinds.get(rows.shape) or Sequence(Value(dtype), length=values.shape[1])
        columns[name] = list(values) if isinstance(values, np.ndarray) else values
    data = Dataset.from_dict(
        {**columns, "label": rows.label}, features=Features({**features, "label": Value("int32")})
    )
    data.save_to_disk(folder, num_shards=8)


def opened(folder: Path, shape: str):
    from datasets import load_from_disk

    return load_from_disk(folder).with_format(None if shape in ("strings", "jpeg", "ragged") else "torch")


def finished(shape: str):
    """What makes tensors of the columns that the torch format does not, for whole batches."""
    import torch

    def finish(batch: dict) -> dict:
        if shape == "jpeg":
            batch["image"] = torch.from_numpy(np.stack([decoded(raw) for raw in batch["image"]]))
        if shape == "ragged":
            batch["tokens"] = torch.from_numpy(padded(batch["tokens"]))
        return batch

    return finish


def by_index(folder: Path, shape: str):
    """Map style: whole batches by a permuted index."""
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler

    data, finish = opened(folder, shape), finished(shape)
    sampler = BatchSampler(RandomSampler(data), BATCH, drop_last=False)
    return DataLoader(
        data, sampler=sampler, batch_size=None, collate_fn=finish, num_workers=2, persistent_workers=True
    )


class Iterable:
    """Iterable style: buffer of rows, whole batches."""

    def __init__(self, folder: Path, shape: str, buffer: int):
        data = opened(folder, shape).to_iterable_dataset(num_shards=8)
        self.data, self.finish = (
            (data.shuffle(seed=0, buffer_size=buffer) if buffer else data),
            finished(shape),
        )

    def __iter__(self):
        return map(self.finish, self.data.iter(batch_size=BATCH))


READERS = {
    "datasets, permuted index": by_index,
    "datasets, iterable, shuffled": lambda folder, shape: Iterable(folder, shape, 10_000),
    "datasets, iterable": lambda folder, shape: Iterable(folder, shape, 0),
}
