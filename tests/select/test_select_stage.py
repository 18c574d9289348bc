"""The select stage: the rows that a hash of their id says, in any partitioning, without a shuffle of the
rows.
"""

import json
import re
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from scipy import stats

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.select import run as select
from lsml_spark.select.apply import Groups, by_key, uniform
from lsml_spark.select.policies.cap import Cap
from lsml_spark.select.policies.of_rows import RatedRows, RowPolicy
from lsml_spark.select.policies.policy import Policy, Spectrum
from lsml_spark.spark import tables
from lsml_spark.zipf import run as zipf

pytestmark = pytest.mark.spark
ROWS = 6000


@pytest.fixture(scope="module")
def samples() -> pd.DataFrame:
    """Zipfian keys, one of which is half of all rows."""
    random = np.random.default_rng(21)
    key = np.minimum(random.zipf(1.6, ROWS), 10**6).astype(str)
    key[random.permutation(ROWS)[: ROWS // 2]] = "head"
    return pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(ROWS)],
            "key": key,
            "label": key,
            "value": random.normal(5, 1, ROWS),
        }
    )


@pytest.fixture(scope="module")
def inputs(spark, module_night, samples):
    frame = spark.createDataFrame(samples, "sample_id string, key string, label string, value double")
    prepare = module_night.source("prepare", train=frame)
    work = module_night.work("zipf", {"prepare": prepare})
    return {"prepare": prepare, "zipf": module_night.finish(work, zipf.run(work, zipf.Config(), spark))}


@pytest.fixture
def selected(spark, night, inputs):
    """`selected(policy, budget)`: what the stage keeps, as pandas, and its selection.json."""

    def run(policy, budget, *, seed=7, weights=True, given=inputs):
        night.seed = seed
        work = night.work("select", given)
        outcome = select.run(
            work,
            validate(select.Config, {"policy": policy, "budget": budget, "weights": weights}, "x"),
            spark,
        )
        source = night.finish(work, outcome)
        return (
            tables.read(spark, source, table="train").toPandas(),
            json.loads(source.file("selection.json").read_text()),
            source,
        )

    return run


POLICIES = ["uniform", "cap", "power", {"use": "zipf", "beta": 0.5}, {"use": "zipf", "objective": "breadth"}]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_rows_weights_and_summary_of_a_selection_agree(selected, samples, policy):
    kept, selection, source = selected(policy, 0.4)
    merged = kept.merge(samples, on="sample_id", suffixes=("", "_before"))
    assert len(merged) == len(kept) == selection["rows_kept"]
    assert (merged.key == merged.key_before).all()
    assert (merged.value == merged.value_before).all()
    frequency = samples.key.value_counts()
    rate_of = {f: rate for f, _, _, rate in selection["by_frequency"]}
    assert kept.keep_rate.to_numpy() == pytest.approx([rate_of[f] for f in kept.key.map(frequency)], abs=1e-9)
    assert kept.weight.to_numpy() == pytest.approx(1 / kept.keep_rate, rel=1e-12)
    by_hand = kept.key.map(frequency).value_counts()
    assert [[f, rows, count] for f, rows, count, _ in selection["by_frequency"]] == [
        [f, rows, by_hand.get(f, 0)] for f, rows in sorted(samples.key.map(frequency).value_counts().items())
    ]
    assert selection["ess"] == pytest.approx(kept.weight.sum() ** 2 / (kept.weight**2).sum(), abs=0.01)
    assert selection["expected"] == pytest.approx(0.4 * ROWS, abs=0.01)
    deviation = np.sqrt(sum(rows * rate * (1 - rate) for _, rows, _, rate in selection["by_frequency"]))
    assert abs(len(kept) - 0.4 * ROWS) < 4 * deviation
    assert selection["level"] == max([f for f, rate in rate_of.items() if rate >= 1], default=0)
    assert source.manifest.ledger.dropped == {
        f"not selected by {selection['policy']['use']}": ROWS - len(kept)
    }


def test_the_same_rows_are_kept_in_any_partitioning(spark, night, samples, inputs, selected):
    hashes = set()
    for partitions in (1, 3, 11):
        frame = tables.read(spark, inputs["prepare"], table="train").repartition(partitions)
        given = {**inputs, "prepare": night.source("prepare", train=frame)}
        hashes.add(
            selected({"use": "zipf", "beta": 0.5}, 0.3, given=given)[2].manifest.tables["train"].rows_hash
        )
    assert len(hashes) == 1


def test_selections_of_growing_budgets_nest_and_seeds_differ(selected):
    small, large, other = (
        set(selected("zipf", budget, seed=seed)[0].sample_id)
        for budget, seed in ((0.2, 7), (0.5, 7), (0.5, 8))
    )
    assert small < large
    assert large != other


