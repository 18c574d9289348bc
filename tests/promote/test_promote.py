"""Who stands tomorrow, and why, in sentences."""

import copy
import datetime
import json

import pytest
import toy_shards

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.work import Work
from lsml_spark.promote.run import Config, run


def figures(log_loss, recall, **bands):
    band = {"rows": 100, "recall": recall, "breadth": 5}
    return {
        "log_loss": log_loss,
        "recall": recall,
        "breadth": 9,
        "bands": {name: band | {"log_loss": loss} for name, loss in bands.items()},
    }


MODEL = figures(6.0, 0.3, head=5.0, tail=8.0)
POPULARITY = figures(7.0, 0.1, head=6.0, tail=9.0)


def decided(
    tmp_path, model=MODEL, champion=None, previous=None, baselines=None, stands=None, told=None, **config
):
    systems = {"model": model, "champion": champion, "popularity": POPULARITY} | (baselines or {})
    inputs = {
        "evaluate": toy_shards.stage(
            tmp_path / "evaluate", "evaluate", files={"metrics.json": {"systems": systems} | (told or {})}
        ),
        "train": toy_shards.stage(tmp_path / "train", "train"),
    }
    if previous is not None:
        inputs["previous"] = toy_shards.stage(
            tmp_path / "previous", "promote", files={"decision.json": previous}, date="2011-02-23"
        )
    if stands is not None:
        inputs["champion"] = toy_shards.stage(tmp_path / "champion", "train", date=stands)
    (tmp_path / "promote").mkdir(exist_ok=True)
    outcome = run(
        Work("toy", "promote", datetime.date(2011, 2, 24), 7, tmp_path / "promote", inputs), Config(**config)
    )
    decision = json.loads((tmp_path / "promote" / "decision.json").read_text())
    assert decision == outcome.metrics
    return decision


YESTERDAY = {"promoted": True, "champion": "2011-02-22", "previous": None, "reasons": []}


def test_a_first_model_that_beats_the_baseline_stands(tmp_path):
    decision = decided(tmp_path)
    assert (decision["promoted"], decision["champion"], decision["previous"]) == (True, "2011-02-24", None)
    assert decision["reasons"] == [
        "There is no champion yet, and the model beats popularity: log loss 6.000 against 7.000, recall "
        "30.0% against 10.0%."
    ]


@pytest.mark.parametrize("model", [figures(7.1, 0.3), figures(6.0, 0.05)])
def test_a_first_model_that_loses_to_the_baseline_leaves_no_champion(tmp_path, model):
    decision = decided(tmp_path, model)
    assert (decision["promoted"], decision["champion"]) == (False, None)
    assert "does not beat popularity" in decision["reasons"][0]


def test_after_a_night_without_champion_the_baseline_is_still_the_bar(tmp_path):
    assert (
        decided(tmp_path, previous=YESTERDAY | {"promoted": False, "champion": None})["champion"]
        == "2011-02-24"
    )


@pytest.mark.parametrize(("loss", "promoted"), [(5.5, True), (6.05, True), (6.07, False)])
def test_a_model_within_tolerance_of_the_champion_takes_over(tmp_path, loss, promoted):
    decision = decided(tmp_path, MODEL | {"log_loss": loss}, champion=MODEL, previous=YESTERDAY)
    assert decision["promoted"] is promoted
    assert decision["champion"] == ("2011-02-24" if promoted else "2011-02-22")
    assert decision["previous"] == "2011-02-22"
    assert f"{loss:.3f} against 6.000" in decision["reasons"][0]


def test_one_bad_band_is_enough_and_is_named_with_its_figures(tmp_path):
    model = copy.deepcopy(MODEL) | {"log_loss": 5.0}
    model["bands"]["tail"]["log_loss"] = 8.5
    decision = decided(tmp_path, model, champion=MODEL, previous=YESTERDAY)
    assert not decision["promoted"]
    assert decision["reasons"] == [
        "Log loss is 6.2% worse on keys with tail training rows (8.500 against 8.000; 5.0% worse is allowed)."
    ]


