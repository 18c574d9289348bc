"""The stage: every system sees the same rows under the same rules, champions with another vocabulary
included.
"""

import collections
import datetime
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.tables import hash_rows, table_of
from lsml_spark.core.work import Work
from lsml_spark.evaluate.baselines.popularity import Popularity
from lsml_spark.evaluate.run import Config, run
from lsml_spark.models import saved
from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.models.scorer import Neural
from lsml_spark.transforms.schema import Schema

RAW = ["sample_id", "key", "label", "date", "context", "country"]
TRAIN = toy_shards.baskets(500, seed=1).select(RAW)
TEST = toy_shards.baskets(120, items=45, seed=2).select(RAW)  # five items that training never saw


def model_folder(folder, samples, seed, date):
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    config, encoders = BagMlp(use="bag_mlp", dim=8), toy_shards.encoders_of(samples)
    saved.save(
        folder,
        config.build(Schema.of(encoders)).state_dict(),
        encoders,
        {"model": config.model_dump(mode="json"), "dtype": "float32"},
    )
    files = [toy_shards.describe(folder, path) for path in sorted(folder.iterdir())]
    return toy_shards.finish(folder, "train", {}, files, date)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    root = tmp_path_factory.mktemp("night")
    counts = collections.Counter(TRAIN["key"].to_pylist())
    shard = TEST.take(np.random.default_rng(0).permutation(TEST.num_rows)).append_column(
        "weight", pa.array(np.ones(TEST.num_rows))
    )
    return {
        "prepare": toy_shards.stage(root / "prepare", "prepare", {"train": TRAIN, "test": TEST}),
        "zipf": toy_shards.stage(
            root / "zipf",
            "zipf",
            {"counts": pa.table({"key": list(counts), "count": list(counts.values())})},
            {"profile.json": {"rows": 500, "unseen_mass": 0.02, "unseen_keys": 10.0}},
        ),
        "shard": toy_shards.stage(
            root / "shard", "shard", {"test": toy_shards.encoded(shard, toy_shards.encoders_of(TRAIN))}
        ),
        "train": model_folder(root / "train", TRAIN, 1, "2011-02-24"),
        "champion": model_folder(
            root / "champion", toy_shards.baskets(300, items=30, seed=3), 2, "2011-02-23"
        ),
    }


def evaluated(tmp_path, inputs, name="evaluate", **changes):
    (tmp_path / name).mkdir()
    work = Work("toy", "evaluate", datetime.date(2011, 2, 24), 7, tmp_path / name, inputs)
    outcome = run(work, validate(Config, {"k": 5, "batch": 37} | changes, "evaluate"))
    return work, outcome, json.loads((work.folder / "metrics.json").read_text())


def test_all_systems_are_scored_on_all_rows_and_the_figures_follow_from_the_scores(tmp_path, inputs):
    work, outcome, found = evaluated(tmp_path, inputs)
    assert set(found["systems"]) == {"model", "champion", "popularity", "cooccurrence"}
    assert outcome.ledger.rows_in == outcome.ledger.rows_out == found["rows"] == 120
    scores = pq.read_table(work.folder / "scores").to_pandas()
    assert outcome.tables["scores"].rows == len(scores) == 480
    counts = collections.Counter(TRAIN["key"].to_pylist())
    assert (scores.train_rows == [counts[key] for key in scores.key]).all()
    for name, rows in scores.groupby("system"):
        figures = found["systems"][name]
        assert figures["recall"] == pytest.approx((rows["rank"] <= 5).mean())
        assert figures["log_loss"] == pytest.approx(-rows.log_prob.mean())
        assert figures["breadth"] == rows[rows["rank"] <= 5].label.nunique()
        assert sum(band["rows"] for band in figures["bands"].values()) == 120
        assert figures["bands"]["0"]["rows"] == (rows.train_rows == 0).sum() > 0
        assert figures["bands"]["0"]["recall"] == 0.0
        known = rows[rows.train_rows > 0]
        own = np.exp(known.log_prob) / (1 - 0.02)  # among the labels that the system knows
        first = known.predicted == known.label
        if name != "champion":  # which knows other labels than those counted
            assert np.allclose(own[first], known.probability[first])
            assert (own[~first] <= known.probability[~first] + 1e-12).all()


