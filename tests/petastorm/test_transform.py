"""Our shards through petastorm's own readers and loaders: every value of every row is what was written."""

import numpy as np
import pytest

pytest.importorskip(
    "petastorm.reader",
    reason="petastorm needs pyarrow < 15: `make petastorm` runs these tests in its own environment",
)

import torch
from petastorm import make_batch_reader
from petastorm.pytorch import BatchedDataLoader, DataLoader

from lsml_spark.core.errors import ConfigError
from lsml_spark.data.petastorm.loaders import transform_spec

WIDTH = 4


def rows_of(loader):
    """All batches of a loader as one tensor per column."""
    batches = list(loader)
    return {
        name: torch.cat([torch.as_tensor(batch[name]) for batch in batches]).numpy() for name in batches[0]
    }


def expected(plain):
    """Written values as transform_spec promises them, in the order of `flag, label, …` by weight, which is
    unique.
    """
    padded = [(row[:WIDTH] + [0] * WIDTH)[:WIDTH] for row in plain["tokens"]]
    lengths = [min(len(row), WIDTH) for row in plain["tokens"]]
    given = {name: values for name, values in plain.items() if name != "sample_id"}
    return {
        name: np.array(values)
        for name, values in {**given, "tokens": padded, "tokens_length": lengths}.items()
    }


@pytest.mark.parametrize("loader", [DataLoader, BatchedDataLoader])
@pytest.mark.parametrize("shuffle", [0, 64])
def test_petastorms_torch_loaders_give_every_row_as_it_was_written(shards, loader, shuffle):
    folder, plain = shards
    spec = transform_spec(folder, pad={"tokens": WIDTH})
    with make_batch_reader(
        folder.as_uri(), transform_spec=spec, workers_count=2, shuffle_row_groups=bool(shuffle)
    ) as reader:
        found = rows_of(loader(reader, batch_size=32, shuffling_queue_capacity=shuffle))
    truth = expected(plain)
    assert set(found) == set(truth)
    assert len(set(plain["weight"])) == len(plain["weight"])
    order, written = np.argsort(found["weight"]), np.argsort(truth["weight"])
    for name, values in truth.items():
        assert np.array_equal(found[name][order], values[written].astype(found[name].dtype)), name
    types = {name: str(values.dtype) for name, values in found.items()}
    assert [types[name] for name in ("image", "embedding", "price", "tokens")] == [
        "uint8",
        "float32",
        "float32",
        "int64",
    ]


def test_chosen_columns_come_in_the_order_asked_for_and_a_record_as_its_members(shards):
    folder, plain = shards
    spec = transform_spec(folder / "part-00000.parquet", columns=["embedding", "record_float32", "label"])
    url, stored = (folder / "part-00000.parquet").as_uri(), ["embedding", "record_float32", "label"]
    with make_batch_reader(
        url, stored, reader_pool_type="dummy", transform_spec=spec, shuffle_row_groups=False
    ) as reader:
        first = next(reader)
    assert first._fields == ("embedding", "price", "volume", "margin", "label")
    assert np.array_equal(first.volume, np.array(plain["volume"][:100], np.float32))
    assert np.array_equal(first.embedding, np.array(plain["embedding"][:100], np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "column 'tokens' holds lists of unequal length: give its length in `pad`"),
        ({"columns": ["tokens"]}, "column 'tokens' holds lists of unequal length: give its length in `pad`"),
        ({"columns": ["sample_id"]}, "column 'sample_id' holds string, no numbers"),
        ({"columns": ["labels"]}, r"columns: no column 'labels' \(did you mean 'label'\?\)"),
        ({"pad": {"token": 3}}, r"pad: no ragged column 'token' \(did you mean 'tokens'\?\)"),
    ],
)
def test_what_cannot_be_given_is_named(shards, arguments, message):
    with pytest.raises(ConfigError, match=message):
        transform_spec(shards[0], **arguments)


def test_a_folder_without_shards_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no Parquet file in it"):
        transform_spec(tmp_path)
