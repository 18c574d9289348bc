"""The bias that training starts from: smoothed frequencies of the labels, whatever the scale of the weights."""

import numpy as np
import pyarrow as pa
import pytest
import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.core.errors import TrainingError
from lsml_spark.data.read import Shards
from lsml_spark.train.run import Config, _log_prior

LABELS = np.array([1, 1, 1, 2, 0, 3, 3], np.int32)
WEIGHTS = np.array([1.0, 2.0, 1.0, 4.0, 1.0, 0.5, 0.5])


def prior(folder, scale=1.0, labels=LABELS, weights_N=WEIGHTS, **changes):
    table = pa.table({"label": labels, "weight": (scale * weights_N).astype(np.float32)})
    source = toy_shards.stage(folder, "shard", {"train": (table, 2, 3)})
    config = validate(Config, {"model": {"use": "bag_mlp"}, "smoothing": 0.5} | changes, "test")
    return _log_prior(Shards.of(source.folder, source.manifest.tables["train"].files, []), 4, config)


def test_it_is_the_weighted_frequency_with_rows_of_average_weight_added(tmp_path):
    counts = np.array([4.0, 4.0, 1.0, 0.0]) + 0.5 * WEIGHTS.mean()
    np.testing.assert_allclose(prior(tmp_path), np.log(counts / counts.sum()), rtol=1e-12)


@pytest.mark.parametrize("scale", [0.125, 64.0])
def test_the_scale_of_the_weights_does_not_matter(tmp_path, scale):
    np.testing.assert_allclose(prior(tmp_path / "a", scale), prior(tmp_path / "b"), rtol=1e-12)


def test_without_weights_rows_are_counted(tmp_path):
    counts = np.array([3.0, 1.0, 2.0, 0.0]) + 0.5
    np.testing.assert_allclose(prior(tmp_path, weights=False), np.log(counts / counts.sum()), rtol=1e-12)


def test_weights_that_are_all_nothing_or_below_it_and_labels_that_are_all_unknown_are_said(tmp_path):
    with pytest.raises(TrainingError, match="the weights of all 6 training rows with a known label are 0"):
        prior(tmp_path / "none", scale=0.0)
    with pytest.raises(TrainingError, match=r"part-00001.parquet, row group 0: weight -4; weights are 0 or more"):
        prior(tmp_path / "below", weights_N=np.where(np.arange(7) == 3, -4.0, 1.0))
    with pytest.raises(TrainingError, match="none of the 7 training rows has a label"):
        prior(tmp_path / "unknown", labels=np.zeros(7, np.int32))
    prior(tmp_path / "without", scale=-1.0, weights=False)
    prior(tmp_path / "nan", weights_N=np.full(7, np.nan))  # the ranks name the sample
