"""WebDataset: tar shards, a file per field of a row, read by its WebLoader."""

from pathlib import Path

import numpy as np

from loading.shapes import BATCH, Rows, decoded, padded

REQUIREMENTS = ["webdataset==1.0.2", "torch==2.13.0", "numpy", "pillow"]
ENDINGS = {"jpeg": "jpg", "strings": "txt"}  # of what is no array


def write(folder: Path, rows: Rows) -> None:
    import webdataset as wds

    ending = ENDINGS.get(rows.shape, "npy")
    with wds.ShardWriter(str(folder / "part-%05d.tar"), maxcount=-(-len(rows) // 8), verbose=0) as writer:
        for i in range(len(rows)):
            fields = {f"{name}.{ending}": values[i] for name, values in rows.fields.items()}
            writer.write({"__key__": f"{i:08d}", **fields, "label.cls": int(rows.label[i])})


def collate(samples: list) -> dict:
    import torch

    batch = {}
    for name in (name for name in samples[0] if not name.startswith("__")):
        values = [sample[name] for sample in samples]
        if name.startswith("tokens"):
            values = padded(values)
        column = name.split(".")[0]
        batch[column] = values if isinstance(values[0], str) else torch.from_numpy(np.stack(values))
    return batch


def reader(buffer: int):
    def open_(folder: Path, shape: str):
        import webdataset as wds

        paths = [str(path) for path in sorted(folder.glob("*.tar"))]
        data = wds.WebDataset(paths, shardshuffle=len(paths) if buffer else False)
        data = data.shuffle(buffer) if buffer else data
        data = data.decode(wds.handle_extension("jpg", decoded)).batched(BATCH, collation_fn=collate)
        return wds.WebLoader(data, batch_size=None, num_workers=2)

    return open_


READERS = {"WebDataset, shuffled": reader(10_000), "WebDataset": reader(0)}
