"""A number as the target: model and baselines on the same rows, figures by band and slice, all from the
scores by pandas; and a champion that learned something else."""

import datetime
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import toy_shards
from test_evaluate import RAW, model_folder

from lsml_spark.core.config import validate
from lsml_spark.core.work import Work
from lsml_spark.evaluate.run import Config, run
from lsml_spark.models import saved
from lsml_spark.models.linear import Linear
from lsml_spark.tasks.regress import Regress

TASK = Regress(use="regress", loss="absolute")


def numbered(rows, seed):
    """Samples whose label is a number that hangs on their key, as text."""
    table = toy_shards.baskets(rows, seed=seed).select(RAW)
    rng = np.random.default_rng(seed)
    keys = table["key"].to_pylist()
    label = [
        repr(float(len(key) * 3 + int(key[1:]) / 7 + noise))
        for key, noise in zip(keys, rng.normal(size=rows), strict=True)
    ]
    return table.set_column(table.column_names.index("label"), "label", pa.array(label))


TRAIN, TEST = numbered(400, 1), numbered(90, 2)


@pytest.fixture
def night(tmp_path):
    """The inputs of the stage, the model a linear one with weights drawn at random."""
    encoders = toy_shards.encoders_of(toy_shards.baskets(400, seed=1))
    encoders["columns"] |= {
        "context": {
            "list": True,
            **toy_shards.vocabulary([x for row in TRAIN["context"].to_pylist() for x in row]),
        },
        "label": {"use": "standardize", "center": 9.0, "scale": 2.0, "width": 1},
    }
    folder = tmp_path / "train"
    folder.mkdir()
    torch.manual_seed(0)
    network = Linear(use="linear").build(TASK.schema_of(encoders))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    told = {"model": {"use": "linear"}, "dtype": "float32", "task": TASK.model_dump(mode="json")}
    saved.save(folder, network.state_dict(), encoders, told)
    files = [toy_shards.describe(folder, path) for path in sorted(folder.iterdir())]
    counts = {key: TRAIN["key"].to_pylist().count(key) for key in set(TRAIN["key"].to_pylist())}
    return {
        "prepare": toy_shards.stage(tmp_path / "prepare", "prepare", {"train": TRAIN, "test": TEST}),
        "zipf": toy_shards.stage(
            tmp_path / "zipf",
            "zipf",
            {"counts": pa.table({"key": list(counts), "count": list(counts.values())})},
        ),
        "shard": toy_shards.stage(tmp_path / "shard", "shard", {"test": TEST.select(["sample_id"])}),
        "train": toy_shards.finish(folder, "train", {}, files),
    }


def judged(folder, inputs):
    folder.mkdir()
    baselines = [{"use": "constant", "by": "median"}, {"use": "key_mean", "smoothing": 2.0}]
    config = validate(Config, {"context": None, "baselines": baselines, "slices": ["country"]}, "evaluate")
    run(Work("toy", "evaluate", datetime.date(2011, 2, 24), 7, folder, inputs), config)
    return json.loads((folder / "metrics.json").read_text()), pq.read_table(folder / "scores").to_pandas()


def test_figures_bands_and_slices_follow_from_the_scores(tmp_path, night):
    found, scores = judged(tmp_path / "evaluate", night)
    assert [figure["name"] for figure in found["figures"]] == ["mae", "rmse", "r2"]
    assert found["decides"] == "mae"
    country = dict(zip(TEST["sample_id"].to_pylist(), TEST["country"].to_pylist(), strict=True))
    for name, rows in scores.groupby("system"):
        error = rows.label.astype(float) - rows.predicted
        figures = found["systems"][name]
        assert figures["mae"] == pytest.approx(error.abs().mean(), rel=1e-12)
        assert figures["rmse"] == pytest.approx((error**2).mean() ** 0.5, rel=1e-12)
        unseen = rows.train_rows == 0
        assert figures["bands"]["0"] == {"rows": int(unseen.sum()), **figures["bands"]["0"]}
        uk = rows.sample_id.map(country) == "UK"
        assert figures["slices"]["country = UK"]["mae"] == pytest.approx(error[uk].abs().mean(), rel=1e-12)
    assert set(found["systems"]) == {"model", "champion", "constant", "key_mean"}


def test_baselines_are_what_pandas_says(tmp_path, night):
    _, scores = judged(tmp_path / "evaluate", night)
    train = TRAIN.to_pandas()
    train["label"] = train.label.astype(float)
    constant = scores[scores.system == "constant"].predicted
    assert (constant == train.label.median()).all()
    sums, rows = train.groupby("key").label.sum(), train.groupby("key").label.count()
    means = (sums + 2.0 * train.label.mean()) / (rows + 2.0)
    of_key = scores[scores.system == "key_mean"]
    np.testing.assert_allclose(of_key.predicted, of_key.key.map(means).fillna(train.label.mean()), rtol=1e-12)


def test_a_champion_that_learned_something_else_is_not_scored_and_named(tmp_path, night):
    night["champion"] = model_folder(tmp_path / "champion", toy_shards.baskets(300, seed=3), 2, "2011-02-23")
    found, _ = judged(tmp_path / "evaluate", night)
    assert found["systems"]["champion"] is None
    assert found["champion_learned"] == "classify of 'label'"
