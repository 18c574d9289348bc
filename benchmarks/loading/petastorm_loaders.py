"""Petastorm 0.12.1: on our shards through `transform_spec`, and on Parquet as its documentation has it.

That is flat columns, and lists of one length.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from loading import ours
from loading.shapes import BATCH, LONGEST, SIDE, Rows, decoded, padded

REQUIREMENTS = ["-c", "constraints-petastorm.txt", "torch==2.13.0", "pillow", "-e", ".[train,petastorm]"]
SHUFFLED = 20_000  # rows of the shuffling queue


def write(folder: Path, rows: Rows) -> None:
    columns: dict[str, pa.Array] = {}
    for name, values in rows.fields.items():
        if rows.shape == "tabular":
            columns |= {
                f"{name}{i}": pa.array(np.ascontiguousarray(values[:, i])) for i in range(values.shape[1])
            }
        elif isinstance(values, np.ndarray):
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            ends = np.arange(len(values) + 1, dtype=np.int32) * values[0].size
            columns[name] = pa.ListArray.from_arrays(pa.array(ends), flat)
        elif rows.shape == "ragged":
            columns[name] = pa.array(list(values), pa.list_(pa.int32()))
        else:
            columns[name] = pa.array(values)
    table = pa.table({**columns, "label": pa.array(rows.label)})
    group = max(1024, int(ours.GROUP_BYTES / (table.nbytes / len(table))) // 1024 * 1024)
    for i in range(ours.SHARDS):
        start, stop = (len(table) * edge // ours.SHARDS for edge in (i, i + 1))
        part = table.slice(start, stop - start)
        pq.write_table(
            part,
            folder / f"part-{i:05d}.parquet",
            row_group_size=group,
            compression="none",
            use_dictionary=False,
        )


def spec_of(folder: Path, shape: str):
    """What the rows need before torch can collate them, on either layout."""
    from petastorm.transform import TransformSpec

    from lsml_spark.data.petastorm.loaders import transform_spec

    if shape == "jpeg":

        def decode(frame: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"image": [decoded(raw) for raw in frame["image"]], "label": frame["label"]})

        return TransformSpec(
            decode,
            edit_fields=[("image", np.uint8, (SIDE, SIDE, 3), False)],
            selected_fields=["image", "label"],
        )
    if (folder / "manifest.json").exists():
        return transform_spec(folder, pad={"tokens": LONGEST} if shape == "ragged" else None)
    if shape == "images":
        return TransformSpec(
            lambda frame: frame.assign(
                image=[row.reshape(28, 28).astype(np.uint8) for row in frame["image"]]
            ),
            edit_fields=[("image", np.uint8, (28, 28), False)],
        )
    if shape == "ragged":
        return TransformSpec(lambda frame: frame.assign(tokens=list(padded(frame["tokens"]))),
                             edit_fields=[("tokens", np.int32, (LONGEST,), False)])  # fmt: skip
    return None


class Loader:
    """A petastorm reader and loader, made anew for every epoch: their own second pass is slower."""

    def __init__(self, folder: Path, shape: str, kind: str, shuffled: int):
        warnings.filterwarnings("ignore")
        self.spec, self.kind, self.shuffled = spec_of(folder, shape), kind, shuffled
        self.url = (folder / "train" if (folder / "train").exists() else folder).resolve().as_uri()

    def __iter__(self):
        from petastorm import make_batch_reader, pytorch

        reader = make_batch_reader(
            self.url, transform_spec=self.spec, shuffle_row_groups=bool(self.shuffled), workers_count=2
        )
        with getattr(pytorch, self.kind)(
            reader, batch_size=BATCH, shuffling_queue_capacity=self.shuffled
        ) as loader:
            yield from loader


READERS = {
    f"petastorm {kind}{', shuffled' if shuffled else ''}": (
        lambda folder, shape, kind=kind, shuffled=shuffled: Loader(folder, shape, kind, shuffled)
    )
    for kind in ("BatchedDataLoader", "DataLoader")
    for shuffled in (SHUFFLED, 0)
}
ON_OUR_SHARDS = [name for name in READERS if "Batched" in name]
