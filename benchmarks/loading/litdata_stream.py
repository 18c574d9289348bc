"""LitData: chunks made by `optimize`, read by its StreamingDataLoader."""

from functools import partial
from pathlib import Path

from loading.shapes import BATCH, Rows, collate

REQUIREMENTS = ["litdata==0.2.76", "torch==2.13.0", "pillow"]


def sample(fields: dict, label, index: int) -> dict:
    return {**{name: values[index] for name, values in fields.items()}, "label": int(label[index])}


def write(folder: Path, rows: Rows) -> None:
    from litdata import optimize

    optimize(
        partial(sample, rows.fields, rows.label),
        inputs=list(range(len(rows))),
        output_dir=str(folder),
        chunk_bytes="64MB",
        num_workers=1,
    )


def reader(shuffle: bool):
    def open_(folder: Path, shape: str):
        from litdata import StreamingDataLoader, StreamingDataset

        data = StreamingDataset(str(folder), shuffle=shuffle)
        return StreamingDataLoader(data, batch_size=BATCH, num_workers=2, collate_fn=collate)

    return open_


READERS = {"LitData, shuffled": reader(True), "LitData": reader(False)}
