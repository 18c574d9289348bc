"""LitData: chunks made by `optimize`, read by its StreamingDataLoader."""

from functools import partial
from pathlib import Path

from loading.shapes import BATCH, Rows, decoded, padded

REQUIREMENTS = ["litdata==0.2.76", "torch==2.13.0", "pillow"]


def sample(fields: dict, label, index: int) -> dict:
    return {**{name: values[index] for name, values in fields.items()}, "label": int(label[index])}


def write(folder: Path, rows: Rows) -> None:
    from litdata import optimize

    optimize(
        partial(sample, rows.fields, rows.label), inputs=list(range(len(rows))), output_dir=str(folder), chunk_bytes="64MB", num_workers=1
    )


def collate(samples: list) -> dict:
    import numpy as np
    import torch

    batch = {}
    for name in samples[0]:
        values = [one[name] for one in samples]
        if isinstance(values[0], bytes | memoryview):
            values = [decoded(raw) for raw in values]
        if name == "tokens":
            values = padded(values)
        batch[name] = values if isinstance(values[0], str) else torch.from_numpy(np.stack(values))
    return batch


def reader(shuffle: bool):
    def open_(folder: Path, shape: str):
        from litdata import StreamingDataLoader, StreamingDataset

        data = StreamingDataset(str(folder), shuffle=shuffle)
        return StreamingDataLoader(data, batch_size=BATCH, num_workers=2, collate_fn=collate)

    return open_


READERS = {"LitData, shuffled": reader(True), "LitData": reader(False)}
