"""MosaicML streaming: MDS shards, read by its StreamingDataset in a DataLoader."""

from pathlib import Path

import numpy as np

from loading.shapes import BATCH, Rows, decoded, padded

REQUIREMENTS = ["mosaicml-streaming==0.13.0", "torch==2.13.0", "pillow"]


def write(folder: Path, rows: Rows) -> None:
    from streaming import MDSWriter

    kinds = {"jpeg": "bytes", "strings": "str", "ragged": "ndarray:int32"}
    columns = {"label": "int32"}
    for name, values in rows.fields.items():
        columns[name] = kinds.get(rows.shape) or f"ndarray:{values.dtype}:{','.join(map(str, values.shape[1:]))}"
    with MDSWriter(out=str(folder), columns=columns) as writer:
        for i in range(len(rows)):
            writer.write({"label": rows.label[i], **{name: values[i] for name, values in rows.fields.items()}})


def collate(samples: list) -> dict:
    import torch

    batch = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        if isinstance(values[0], bytes):
            values = [decoded(raw) for raw in values]
        if name == "tokens":
            values = padded(values)
        batch[name] = values if isinstance(values[0], str) else torch.from_numpy(np.stack(values))
    return batch


def reader(shuffle: bool):
    def open_(folder: Path, shape: str):
        from streaming import StreamingDataset
        from torch.utils.data import DataLoader

        data = StreamingDataset(local=str(folder), batch_size=BATCH, shuffle=shuffle)
        return DataLoader(data, batch_size=BATCH, num_workers=2, collate_fn=collate, persistent_workers=True)

    return open_


READERS = {"MosaicML streaming, shuffled": reader(True), "MosaicML streaming": reader(False)}
