"""Pictures and sounds from the samples through features and shards into a network, which scores the raw rows
alike.
"""

import io

import numpy as np
import PIL.Image
import pytest
import soundfile
import torch

from lsml_spark import ReadOptions, make_reader
from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.batch import Batch
from lsml_spark.features import run as features
from lsml_spark.models import saved
from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.models.logistic import Logistic
from lsml_spark.models.mlp import Mlp
from lsml_spark.models.network import tensors
from lsml_spark.models.scorer import Neural
from lsml_spark.shard import run as shard
from lsml_spark.transforms.schema import Schema

pytestmark = pytest.mark.spark
SCHEMA = "sample_id string, key string, label string, date date, photo binary, call binary, title string"
COLUMNS = {
    "label": "vocabulary",
    "photo": {"use": "image", "resize": [6, 5]},
    "spoken": {
        "use": "audio",
        "of": "call",
        "seconds": 0.05,
        "rate": 8000,
        "mels": 4,
        "window": 64,
        "hop": 50,
    },
    "title": {"use": "ngrams", "size": 30, "by": "letters", "n": [1, 2]},
}


def rows(n: int) -> list[tuple]:
    random = np.random.default_rng(n)

    def picture() -> bytes:
        file = io.BytesIO()
        PIL.Image.fromarray(random.integers(0, 256, (*random.integers(4, 9, 2), 3), np.uint8)).save(
            file, "PNG"
        )
        return file.getvalue()

    def call() -> bytes:
        file = io.BytesIO()
        soundfile.write(file, 0.1 * random.standard_normal(random.integers(1, 900)), 8000, format="WAV")
        return file.getvalue()

    return [
        (
            f"{n}-{i}",
            "k",
            "ab"[i % 2],
            None,
            None if i % 7 == 0 else picture(),
            None if i % 5 == 0 else call(),
            "title " * (i % 3),
        )
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def frames(spark):
    train = spark.createDataFrame(rows(41), SCHEMA).selectExpr(
        "*", "double(1) AS weight", "double(1) AS keep_rate"
    )
    return train, spark.createDataFrame(rows(12), SCHEMA)


def encoded(spark, night, train, test, columns=COLUMNS):
    work = night.work(
        "features",
        {"augment": night.source("augment", train=train), "prepare": night.source("prepare", test=test)},
    )
    return night.finish(
        work,
        features.run(work, validate(features.Config, {"columns": columns}, "night.yaml: features"), spark),
    )


def test_a_network_scores_raw_rows_as_it_scores_their_shards(spark, night, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "TENSOR_BYTES", 300)  # a few rows at a time
    source = encoded(spark, night, *frames)
    encoders = source.json("encoders.json")
    work = night.work("shard", {"features": source})
    shards = night.finish(
        work, shard.run(work, validate(shard.Config, {"shards": 2}, "night.yaml: shard"), spark)
    )

    schema = Schema.of(encoders)
    assert schema.tensors == {"photo": (6, 5, 3), "spoken": (4, 9)}
    torch.manual_seed(0)
    model = Mlp(use="mlp", dim=3, hidden=(7,))
    network = model.build(schema).eval()
    saved.save(
        tmp_path, network.state_dict(), encoders, {"model": model.model_dump(mode="json"), "dtype": "float32"}
    )

    (found,) = make_reader(
        shards.folder,
        batch=12,
        shuffle="none",
        columns=["sample_id", *schema.features],
        options=ReadOptions(table="test", label="label"),
    )
    assert (found["photo"].dtype, found["photo"].shape, found["spoken"].shape) == (
        np.uint8,
        (12, 6, 5, 3),
        (12, 4, 9),
    )
    batch = Batch(
        found["label"],
        found["label"] * 0,
        {},
        {"title": found["title"]},
        tensors={name: found[name] for name in schema.tensors},
    )
    with torch.inference_mode():
        by_shards = network(tensors(batch)[0]).log_softmax(1).numpy()
    raw = frames[1].toArrow().combine_chunks().to_batches()[0]
    by_raw = Neural(tmp_path).log_probs(raw)
    place = {name: i for i, name in enumerate(raw.column("sample_id").to_pylist())}
    np.testing.assert_allclose(by_raw[[place[name] for name in found["sample_id"]]], by_shards, atol=1e-6)
    assert len(np.unique(by_raw[:, 0])) == 12

    for blind in (Logistic(use="logistic"), BagMlp(use="bag_mlp")):
        with pytest.raises(
            ConfigError, match=rf"`{blind.use}` looks at no tensors, and 'photo' is one of shape \[6, 5, 3\]"
        ):
            blind.build(schema)


def test_bytes_that_are_no_picture_stop_the_stage_with_a_line(spark, night, frames):
    broken = frames[1].selectExpr(
        "* EXCEPT (photo)", "IF(sample_id = '12-3', encode('nothing', 'utf-8'), photo) AS photo"
    )
    with pytest.raises(
        IntegrityError, match=r"^features: transform `image`: 7 bytes that are no image .*decodable: image"
    ):
        encoded(spark, night, frames[0], broken)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (
            {"photo": {"use": "image", "resize": [2, 2], "folder": "photos"}},
            "`image` takes one text a row, not binary",
        ),
        (
            {"title": {"use": "audio", "seconds": 1}},
            "`audio` takes the bytes of a file, or with `folder` its path, not string",
        ),
    ],
)
def test_a_column_of_another_type_is_refused(spark, night, frames, column, said):
    with pytest.raises(ConfigError, match=said):
        encoded(spark, night, *frames, {"label": "vocabulary", **column})