def test_a_band_with_few_rows_has_no_say(tmp_path):
    model = copy.deepcopy(MODEL)
    model["bands"]["tail"] |= {"log_loss": 99.0, "rows": 49}
    decision = decided(tmp_path, model, champion=MODEL, previous=YESTERDAY)
    assert decision["promoted"]
    assert "any of the 1 bands" in decision["reasons"][-1]


def test_an_empty_band_has_no_figures_and_no_say(tmp_path):
    model = copy.deepcopy(MODEL)
    model["bands"]["tail"] = {"rows": 0, "log_loss": None, "recall": None, "breadth": None}
    assert decided(tmp_path, model, champion=MODEL, previous=YESTERDAY)["promoted"]


def test_a_baseline_that_was_not_scored_is_a_config_error(tmp_path):
    with pytest.raises(
        ConfigError, match=r"promote\.beat: evaluate scored no 'popularty' \(did you mean 'popularity'\?\)"
    ):
        decided(tmp_path, beat="popularty")


def test_a_champion_that_was_not_scored_is_an_error(tmp_path):
    with pytest.raises(IntegrityError, match="champion of 2011-02-22 was not scored"):
        decided(tmp_path, champion=None, previous=YESTERDAY, stands="2011-02-22")


def test_where_the_champions_folder_is_gone_the_model_before_it_is_the_one_to_beat_and_the_reasons_say_so(
    tmp_path,
):
    decision = decided(tmp_path, champion=MODEL, previous=YESTERDAY, stands="2011-02-21")
    assert (decision["promoted"], decision["previous"]) == (True, "2011-02-21")
    assert decision["reasons"][0].startswith(
        "The folder of the champion, the model of 2011-02-22, is gone: the model of 2011-02-21"
    )
    assert "champion of 2011-02-21" in decision["reasons"][-1]


def test_where_no_promoted_model_is_left_the_night_is_judged_as_a_first_one(tmp_path):
    decision = decided(tmp_path, champion=None, previous=YESTERDAY)
    assert (decision["promoted"], decision["previous"]) == (True, None)
    assert "no promoted model is left" in decision["reasons"][0]
    assert "beats popularity" in decision["reasons"][-1]


def test_a_champion_that_learned_something_else_is_told_and_the_baseline_is_to_be_beaten(tmp_path):
    decision = decided(
        tmp_path, previous=YESTERDAY, stands="2011-02-22", told={"champion_learned": "regress of 'minutes'"}
    )
    assert (decision["promoted"], decision["champion"], decision["previous"]) == (
        True,
        "2011-02-24",
        "2011-02-22",
    )
    assert decision["reasons"][0].startswith(
        "The champion of 2011-02-22 learned something else, regress of 'minutes', and the model beats "
        "popularity: log loss 6.000"
    )


def of_slices(worse):
    return {
        **MODEL,
        "slices": {
            "country = UK": {"rows": 500, "log_loss": 6.0 + worse},
            "country = FR": {"rows": 10, "log_loss": 60.0},
        },
    }


def test_a_model_that_is_worse_on_a_slice_is_refused_where_slices_have_a_say(tmp_path):
    night = {"champion": of_slices(0.0), "previous": YESTERDAY, "stands": "2011-02-22"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert decided(tmp_path / "a", of_slices(1.0), **night)["promoted"]
    decision = decided(tmp_path / "b", of_slices(1.0), **night, slice_tolerance=0.1)
    assert not decision["promoted"]
    assert decision["reasons"] == [
        "Log loss is 16.7% worse on the slice ‘country = UK’ (7.000 against 6.000; 10.0% worse is allowed)."
    ]


@pytest.mark.parametrize(("value", "promoted"), [(0.79, False), (0.82, True)])
def test_the_first_figure_of_the_task_decides_whichever_way_is_better(tmp_path, value, promoted):
    told = {
        "figures": [{"name": "auc", "title": "AUC", "better": "higher", "write": "decimal"}],
        "decides": "auc",
    }
    model, champion = ({"rows": 100, "auc": auc, "bands": {}} for auc in (value, 0.81))
    decision = decided(tmp_path, model, champion, YESTERDAY, stands="2011-02-22", told=told)
    assert decision["promoted"] == promoted
