"""Nights whose epochs read other rows each: steps, rates, rows, resume and ranks are right where epochs are
unequal.
"""

import json
import math

import numpy as np
import pytest
import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.train.run import Config, run
from lsml_spark.train.schedule import Schedule
from lsml_spark.train.step import Updates
from lsml_spark.train.worker import in_process

PLAIN = toy_shards.baskets(600, seed=4)
PACE = np.repeat([0, 1, 2], [100, 200, 300])
SAMPLES = PLAIN.append_column("pace", [np.random.default_rng(3).permutation(PACE)])
SAMPLES = SAMPLES.append_column("offset", [np.random.default_rng(4).normal(size=600)])
CURRICULUM = {"use": "curriculum", "stages": 3, "full_by": 0.5, "order": "frequent_first"}
REDRAW = {"use": "redraw", "share": 0.4}
ROWS = {"curriculum": [100, 300, 600, 600], "redraw": [240, 240, 240, 240]}  # s(e) = 0, 1, 2, 2
RULES = pytest.mark.parametrize("rule", [CURRICULUM, REDRAW], ids=["curriculum", "redraw"])


def config(**changes):
    model = {"use": "bag_mlp", "dim": 8, "hidden": [16], "dropout": 0.3}
    return validate(
        Config, {"model": model, "epochs": 4, "batch": 64, "workers": 1, "lane_sums": True} | changes, "test"
    )


def night(folder, rule, samples=SAMPLES):
    folder.mkdir()
    return toy_shards.night(folder, samples, epochs=rule)


def hashes(outcome):
    return {file.path: file.checksum for file in outcome.files}


@RULES
def test_steps_rows_and_rates_are_those_of_unequal_epochs(tmp_path, rule):
    work, told = night(tmp_path / "a", rule), config()
    outcome = run(work, told, in_process)
    curve, rows = json.loads((work.folder / "curve.json").read_text()), ROWS[rule["use"]]
    steps = [math.ceil(math.ceil(n / 8) / 8) for n in rows]  # 8 lanes, 8 rows of each a step
    assert [epoch["rows"] for epoch in curve["epochs"]] == rows
    assert outcome.metrics["steps"] == len(curve["steps"]) == sum(steps)
    assert [point["step"] for point in curve["steps"]] == list(range(sum(steps)))
    assert [point["epoch"] for point in curve["steps"]] == np.repeat(range(4), steps).tolist()
    assert [point["lr"] for point in curve["steps"]] == [
        told.optimizer.lr * Schedule().share(step, sum(steps)) for step in range(sum(steps))
    ]
    outcome.ledger.check("train")
    assert outcome.ledger.rows_in == 600
    assert outcome.ledger.rows_out == rows[-1]


@RULES
def test_a_run_that_is_interrupted_goes_on_to_the_undisturbed_result(tmp_path, rule, monkeypatch):
    undisturbed = run(night(tmp_path / "undisturbed", rule), config(), in_process)
    work, plain, calls = night(tmp_path / "interrupted", rule), Updates.step, iter(range(1000))

    def step(*arguments, **told):
        if next(calls) == 9:  # in the third epoch of both
            raise KeyboardInterrupt
        return plain(*arguments, **told)

    with monkeypatch.context() as patched:
        patched.setattr(Updates, "step", step)
        with pytest.raises(KeyboardInterrupt):
            run(work, config(), in_process)
    assert (
        max(path.stem for path in (tmp_path / "interrupted" / ".train").glob("checkpoint-*.json"))
        == "checkpoint-00002-00000000"
    )
    resumed = run(work, config(), in_process)
    assert hashes(resumed) == hashes(undisturbed)
    assert resumed.metrics == undisturbed.metrics
    assert resumed.ledger == undisturbed.ledger


@pytest.mark.dist
@pytest.mark.parametrize(
    ("rule", "ranks"),
    [(CURRICULUM, 2), pytest.param(REDRAW, 4, marks=pytest.mark.slow)],
)
def test_any_number_of_ranks_gives_the_weights_of_one_process(tmp_path, rule, ranks):
    """With offsets too, which these samples have."""
    alone = run(night(tmp_path / "alone", rule), config(), in_process)
    together = run(night(tmp_path / "together", rule), config(workers=ranks))
    assert hashes(together)["model.safetensors"] == hashes(alone)["model.safetensors"]
    assert together.metrics == alone.metrics | {"world": ranks}


def test_without_a_rule_a_night_is_bit_for_bit_what_it_is_without_a_selection(tmp_path):
    (tmp_path / "bare").mkdir()
    bare = run(toy_shards.night(tmp_path / "bare", PLAIN), config(), in_process)
    work = night(tmp_path / "asked", None, PLAIN)
    work.inputs["select"] = toy_shards.stage(
        tmp_path / "select", "select", files={"selection.json": {"level": 1, "epochs": None}}
    )
    asked = run(work, config(), in_process)
    assert (hashes(bare), bare.metrics, bare.ledger) == (hashes(asked), asked.metrics, asked.ledger)


def test_a_checkpoint_of_another_rule_is_not_continued(tmp_path, monkeypatch):
    undisturbed = run(night(tmp_path / "undisturbed", REDRAW), config(), in_process)
    work, plain, calls = night(tmp_path / "changed", REDRAW | {"share": 0.5}), Updates.step, iter(range(1000))
    with monkeypatch.context() as patched:
        patched.setattr(
            Updates,
            "step",
            lambda *arguments, **told: plain(*arguments, **told) if next(calls) < 9 else 1 / 0,
        )
        with pytest.raises(ZeroDivisionError):
            run(work, config(), in_process)
    work.inputs["select"] = toy_shards.stage(
        tmp_path / "select", "select", files={"selection.json": {"epochs": REDRAW}}
    )
    assert hashes(run(work, config(), in_process)) == hashes(undisturbed)


def test_a_curriculum_without_paces_and_a_rule_that_is_none_are_told(tmp_path):
    with pytest.raises(
        IntegrityError,
        match=r"shard: its manifest does not say the pace of its files; run the shard stage again",
    ):
        run(night(tmp_path / "paceless", CURRICULUM, PLAIN), config(), in_process)
    with pytest.raises(ConfigError, match=r"selection\.json: epochs\.use: there is no rule 'redo'"):
        run(night(tmp_path / "unknown", {"use": "redo"}), config(), in_process)
    with pytest.raises(
        ConfigError,
        match=r"selection\.json: epochs: row groups have pace 2, the curriculum has stages 0 to 1",
    ):
        run(night(tmp_path / "more", CURRICULUM | {"stages": 2}), config(), in_process)