def test_a_model_of_another_vocabulary_is_scored_by_raw_keys(tmp_path, inputs):
    """The champion row by row: its own ids from plain dictionaries, its own softmax."""
    work, _, _ = evaluated(tmp_path, inputs)
    scores = (
        pq.read_table(work.folder / "scores").to_pandas().query("system == 'champion'").set_index("sample_id")
    )
    model = saved.load(inputs["champion"].folder)
    labels = model.encoders["columns"]["label"]["values"]
    countries = model.encoders["columns"]["country"]["values"]
    for row in TEST.to_pylist():
        ids = [labels.index(item) + 1 if item in labels else 0 for item in row["context"]]
        country = countries.index(row["country"]) + 1 if row["country"] in countries else 0
        features = {
            "context": (torch.tensor(ids, dtype=torch.int64), torch.tensor([0, len(ids)])),
            "country": torch.tensor([country]),
        }
        log_prob = torch.log_softmax(model.network(features)[0].double(), 0).detach().numpy()
        score = scores.loc[row["sample_id"]]
        if row["label"] not in labels:
            assert score["rank"] == len(labels) + 1
            assert score.log_prob == pytest.approx(np.log(0.02 / 10))
            continue
        own = log_prob[labels.index(row["label"])]
        assert score.log_prob == pytest.approx(own + np.log(0.98), rel=1e-5)
        allowed = [j for j, label in enumerate(labels) if label not in row["context"]]
        if row["label"] not in row["context"]:
            # float32 batches of other sizes may swap neighbours
            assert abs(score["rank"] - sum(log_prob[j] >= own for j in allowed)) <= 1


def test_the_size_of_batches_does_not_matter_and_a_rerun_gives_the_same_bytes(tmp_path, inputs):
    (_, first, _), (_, second, _) = (evaluated(tmp_path, inputs, name) for name in ("a", "b"))
    assert [file.checksum for file in first.files] == [file.checksum for file in second.files]
    assert first.tables == second.tables
    whole = evaluated(tmp_path, inputs, "c", batch=1000)[2]["systems"]
    for name, figures in evaluated(tmp_path, inputs, "d", batch=1)[2]["systems"].items():
        assert figures["log_loss"] == pytest.approx(whole[name]["log_loss"], rel=1e-5)


def test_without_a_champion_its_figures_are_null(tmp_path, inputs):
    without = {name: source for name, source in inputs.items() if name != "champion"}
    assert evaluated(tmp_path, without)[2]["systems"]["champion"] is None


def test_test_rows_that_are_not_those_of_prepare_are_refused(tmp_path, inputs):
    other = toy_shards.baskets(120, seed=99)
    shard = toy_shards.stage(
        tmp_path / "other", "shard", {"test": toy_shards.encoded(other, toy_shards.encoders_of(other))}
    )
    with pytest.raises(IntegrityError, match="not those of the prepare stage"):
        evaluated(tmp_path, inputs | {"shard": shard})


def test_a_context_column_that_is_not_there_is_a_config_error(tmp_path, inputs):
    with pytest.raises(ConfigError, match=r"evaluate\.context: .*did you mean 'context'"):
        evaluated(tmp_path, inputs, context="contxt")


def test_a_model_gives_one_distribution_per_row(inputs):
    system = Neural(inputs["train"].folder)
    (rows,) = TEST.combine_chunks().to_batches()
    assert np.exp(system.log_probs(rows)).sum(axis=1) == pytest.approx(1.0)


def test_a_small_table_is_hashed_by_its_rows_in_any_order(tmp_path):
    table = TEST.drop_columns(["date", "context"])
    written = table_of(tmp_path, "scores", table, rows_per_group=50)
    assert written.rows_hash == hash_rows(table.take(np.random.default_rng(0).permutation(120)))
    assert written.rows_hash != hash_rows(table.slice(1))
    (file,) = written.files
    assert (file.rows, file.row_groups) == (120, [50, 50, 20])
    assert pq.ParquetFile(tmp_path / file.path).metadata.num_row_groups == 3
    assert written.columns == dict.fromkeys(table.column_names, "string")


class AsEver(Popularity):
    """A baseline of the user's own."""

    title = "As it ever was"
    short = "as ever"


class Untitled(Popularity):
    pass


def test_a_baseline_of_the_users_own_is_scored_under_the_title_that_it_brings(tmp_path, inputs):
    own = [f"{__name__}.AsEver", f"{__name__}.Untitled"]
    _, _, found = evaluated(tmp_path, inputs, baselines=["popularity", *own])
    assert all(found["systems"][name] == found["systems"]["popularity"] for name in own)
    assert found["titles"] == {
        "popularity": ["Popularity", "popular"],
        own[0]: ["As it ever was", "as ever"],
        own[1]: ["Untitled", own[1]],
    }
