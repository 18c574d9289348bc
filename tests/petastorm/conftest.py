"""What needs petastorm runs in an environment of its own (`make petastorm`) and is skipped in any other.

Tests ask for `petastorm.reader`, since `import petastorm` alone would find this folder.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark.data.parquet.fields import Layout

# the toy stage folders of tests/data serve here too
sys.path[:0] = [str(Path(__file__).parents[1] / "data"), str(Path(__file__).parent)]

ROWS, ROWS_PER_GROUP = 350, 100


def pytest_collection_modifyitems(items):
    """Petastorm leaves files to the garbage collector, gives torch read-only arrays, and calls what pyarrow <
    15 warns about.
    """
    ignored = (
        "ignore::FutureWarning",
        "ignore::ResourceWarning",
        "ignore:The given NumPy array is not writable",
    )
    for item in items:
        if item.path.parent.name == "petastorm":
            item.add_marker(pytest.mark.filterwarnings(*ignored))


def one_of_each(rows=ROWS, seed=0):
    """A table in the layout of a shard with a column of every kind, and the same rows as plain Python
    values.
    """
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, size=(rows, 6, 5), dtype=np.uint8)
    embedding = rng.normal(size=(rows, 8)).astype("<f4")
    packed = rng.normal(size=(rows, 3)).astype("<f4")
    tokens = [rng.integers(-9, 9, size=rng.integers(0, 7)).astype("<i8") for _ in range(rows)]
    plain = {
        "sample_id": [f"s{i}" for i in range(rows)],
        "label": rng.integers(0, 9, size=rows).astype(np.int32).tolist(),
        "weight": rng.random(rows).astype(np.float32).tolist(),
        "flag": rng.integers(0, 2, size=rows).astype(np.uint8).tolist(),
        "image": image.tolist(),
        "embedding": embedding.tolist(),
        "price": packed[:, 0].tolist(),
        "volume": packed[:, 1].tolist(),
        "margin": packed[:, 2].tolist(),
        "tokens": [values.tolist() for values in tokens],
    }
    columns = {
        "sample_id": (pa.array(plain["sample_id"]), Layout("text")),
        "label": (pa.array(plain["label"], pa.int32()), Layout("scalar")),
        "weight": (pa.array(plain["weight"], pa.float32()), Layout("scalar")),
        "flag": (pa.array(plain["flag"], pa.uint8()), Layout("scalar")),
        "image": (
            pa.array([row.tobytes() for row in image], pa.binary(30)),
            Layout("tensor", "uint8", (6, 5)),
        ),
        "embedding": (
            pa.array([row.tobytes() for row in embedding], pa.binary(32)),
            Layout("tensor", "float32", (8,)),
        ),
        "record_float32": (
            pa.array([row.tobytes() for row in packed], pa.binary(12)),
            Layout("record", "float32", columns=("price", "volume", "margin")),
        ),
        "tokens": (pa.array([row.tobytes() for row in tokens], pa.binary()), Layout("ragged", "int64")),
    }
    fields = [
        pa.field(name, array.type, nullable=False, metadata=layout.metadata())
        for name, (array, layout) in columns.items()
    ]
    return pa.Table.from_arrays([array for array, _ in columns.values()], schema=pa.schema(fields)), plain


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    """(folder of three shards, their rows as plain values)."""
    folder = tmp_path_factory.mktemp("shards")
    table, plain = one_of_each()
    for i, (start, stop) in enumerate([(0, 120), (120, 121), (121, ROWS)]):
        pq.write_table(
            table.slice(start, stop - start), folder / f"part-{i:05d}.parquet", row_group_size=ROWS_PER_GROUP
        )
    return folder, plain
