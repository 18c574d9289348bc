"""Training that ends before its last epoch: by updates, by the clock, on a plateau."""

import json
from types import SimpleNamespace

import pytest
import toy_shards

from lsml_spark.core import duration
from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.train import loop
from lsml_spark.train.run import Config, run
from lsml_spark.train.stop import Plateau, Stop
from lsml_spark.train.worker import in_process

SAMPLES = toy_shards.baskets(600, seed=4)


def config(**changes):
    return validate(Config, {"model": "logistic", "epochs": 5, "batch": 64, "workers": 1} | changes, "test")


def trained(folder, told):
    folder.mkdir()
    work = toy_shards.night(folder, SAMPLES)
    outcome = run(work, told, in_process)
    outcome.ledger.check("train")
    return json.loads((work.folder / "curve.json").read_text()), outcome


def test_updates_end_a_run_within_an_epoch_and_the_rate_has_fallen_to_zero_then(tmp_path):
    curve, outcome = trained(tmp_path / "steps", config(stop={"steps": 13}, schedule={"use": "cosine"}))
    assert (outcome.metrics["steps"], outcome.metrics["stopped"], outcome.metrics["epochs"]) == (
        13,
        "steps",
        2,
    )
    assert curve["epochs"][1]["steps"] == 3  # 10 steps make an epoch
    assert curve["epochs"][1]["rows"] == outcome.ledger.rows_out == 3 * 64
    assert outcome.ledger.dropped == {"after the end of training": 600 - 3 * 64}
    assert curve["steps"][-1]["lr"] == pytest.approx(0.0, abs=1e-12)


def test_the_clock_ends_a_run_and_drives_its_learning_rate(tmp_path, monkeypatch):
    """Of a clock that ticks 10 ms at every look, so that the run is the same on any machine."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))
    told = config(epochs=1000, stop={"time": "1s"}, schedule={"use": "linear", "warmup": 0.2})
    curve, outcome = trained(tmp_path / "clock", told)
    assert outcome.metrics["stopped"] == "time"
    rates = [step["lr"] / told.optimizer.lr for step in curve["steps"]]
    assert max(rates) > 0.9
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.05  # the update that begins at the end of the time has none left


def test_a_generous_clock_changes_nothing(tmp_path):
    _, plain = trained(tmp_path / "plain", config())
    _, clocked = trained(tmp_path / "clocked", config(stop={"time": "10h"}))
    assert clocked.metrics["loss"] == pytest.approx(plain.metrics["loss"], rel=1e-6)
    assert "stopped" not in clocked.metrics


def test_a_plateau_ends_a_run_after_a_whole_epoch(tmp_path):
    told = config(
        epochs=9, stop={"plateau": {"epochs": 2, "improve": 0.9}}, optimizer={"use": "sgd", "lr": 0.001}
    )
    curve, outcome = trained(tmp_path / "flat", told)
    assert outcome.metrics["stopped"] == "plateau"
    assert len(curve["epochs"]) == 3
    assert outcome.ledger.rows_out == 600


@pytest.mark.parametrize(
    ("losses", "reached"),
    [
        ([1.0], False),
        ([1.0, 0.9, 0.8], False),
        ([1.0, 1.0, 1.0], True),
        ([1.0, 0.5, 0.6, 0.4999], True),  # not enough below the best
        ([1.0, 1.0, 0.5, 0.6], False),
        ([-1.0, -1.1, -1.1, -1.1], True),
    ],
)
def test_a_plateau_is_so_many_epochs_without_a_new_best(losses, reached):
    assert Plateau(epochs=2, improve=0.01).reached(losses) == reached


def test_lengths_of_time_are_read_and_rubbish_is_refused():
    assert [duration.seconds(text) for text in ("30s", "90min", "2h", " 1.5 h ")] == [30, 5400, 7200, 5400]
    assert validate(Stop, {"time": "2h"}, "stop").time == 7200
    for wrong in ("2", "2 days", "-1h", "0s", "h"):
        with pytest.raises(ConfigError, match=r"stop\.time: .*is no length of time: say 30s, 90min or 2h"):
            validate(Stop, {"time": wrong}, "stop")
