"""Rows to train on, made from a seed, and the model that each kind of them is for.

retail: a basket's last items and four categories, 2765 labels, for `bag_mlp` as pipelines/retail.yaml has it.
tabular: 26 categories, 10 labels, for the same model without a list: embeddings and a dense MLP. names: ~20
n-grams of 20,000, 2 labels, for `logistic`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Manifest, Table, describe
from lsml_spark.data.batch import Batch, Ragged
from lsml_spark.shard.layout import to_shard

SHARDS, ROWS_PER_GROUP = 8, 8192
WARM = 3  # steps at the start of a training that are not counted, whoever trains


@dataclass(frozen=True)
class Shape:
    rows: int
    epochs: int
    batch: int  # rows of a step, all ranks together
    labels: int
    lists: dict[str, tuple[int, int]]  # list column: (values, longest list)
    scalars: dict[str, int]  # category: values
    like: dict[str, str]
    train: dict[str, Any]  # of the config


SHAPES = {
    "retail": Shape(
        1 << 15,
        5,
        2048,
        2765,
        {"context": (2765, 16)},
        {"country": 19, "hour": 13, "weekday": 6, "price": 6},
        {"context": "label"},
        {
            "model": {"use": "bag_mlp", "dim": 64, "hidden": [256], "bags": 2, "dropout": 0.5},
            "optimizer": {"use": "sgd", "lr": 0.5},
        },
    ),
    "tabular": Shape(
        1 << 16,
        4,
        4096,
        10,
        {},
        {f"c{i:02d}": 1000 for i in range(26)},
        {},
        {
            "model": {"use": "bag_mlp", "dim": 64, "hidden": [256, 256], "dropout": 0.0},
            "optimizer": {"use": "adamw", "lr": 0.001},
        },
    ),
    "names": Shape(
        1 << 19,
        8,
        4096,
        2,
        {"grams": (20_000, 20)},
        {},
        {},
        {"model": {"use": "logistic"}, "optimizer": {"use": "sgd", "lr": 1.0}},
    ),
}


def drawn(shape: Shape, seed: int = 0) -> tuple[dict[str, np.ndarray | Ragged], np.ndarray]:
    """(columns of ids, labels (N,)) from 1; frequent ids first, and a label that its first column tells half
    of the time.
    """
    rng = np.random.default_rng(seed)

    def ids(values: int, count: int) -> np.ndarray:
        return np.minimum(values * rng.random(count) ** 3, values - 1).astype(np.int32) + 1

    columns: dict[str, np.ndarray | Ragged] = {}
    for name, (values, longest) in shape.lists.items():
        offsets = np.concatenate([[0], np.cumsum(rng.integers(1, longest + 1, shape.rows))])
        columns[name] = Ragged(ids(values, int(offsets[-1])), offsets)
    columns |= {name: ids(values, shape.rows) for name, values in shape.scalars.items()}
    first = next(iter(columns.values()))
    told = first.values_T[first.offsets_N1[:-1]] if isinstance(first, Ragged) else first
    label = np.where(
        rng.random(shape.rows) < 0.5, told % shape.labels + 1, ids(shape.labels, shape.rows)
    ).astype(np.int32)
    return columns, label


def encoders(shape: Shape) -> dict[str, Any]:
    def vocabulary(values: int) -> dict[str, Any]:
        return {
            "use": "vocabulary",
            "values": [f"v{i:05d}" for i in range(values)],
            "counts": list(range(values, 0, -1)),
        }

    columns: dict[str, Any] = {"label": vocabulary(shape.labels)}
    for name, (values, _) in shape.lists.items():
        like = {"like": shape.like[name]} if name in shape.like else vocabulary(values)
        columns[name] = {"use": "vocabulary", **like, "list": True}
    return {
        "label": "label",
        "columns": columns | {name: vocabulary(values) for name, values in shape.scalars.items()},
    }


def write(shape: Shape, columns: dict[str, np.ndarray | Ragged], label: np.ndarray, root: Path) -> None:
    """The stage folders `features` and `shard` of a night over the rows."""
    arrays = {
        key: pa.ListArray.from_arrays(pa.array(column.offsets_N1.astype(np.int32)), pa.array(column.values_T))
        if isinstance(column, Ragged)
        else pa.array(column)
        for key, column in columns.items()
    }
    ones = pa.array(np.ones(shape.rows, np.float32))
    names = pa.array([f"s{i}" for i in range(shape.rows)])
    table = to_shard(
        pa.table(
            {
                "sample_id": names,
                "key": names,
                "label": pa.array(label),
                **arrays,
                "weight": ones,
                "keep_rate": ones,
            }
        )
    )
    (root / "features").mkdir(parents=True)
    (root / "shard" / "train").mkdir(parents=True)
    (root / "features" / "encoders.json").write_text(json.dumps(encoders(shape)))
    files = []
    for i in range(SHARDS):
        path = root / "shard" / "train" / f"part-{i:05d}.parquet"
        part = table.slice(
            *(edge := (shape.rows * i // SHARDS, shape.rows * (i + 1) // SHARDS - shape.rows * i // SHARDS))
        )
        with pq.ParquetWriter(
            path, part.schema, compression="none", use_dictionary=False, write_page_checksum=True
        ) as writer:
            writer.write_table(part, row_group_size=ROWS_PER_GROUP)
        groups = [min(ROWS_PER_GROUP, edge[1] - at) for at in range(0, edge[1], ROWS_PER_GROUP)]
        files.append(
            File(path.relative_to(root / "shard").as_posix(), path.stat().st_size, "", edge[1], groups)
        )
    tables = {"train": Table({field.name: str(field.type) for field in table.schema}, shape.rows, "0", files)}
    ledger = Ledger(shape.rows, shape.rows)
    encoded = [describe(root / "features", root / "features" / "encoders.json")]
    for stage, of, other in (("features", {}, encoded), ("shard", tables, [])):
        Manifest(stage, "speed", "2026-01-01", 0, {}, "", {}, of, other, ledger, {}, {}).write(root / stage)


def batches(name: str, rank: int, world: int) -> list[Batch]:
    """This rank's share of every whole global batch, in memory."""
    shape = SHAPES[name]
    columns, label = drawn(shape)
    share, found = shape.batch // world, []
    for start in range(0, shape.rows - shape.batch + 1, shape.batch):
        low, high = start + rank * share, start + (rank + 1) * share
        lists = {}
        for key, column in columns.items():
            if isinstance(column, Ragged):
                first, last = column.offsets_N1[low], column.offsets_N1[high]
                lists[key] = Ragged(column.values_T[first:last], column.offsets_N1[low : high + 1] - first)
        scalars = {key: column[low:high] for key, column in columns.items() if not isinstance(column, Ragged)}
        found.append(Batch(label[low:high], np.ones(share), scalars, lists))
    return found
