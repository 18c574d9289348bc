"""make_reader: the batches of make_torch_dataset as numpy arrays, without torch."""

import subprocess
import sys

import numpy as np
import pytest
import toy_tables

from lsml_spark import make_reader, make_torch_dataset
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.batch import Ragged

ROWS = 400
TRUTH = toy_tables.truth(ROWS)
NAMES = ["row", "image", "tokens", "name", "b", "packed"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("table")
    toy_tables.write(path, toy_tables.table_of(TRUTH))
    return path


@pytest.mark.parametrize("shuffle", ["none", "buffer", "groups", "full"])
def test_arrays_and_tensors_are_the_same_batches(folder, shuffle):
    told = {
        "batch": 32,
        "world": 2,
        "rank": 1,
        "columns": NAMES,
        "shuffle": shuffle,
        "seed": 3,
        "fill_last": True,
    }
    for arrays, tensors in zip(
        make_reader(folder, **toy_tables.asked(**told)),
        make_torch_dataset(folder, **toy_tables.asked(**told)),
        strict=True,
    ):
        assert list(arrays) == list(tensors)
        for name, column in arrays.items():
            if isinstance(column, Ragged):
                assert np.array_equal(column.values_T, tensors[name].values)
                assert np.array_equal(column.offsets_N1, tensors[name].offsets)
            else:
                assert np.array_equal(column, tensors[name])


def test_a_state_of_either_is_gone_on_from_by_the_other_on_another_number_of_ranks(folder):
    expected = [batch["row"].tolist() for batch in make_reader(folder, batch=64)]
    reader = make_reader(folder, batch=64)
    batches = iter(reader)
    assert [next(batches)["row"].tolist() for _ in range(3)] == expected[:3]
    halves = [make_torch_dataset(folder, batch=32, rank=rank, world=2) for rank in range(2)]
    for half in halves:
        half.load_state_dict(reader.state_dict())
    assert [a["row"].tolist() + b["row"].tolist() for a, b in zip(*halves, strict=True)] == expected[3:]
    back = make_reader(folder, batch=64)
    back.load_state_dict(halves[0].state_dict())
    assert back.epoch == 1
    assert [batch["row"].tolist() for batch in back] != expected
    back.set_epoch(0)
    assert [batch["row"].tolist() for batch in back] == expected


def test_states_of_a_loaders_worker_and_of_another_plan_are_refused(folder):
    reader = make_reader(folder, batch=64)
    with pytest.raises(ConfigError, match="worker 1 of 2"):
        reader.load_state_dict(reader.state_dict() | {"worker": [1, 2]})
    with pytest.raises(ConfigError, match=r"seed 1 \(here 0\)"):
        reader.load_state_dict(make_reader(folder, batch=64, seed=1).state_dict())


def test_the_first_batch_needs_neither_torch_nor_pandas(folder):
    code = f"""
import sys
from lsml_spark import make_reader
assert len(next(iter(make_reader({str(folder)!r}, batch=64)))["row"]) == 64
assert not sys.modules.keys() & {{"torch", "pandas", "PIL"}}
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
