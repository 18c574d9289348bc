"""The bias that training starts from: smoothed frequencies of the labels, whatever the scale of the
weights.
"""

import numpy as np
import pyarrow as pa
import pytest
import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.core.errors import IntegrityError, TrainingError
from lsml_spark.data.read import Shards
from lsml_spark.train.config import Config
from lsml_spark.train.prior import starting_outputs

LABELS = np.array([1, 1, 1, 2, 0, 3, 3], np.int32)
WEIGHTS = np.array([1.0, 2.0, 1.0, 4.0, 1.0, 0.5, 0.5])


def prior(folder, scale=1.0, table=None, **data):
    table = table or pa.table({"label": LABELS, "weight": (scale * WEIGHTS).astype(np.float32)})
    source = toy_shards.stage(folder, "shard", {"train": (table, 2, 3)})
    config = validate(Config, {"model": {"use": "bag_mlp"}, "data": {"prior_rows": 0.5, **data}}, "test")
    encoders = {
        "label": "label",
        "columns": {"label": {"use": "vocabulary", "values": list("abcd"), "counts": [3, 1, 2, 0]}},
    }
    return starting_outputs(
        Shards.of(source.folder, source.manifest.tables["train"].files, []), encoders, config
    )


def test_it_is_the_weighted_frequency_with_rows_of_average_weight_added(tmp_path):
    counts = np.array([4.0, 4.0, 1.0, 0.0]) + 0.5 * WEIGHTS.mean()
    np.testing.assert_allclose(prior(tmp_path), np.log(counts / counts.sum()), rtol=1e-12)


@pytest.mark.parametrize("scale", [0.125, 64.0])
def test_the_scale_of_the_weights_does_not_matter(tmp_path, scale):
    np.testing.assert_allclose(prior(tmp_path / "a", scale), prior(tmp_path / "b"), rtol=1e-12)


def test_without_weights_rows_are_counted(tmp_path):
    counts = np.array([3.0, 1.0, 2.0, 0.0]) + 0.5
    np.testing.assert_allclose(prior(tmp_path, weights=False), np.log(counts / counts.sum()), rtol=1e-12)


def test_rows_that_all_weigh_nothing_are_said_and_may_be_counted_instead(tmp_path):
    with pytest.raises(
        TrainingError,
        match="of 7 training rows those with a known label weigh nothing together; look at weight",
    ):
        prior(tmp_path / "a", scale=0.0)
    assert np.isfinite(prior(tmp_path / "b", scale=0.0, weights=False)).all()


def test_rows_none_of_which_has_a_known_label_are_said(tmp_path):
    table = pa.table({"label": 0 * LABELS, "weight": WEIGHTS.astype(np.float32)})
    with pytest.raises(TrainingError, match=r"of 7 training rows none has a label that encoders.json knows"):
        prior(tmp_path, table=table)


@pytest.mark.parametrize("weight", [-138.0, -1e-9, -np.inf])
def test_a_negative_weight_is_named_with_its_file_and_sample_id(tmp_path, weight):
    weights = np.where(np.arange(7) == 4, weight, WEIGHTS).astype(np.float32)
    table = pa.table({"label": LABELS, "weight": weights, "sample_id": [f"s{i}" for i in range(7)]})
    with pytest.raises(
        TrainingError,
        match=r"part-00001\.parquet, row group 0, sample id s4: weight -.* is negative \(1 such rows",
    ):
        prior(tmp_path / "a", table=table)
    assert np.isfinite(prior(tmp_path / "b", table=table, weights=False)).all()


@pytest.mark.parametrize("name", ["label", "weight"])
def test_a_label_or_a_weight_that_is_no_number_is_damage(tmp_path, name):
    columns = {"label": LABELS, "weight": WEIGHTS.astype(np.float32)} | {name: pa.array(["x"] * 7)}
    with pytest.raises(IntegrityError, match=f"column '{name}': it does not hold one number a row"):
        prior(tmp_path, table=pa.table(columns))
