"""The select stage with what earlier nights left: their keys, their scores, their speed, their pilot."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome
from lsml_spark.select import run as select
from lsml_spark.spark import tables
from lsml_spark.zipf import run as zipf

# a stage of several jobs each; the policies themselves: test_known_keys.py
pytestmark = [pytest.mark.spark, pytest.mark.slow]
SCHEMA = "sample_id string, key string, label string, date date, word string"
SCORES = "sample_id string, key string, label string, system string, rank int, log_prob double"
KEYS = {"common": 600, "rough": 300, "fresh": 200, "rare": 2, **{f"once{i}": 1 for i in range(98)}}


@pytest.fixture(scope="module")
def samples() -> pd.DataFrame:
    """1,200 rows: three frequent keys and a tail; two labels; words that repeat."""
    random = np.random.default_rng(3)
    key = np.repeat(list(KEYS), list(KEYS.values()))
    day = pd.to_datetime("2011-01-30").date()
    label, word = random.choice(["a", "b"], len(key)), random.choice(["x", "y"], len(key))
    return pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(len(key))],
            "key": key,
            "label": label,
            "date": day,
            "word": word,
        }
    )


@pytest.fixture(scope="module")
def scored(samples) -> pd.DataFrame:
    """Held-out scores of 900 of the rows: `rough` is never recalled, everything else always."""
    random = np.random.default_rng(4)
    some = samples.iloc[random.permutation(len(samples))[:900]][["sample_id", "key", "label"]].copy()
    chance = random.uniform(0.01, 0.99, len(some))
    return some.assign(
        system="model", rank=np.where(some.key == "rough", 50, 1).astype("int32"), log_prob=np.log(chance)
    )


@pytest.fixture(scope="module")
def inputs(spark, module_night, samples):
    prepare = module_night.source("prepare", train=spark.createDataFrame(samples, SCHEMA))
    work = module_night.work("zipf", {"prepare": prepare})
    return {"prepare": prepare, "zipf": module_night.finish(work, zipf.run(work, zipf.Config(), spark))}


@pytest.fixture
def scores(spark, night):
    """`scores(frame, night, champion)`: evaluate and promote folders of an earlier night, as select is given
    them.
    """

    def make(frame: pd.DataFrame, date: str = "2011-01-31", champion: str | None = "2011-01-31") -> dict:
        then = night.on(date)
        work = then.work("evaluate")
        written = tables.write(
            spark.createDataFrame(frame, SCORES), work.folder, {"scores": frame.columns.tolist()}
        )
        evaluate = then.finish(
            work, Outcome(Ledger(len(frame), len(frame)), written.tables, metrics={"k": 20})
        )
        work = then.work("promote")
        promote = then.finish(
            work, Outcome(Ledger(), files=[write_json(work.folder, "decision.json", {"champion": champion})])
        )
        return {f"scores/{date}": evaluate, f"promote/{date}": promote}

    return make


@pytest.fixture
def selected(spark, night, inputs):
    """`selected(section, **more inputs)`: the rows kept as pandas, and selection.json."""

    def run(section: dict, more: dict | None = None, given: dict | None = None):
        work = night.work("select", {**(given or inputs), **(more or {})})
        source = night.finish(work, select.run(work, validate(select.Config, section, "x"), spark))
        return (
            tables.read(spark, source, table="train").toPandas(),
            json.loads(source.file("selection.json").read_text()),
            source,
        )

    return run


def previous(spark, night, keys):
    counts = spark.createDataFrame([(key, 1) for key in keys], "key string, count long")
    return {"previous": night.on("2011-01-31").source("zipf", counts=counts)}


@pytest.mark.parametrize("policy", ["zipf", "mixed"])
def test_new_and_poorly_recalled_keys_keep_every_row_and_the_budget_holds(
    spark, night, selected, scores, scored, samples, policy
):
    known = previous(spark, night, set(KEYS) - {"fresh"})
    kept, selection, _ = selected({"policy": policy, "budget": 0.7}, known | scores(scored))
    whole = kept.key.value_counts()
    assert whole["fresh"] == 200
    assert whole["rough"] == 300
    assert whole["common"] < 400
    assert selection["protected"] == {"new": {"keys": 1, "rows": 200}, "poor": {"keys": 1, "rows": 300}}
    assert selection["expected"] == pytest.approx(840)


def test_on_the_first_night_nothing_is_protected(selected):
    kept, selection, _ = selected({"policy": "zipf", "budget": 0.4})
    assert selection["protected"] == {}
    assert kept.key.value_counts()["fresh"] < 200


def test_protected_keys_that_do_not_fit_are_an_error_that_says_what_to_do(spark, night, selected):
    with pytest.raises(ConfigError, match=r"600 of new keys are protected.*policy\.protect: \[\]"):
        selected({"policy": "zipf", "budget": 0.3}, previous(spark, night, set(KEYS) - {"common"}))
    kept, *_ = selected({"policy": {"use": "zipf", "protect": []}, "budget": 0.3}, previous(spark, night, []))
    assert len(kept) < 450


def test_quota_gives_the_rows_to_the_keys_that_are_not_recalled(selected, scores, scored):
    kept, selection, _ = selected({"policy": "quota", "budget": 0.4, "weights": False}, scores(scored))
    whole = kept.key.value_counts()
    assert whole["rough"] > 250
    assert whole["common"] < 60
    assert selection["expected"] == pytest.approx(480)


def test_the_scores_are_those_of_the_model_that_stood(selected, scores, scored):
    champion = scored.assign(system="champion", rank=np.where(scored.key == "common", 50, 1).astype("int32"))
    both = pd.concat([scored, champion])
    by_model, by_champion = (
        selected({"policy": "quota", "budget": 0.4, "weights": False}, scores(both, champion=standing))[
            0
        ].key.value_counts()
        for standing in ("2011-01-31", "2011-01-30")
    )
    assert by_model["rough"] > by_model.get("common", 0)
    assert by_champion["common"] > by_champion.get("rough", 0)


def test_boundary_keeps_the_surprising_and_its_weights_are_unbiased(selected, scores, scored, samples):
    kept, selection, _ = selected({"policy": "boundary", "budget": 0.5}, scores(scored))
    assert selection["expected"] == pytest.approx(600, abs=1)
    own = np.exp(scored.set_index("sample_id").log_prob)
    step = np.round((1 - own) * 256) / 256
    wanted = np.maximum(kept.sample_id.map(step).fillna(round(step.mean() * 256) / 256), 0.05)
    level = (kept.keep_rate / wanted)[kept.keep_rate < 1]
    assert level.to_numpy() == pytest.approx(level.iloc[0], rel=1e-9)
    assert kept.weight.to_numpy() == pytest.approx(1 / kept.keep_rate)
    deviation = np.sqrt((kept.weight**2 * (1 - kept.keep_rate)).sum())
    assert abs(kept.weight.sum() - len(samples)) < 4 * deviation


def test_boundary_with_an_offset_gives_each_row_its_log_odds(selected, scores, scored):
    section = {"policy": {"use": "boundary", "correct": "offset"}, "budget": 0.5, "weights": False}
    kept, _, source = selected(section, scores(scored))
    assert source.manifest.tables["train"].columns["offset"] == "double"
    own = kept.sample_id.map(np.round((1 - np.exp(scored.set_index("sample_id").log_prob)) * 256) / 256)
    assert (kept.offset[own.isna()] == 0).all()
    inside = kept[(own > 0.05) & (own < 0.95) & (kept.keep_rate < 1)]
    other = np.minimum(1, (inside.keep_rate / own[inside.index]) * (1 - own[inside.index]))
    assert inside.offset.to_numpy() == pytest.approx(np.log(inside.keep_rate / other), rel=1e-9)
    assert (kept.weight == 1).all()


def test_a_day_that_was_held_out_twice_doubles_no_row(selected, scores, scored):
    both = scores(scored, "2011-01-30", "2011-01-30") | scores(scored, "2011-01-31")
    kept, *_ = selected({"policy": "boundary", "budget": 1.0}, both)
    assert kept.sample_id.is_unique
    assert len(kept) == sum(KEYS.values())


@pytest.mark.parametrize("bad", [np.nan, 0.5, np.inf])
def test_scores_that_are_no_probabilities_name_a_sample(selected, scores, scored, bad):
    spoilt = scored.assign(log_prob=[bad, *scored.log_prob[1:]])
    with pytest.raises(
        IntegrityError, match=f"1 rows are no probabilities, e.g. '{spoilt.sample_id.iloc[0]}'"
    ):
        selected({"policy": "boundary", "budget": 0.5}, scores(spoilt))


@pytest.mark.parametrize("policy", ["boundary", "collapse", "quota"])
def test_the_same_rows_are_kept_in_any_partitioning(spark, night, inputs, selected, scores, scored, policy):
    held_out, hashes = scores(scored), set()
    for partitions in (1, 5):
        train = tables.read(spark, inputs["prepare"], table="train").repartition(partitions)
        given = {**inputs, "prepare": night.source("prepare", train=train)}
        section = {"policy": policy, "budget": 100, "weights": policy != "quota"}
        hashes.add(selected(section, held_out, given=given)[2].manifest.tables["train"].rows_hash)
    assert len(hashes) == 1


@pytest.mark.parametrize("policy", ["boundary", "quota"])
def test_policies_of_scores_on_a_first_night_say_how_to_begin(selected, policy):
    with pytest.raises(ConfigError, match=f"{policy} needs the scores of an earlier night"):
        selected({"policy": policy, "budget": 0.5, "weights": False})


def test_collapse_is_exact(selected, samples):
    kept, selection, source = selected({"policy": "collapse", "budget": 1.0})
    truth = (
        samples.groupby(["key", "label", "word"])
        .agg(copies=("sample_id", "size"), sample_id=("sample_id", "min"))
        .reset_index()
    )
    found = kept.merge(truth, on=["key", "label", "word", "sample_id"])
    assert len(found) == len(kept) == len(truth)
    assert (found.weight == found.copies).all()
    assert source.manifest.ledger.dropped["equal to another row"] == len(samples) - len(truth)
    assert selection["rows_kept"] == len(truth)


def test_collapse_beyond_the_budget_stays_unbiased(selected, samples):
    distinct = len(samples.groupby(["key", "label", "word"]))
    kept, selection, _ = selected({"policy": "collapse", "budget": distinct // 2})
    assert selection["expected"] == pytest.approx(distinct // 2)
    deviation = np.sqrt((kept.weight**2 * (1 - kept.keep_rate)).sum())
    assert abs(kept.weight.sum() - len(samples)) < 4 * max(deviation, 1)


def test_a_redrawn_uniform_keeps_every_row_and_leaves_the_draw_to_the_epochs(selected):
    kept, selection, _ = selected({"policy": {"use": "uniform", "per_epoch": True}, "budget": 0.25})
    assert len(kept) == sum(KEYS.values())
    assert (kept.weight == 1).all()
    assert selection["epochs"] == {"use": "redraw", "share": 0.25}


def test_redraws_take_turns_so_that_every_row_comes_as_often_as_its_rate_says(selected, samples):
    section = {"policy": {"use": "zipf", "protect": []}, "budget": 0.5}
    drawn, selection, source = selected(section | {"redraws": 4})
    assert selection["epochs"] == {"use": "turns", "draws": 4}
    times = drawn.groupby("sample_id").size()
    rate = drawn.groupby("sample_id").keep_rate.first()
    assert (abs(times - 4 * rate) < 1).all()
    assert not drawn.duplicated(["sample_id", "pace"]).any()
    single, alone, _ = selected(section)
    assert set(drawn.sample_id[drawn.pace == 0]) == set(single.sample_id)
    sizes = drawn.groupby("pace").size()
    deviation = np.sqrt(
        (samples.key.map(single.groupby("key").keep_rate.first()).fillna(0).pipe(lambda p: p * (1 - p))).sum()
    )
    assert (abs(sizes - 600) < 4 * deviation + 1).all()
    ledger = source.manifest.ledger
    assert ledger.rows_out == len(drawn)
    assert ledger.added == {"drawn again for another epoch": len(drawn) - len(times)}
    assert ledger.dropped == {"not selected by zipf": len(samples) - len(times)}
    assert selection["ess"] == pytest.approx(alone["ess"], rel=0.1)


def test_a_curriculum_gives_every_row_the_stage_from_which_it_takes_part(selected, scores, scored):
    section = {
        "policy": {"use": "zipf", "protect": []},
        "budget": 0.6,
        "curriculum": {"order": "rare_first", "stages": 3},
    }
    kept, selection, _ = selected(section)
    assert selection["epochs"] == {"use": "curriculum", "order": "rare_first", "stages": 3, "full_by": 0.5}
    of_key = kept.groupby("key").pace.agg(["min", "max"])
    assert (of_key["min"] == of_key["max"]).all()
    assert of_key["min"]["once1"] < of_key["min"]["common"]
    easy = (
        selected({**section, "curriculum": {"order": "easy_first"}}, scores(scored))[0]
        .groupby("key")
        .pace.first()
    )
    assert easy["rough"] > easy["common"]


def test_a_time_budget_is_the_last_nights_speed(night, selected):
    work = night.on("2011-01-31").work("train")
    train = night.on("2011-01-31").finish(work, Outcome(Ledger(), metrics={"world": 2}), {"epochs": 5})
    train = dataclasses.replace(
        train, manifest=dataclasses.replace(train.manifest, run={"rows_per_second": 1000})
    )
    _, selection, _ = selected({"policy": "uniform", "budget": "3s"}, {"speed": train})
    assert selection["budget"] == 3 * 1000 / 5
    assert selection["budget_asked"] == "3s"


def test_a_pilot_of_an_earlier_night_is_used_and_named(night, selected):
    work = night.on("2011-01-31").work("pilot")
    facts = {"date": "2011-01-31", "beta": 1.0, "errors": [[1, None, 1.0]]}
    pilot = night.on("2011-01-31").finish(
        work, Outcome(Ledger(), files=[write_json(work.folder, "pilot.json", facts)])
    )
    fitted, selection, _ = selected(
        {"policy": {"use": "zipf", "beta": "fitted", "protect": []}, "budget": 0.4}, {"pilot": pilot}
    )
    given, *_ = selected({"policy": {"use": "zipf", "beta": 1.0, "protect": []}, "budget": 0.4})
    assert set(fitted.sample_id) == set(given.sample_id)
    assert selection["pilot"] == facts


def test_samples_may_have_columns_of_any_name_but_those_that_select_adds(
    spark, night, selected, scores, scored, samples
):
    named = samples.assign(frequency=1, copies=2, surprise=3, count=4, pace=5)
    schema = f"{SCHEMA}, frequency int, copies int, surprise int, count int, pace int"
    prepare = night.source("prepare", train=spark.createDataFrame(named, schema))
    counted = night.finish(
        work := night.work("zipf", {"prepare": prepare}), zipf.run(work, zipf.Config(), spark)
    )
    given = {"prepare": prepare, "zipf": counted}
    for policy in ("zipf", "boundary", "collapse"):
        kept, *_ = selected({"policy": policy, "budget": 0.7}, scores(scored), given=given)
        assert set(kept.surprise) == {3}
        assert set(kept.pace) == {5}
    with pytest.raises(ConfigError, match="adds a column 'pace'"):
        selected({"policy": "zipf", "budget": 0.7, "redraws": 2}, given=given)


def test_rows_without_a_key_are_one_key(spark, night, selected, samples):
    unkeyed = samples.assign(key=samples.key.where(samples.key != "common"))
    prepare = night.source("prepare", train=spark.createDataFrame(unkeyed, SCHEMA))
    counted = night.finish(
        work := night.work("zipf", {"prepare": prepare}), zipf.run(work, zipf.Config(), spark)
    )
    kept, selection, _ = selected(
        {"policy": "cap", "budget": 0.4, "weights": False}, given={"prepare": prepare, "zipf": counted}
    )
    assert kept.key.isna().sum() < 200
    assert selection["expected"] == pytest.approx(480)
    assert [f for f, *_ in selection["by_frequency"]][-1] == 600


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"policy": {"use": "boundary", "correct": "offset"}, "budget": 0.5}, "say weights: false"),
        ({"policy": "collapse", "budget": 0.5, "weights": False}, "needs weights: true"),
        ({"policy": "collapse", "budget": 0.5, "curriculum": {}}, "is an order of keys"),
        (
            {"policy": {"use": "uniform", "per_epoch": True}, "budget": 0.5, "curriculum": {}},
            "is an order of keys",
        ),
        (
            {"policy": "zipf", "budget": 0.5, "redraws": 3, "curriculum": {}},
            "does not go with the curriculum",
        ),
        (
            {"policy": {"use": "uniform", "per_epoch": True}, "budget": 0.5, "redraws": 3},
            "does not go with 'uniform'",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(selected, section, said):
    with pytest.raises(ConfigError, match=said):
        selected(section)
