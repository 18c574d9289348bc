"""Ray Data: Parquet with its tensor columns, read by `iter_torch_batches`."""

from pathlib import Path

import numpy as np

from loading.shapes import BATCH, Rows, decoded, padded

REQUIREMENTS = ["ray[data]==2.60.0", "torch==2.13.0", "pillow"]


def start():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def write(folder: Path, rows: Rows) -> None:
    import pandas as pd

    ray = start()
    if all(isinstance(values, np.ndarray) for values in rows.fields.values()):
        parts = [
            {**{name: values[a:b] for name, values in rows.fields.items()}, "label": rows.label[a:b]}
            for a, b in spans(len(rows))
        ]
        import pyarrow as pa
        from ray.data.extensions import ArrowTensorArray

        blocks = [
            pa.table(
                {
                    name: ArrowTensorArray.from_numpy(values) if values.ndim > 1 else pa.array(values)
                    for name, values in part.items()
                }
            )
            for part in parts
        ]
        ray.data.from_arrow(blocks).write_parquet(str(folder))
        return
    ray.data.from_pandas(pd.DataFrame({**rows.fields, "label": rows.label})).repartition(8).write_parquet(
        str(folder)
    )


def spans(count: int) -> list[tuple[int, int]]:
    return [(count * i // 8, count * (i + 1) // 8) for i in range(8)]


def collate(shape: str):
    import torch

    def finish(batch: dict) -> dict:
        if shape == "jpeg":
            batch["image"] = np.stack([decoded(raw) for raw in batch["image"]])
        if shape == "ragged":
            batch["tokens"] = padded(batch["tokens"])
        return {
            name: values if values.dtype == object or values.dtype.kind == "U" else torch.as_tensor(values)
            for name, values in batch.items()
        }

    return finish


class Batches:
    def __init__(self, folder: Path, shape: str, buffer: int):
        self.data, self.buffer, self.finish = start().data.read_parquet(str(folder)), buffer, collate(shape)

    def __iter__(self):
        more = {"local_shuffle_buffer_size": self.buffer} if self.buffer else {}
        return map(self.finish, self.data.iter_batches(batch_size=BATCH, batch_format="numpy", **more))


READERS = {
    "Ray Data, shuffled": lambda folder, shape: Batches(folder, shape, 10_000),
    "Ray Data": lambda folder, shape: Batches(folder, shape, 0),
}