def test_a_budget_can_be_a_number_of_rows(selected):
    share, rows = selected("zipf", 0.25), selected("zipf", ROWS // 4)
    assert share[2].manifest.tables == rows[2].manifest.tables
    assert share[1]["budget"] == rows[1]["budget"] == ROWS / 4


@pytest.mark.parametrize("budget", [1.0, ROWS, 10 * ROWS])
def test_a_budget_of_all_rows_keeps_all_rows_at_weight_one(selected, budget):
    kept, selection, _ = selected("zipf", budget)
    assert len(kept) == ROWS
    assert (kept.weight == 1).all()
    assert (kept.keep_rate == 1).all()
    assert selection["ess"] == ROWS
    assert selection["budget"] == ROWS


def test_weights_can_be_left_out(selected):
    with_weights, without = selected("cap", 0.3)[0], selected("cap", 0.3, weights=False)[0]
    assert (without.weight == 1).all()
    assert set(with_weights.sample_id) == set(without.sample_id)
    assert with_weights.weight.max() > 1


def test_a_key_that_is_half_of_all_rows_is_thinned_and_rare_keys_are_kept_whole(selected, samples):
    kept, selection, _ = selected("cap", 0.3)
    assert (samples.key == "head").mean() >= 0.5
    assert (kept.key == "head").mean() < 0.1
    rare = samples.key.value_counts().loc[lambda count: count <= selection["level"]].index
    assert set(samples.sample_id[samples.key.isin(rare)]) <= set(kept.sample_id)


def test_draws_of_the_hash_are_uniform_and_weighted_sums_unbiased_over_seeds(spark, samples):
    ids = spark.createDataFrame(samples[["sample_id"]]).coalesce(1)
    seeds = range(30)
    drawn = (
        ids.select(*[uniform("sample_id", seed).alias(str(seed)) for seed in seeds]).toPandas().to_numpy().T
    )
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 1e-4
    assert np.abs(np.corrcoef(drawn) - np.eye(len(seeds))).max() < 6 / np.sqrt(ROWS)
    value, rate = samples.value.to_numpy(), np.where(samples.key == "head", 0.1, 0.6)
    sums = ((drawn < rate) * value / rate).sum(axis=1)
    deviation = np.sqrt((value**2 * (1 - rate) / rate).sum() / len(seeds))
    assert abs(sums.mean() - value.sum()) < 4 * deviation


def test_a_selected_sum_is_that_of_all_rows_within_its_error(selected, samples):
    kept, *_ = selected("zipf", 0.4)
    # its unbiased estimate
    deviation = np.sqrt((kept.value**2 * (1 - kept.keep_rate) / kept.keep_rate**2).sum())
    assert abs((kept.value * kept.weight).sum() - samples.value.sum()) < 4 * deviation


@pytest.mark.parametrize(
    "policy", ["uniform", "cap", "zipf", "mixed", {"use": "uniform", "per_epoch": True}], ids=str
)
def test_the_plan_scans_the_rows_once_and_shuffles_none_of_them(selected, monkeypatch, policy):
    plans = []

    def write(frame, *rest, **options):
        plans.append(frame._jdf.queryExecution().executedPlan().toString())
        return tables_write(frame, *rest, **options)

    tables_write = tables.write
    monkeypatch.setattr(tables, "write", write)
    selected(policy, 0.4)
    (plan,) = plans  # of what is written
    assert set(re.findall(r"\w*Exchange\w*", plan)) <= {"BroadcastExchange"}
    assert not re.search(r"SortMergeJoin|ShuffledHashJoin|CartesianProduct|Window", plan)
    assert len(re.findall(r"FileScan parquet \[[^]]*sample_id", plan)) == 1


def test_tail_keys_are_never_listed(spark, inputs, samples):
    groups = Groups.of(tables.read(spark, inputs["zipf"], table="counts"))
    spectrum = Spectrum(groups.column("count"), groups.keys_S)
    rates = Cap().keep_rates(spectrum, 0.3 * ROWS)
    train = tables.read(spark, inputs["prepare"], table="train")
    rated = by_key(train, groups, {"keep_rate": rates}, spectrum, 50)
    listed = spectrum.keys[rated.listed_S].sum()
    assert listed <= ROWS / spectrum.frequency[rates >= 1].max()
    assert listed < 0.2 * samples.key.nunique()


def test_no_samples_is_an_error_that_says_so(spark, night, selected):
    prepare = night.source("prepare", train=spark.createDataFrame([], "sample_id string, key string"))
    counts = night.source("zipf", counts=spark.createDataFrame([], "key string, count long"))
    with pytest.raises(ConfigError, match="no samples"):
        selected("zipf", 0.5, given={"prepare": prepare, "zipf": counts})


def test_a_selection_that_keeps_nothing_is_said_and_not_found_out_by_the_training(spark, night):
    samples = spark.createDataFrame([("a", "k"), ("b", "l")], "sample_id string, key string")
    inputs = {
        "prepare": night.source("prepare", train=samples),
        "zipf": night.source("zipf", counts=samples.groupBy("key").count()),
    }
    outcome = select.run(
        night.work("select", inputs), select.Config(policy="uniform", budget=0.0001, weights=False), spark
    )
    assert outcome.failed.startswith("select: none of the 2 training rows was kept (budget 0.0001")
    assert outcome.ledger.rows_out == 0


class RareOnly(Policy):
    """A user's own: keys seen once, at a rate that may be nonsense."""

    rate: float = 1.0

    def keep_rates(self, spectrum, budget):
        return np.where(spectrum.frequency == 1, self.rate, 0.0)


def test_a_policy_of_the_users_own_may_drop_keys_altogether(selected, samples):
    kept, selection, _ = selected({"use": f"{__name__}.RareOnly"}, 0.5)
    once = samples.groupby("key").key.transform("size") == 1
    assert set(kept.sample_id) == set(samples.sample_id[once])
    assert selection["ess"] == selection["rows_kept"] == once.sum()


def test_keep_rates_that_are_none_are_refused(selected):
    with pytest.raises(ConfigError, match="RareOnly' gives keep rates"):
        selected({"use": f"{__name__}.RareOnly", "rate": 1.5}, 0.5)


class Dear(RowPolicy):
    """A user's own policy of rows: those that cost 10 or more are kept, of the others as many as the budget
    has left.
    """

    unbiased: ClassVar[str] = "turnover is that of all rows"
    floor: float = 10.0
    rate: float | None = None  # of the others, where it is to be nonsense

    @property
    def adds(self):
        return ("dear",)

    def rated(self, train, scores, budget):
        dear = F.col("value") >= self.floor
        rows_S = np.array([train.where(dear).count(), train.where(~dear).count()])
        rate = (budget - rows_S[0]) / rows_S[1] if self.rate is None else self.rate
        frame = train.withColumns({"keep_rate": F.when(dear, 1.0).otherwise(rate), "dear": dear})
        return RatedRows(frame, rows_S, np.array([1.0, rate]))


class Unmoved(Policy):
    """A policy of rows as it was said before there was a base for them."""

    unit: ClassVar[str] = "row"

    def keep_rates(self, spectrum, budget):
        return np.ones(len(spectrum.frequency))


@pytest.fixture
def equal_rows(spark, night):
    """400 rows of which many are equal but for their id: two prices, two keys."""
    rows = [(f"r{i:03d}", "ab"[i % 2], "ab"[i % 2], 12.0 if i % 5 == 0 else 3.0) for i in range(400)]
    frame = spark.createDataFrame(rows, "sample_id string, key string, label string, value double")
    prepare = night.source("prepare", train=frame)
    work = night.work("zipf", {"prepare": prepare})
    return {"prepare": prepare, "zipf": night.finish(work, zipf.run(work, zipf.Config(), spark))}


def test_a_policy_of_rows_of_the_users_own_says_its_rates_its_columns_and_what_is_unbiased(
    selected, equal_rows
):
    kept, selection, source = selected({"use": f"{__name__}.Dear"}, 200, given=equal_rows)
    assert kept.dear.sum() == 80  # all of them: rows that are equal stay rows
    assert set(kept.sample_id[kept.dear]) == {f"r{i:03d}" for i in range(0, 400, 5)}
    assert kept.keep_rate.to_numpy() == pytest.approx(np.where(kept.dear, 1.0, 120 / 320), rel=1e-12)
    assert kept.weight.to_numpy() == pytest.approx(1 / kept.keep_rate, rel=1e-12)
    assert selection["unbiased"] == "turnover is that of all rows"
    assert selection["expected"] == 200
    assert abs(len(kept) - 200) < 5 * np.sqrt(320 * 0.375 * 0.625)
    assert dict(source.manifest.ledger.dropped) == {f"not selected by {__name__}.Dear": 400 - len(kept)}
    assert source.manifest.tables["train"].columns["dear"] == "boolean"


def test_what_a_policy_of_rows_may_not_do_is_said(selected, equal_rows):
    with pytest.raises(
        ConfigError, match=r"Dear' gives keep rates that are not one number in .* per group of rows"
    ):
        selected({"use": f"{__name__}.Dear", "rate": 1.5}, 0.5, given=equal_rows)
    with pytest.raises(ConfigError, match=r"Unmoved' is one of rows; derive it from RowPolicy"):
        selected({"use": f"{__name__}.Unmoved"}, 0.5, given=equal_rows)


def test_weights_that_leave_little_of_the_sample_are_refused(spark, night):
    rows = [
        (f"{key}-{i}", key)
        for key, count in [("head", 8000), *[(f"tail{n}", 1) for n in range(400)]]
        for i in range(count)
    ]
    samples = spark.createDataFrame(rows, "sample_id string, key string")
    counts = samples.groupBy("key").count()
    inputs = {"prepare": night.source("prepare", train=samples), "zipf": night.source("zipf", counts=counts)}
    with pytest.raises(ConfigError, match=r"effective sample size of 0\.05"):
        select.run(night.work("select", inputs), select.Config(policy="cap", budget=0.05), spark)
    for config in (
        select.Config(policy="cap", budget=0.05, weights=False),
        select.Config(policy="mixed", budget=0.05),
    ):
        assert 340 < select.run(night.work("select", inputs), config, spark).ledger.rows_out < 500
