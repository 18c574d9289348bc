"""The arithmetic of the proof (benchmarks/selection): budgets, order and steps of the arms, gain, multiplier,
bootstrap.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from selection import arms, bootstrap, figures, protocol
from selection.task import Task

from lsml_spark.select.policies.zipf import Zipf

ROWS = 30_000


def zipfian_keys(seed: int = 0) -> np.ndarray:
    """Keys 0 … K − 1 of rows, each seen at least once."""
    keys = np.random.default_rng([seed]).zipf(1.5, ROWS)
    return np.unique(np.minimum(keys, 5_000), return_inverse=True)[1]


class Coin(Task):
    """Notes what it is asked to fit; its "model" is the mean label of the rows visited."""

    def fit(self, rows_T, weight_N, lr, seed):
        self.visited = rows_T
        return float(self.label_N[rows_T].mean())

    def losses(self, model, rows):
        loss_M = np.where(self.test_label_M == 1, -np.log(model), -np.log(1 - model))
        return loss_M, (model > 0.5) != self.test_label_M

    def own_probability(self, model, rows_N):
        return np.where(self.label_N[rows_N] == 1, model, 1 - model)


def coin(epochs: float = 2.0) -> Coin:
    generator = np.random.default_rng([3])
    key_N = zipfian_keys()
    test_M = generator.integers(0, 50, 400)
    return Coin(
        "coin",
        key_N,
        (generator.random(ROWS) < 0.4) * 1,
        test_M,
        (generator.random(400) < 0.4) * 1,
        64,
        epochs,
        (0.1, 0.2),
    )


ARMS = [arm for arm in protocol.arms_of(coin()) if arm not in ("full", "full_fewer")]


@pytest.mark.parametrize("arm", [*ARMS, "boundary_offset"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_every_arm_keeps_the_budget_in_expectation_and_what_it_drew_in_fact(arm, share):
    key_N = zipfian_keys()
    own_N = np.random.default_rng([5]).random(ROWS)
    drawn = arms.draw(arm, key_N, share, 1, lambda: own_N)
    assert drawn.rate_N.sum() == pytest.approx(share * ROWS, rel=1e-6)
    sigma = np.sqrt((drawn.rate_N * (1 - drawn.rate_N)).sum())
    assert abs(len(drawn.rows_of(0)) - share * ROWS) < 5 * sigma


def test_the_placebo_has_the_rates_of_zipf_dealt_to_other_keys_and_scaled_by_one_factor():
    key_N = zipfian_keys()
    counts_K = np.bincount(key_N)
    rate_K = arms.key_rates(Zipf(beta=0.5), key_N, 0.25)
    placebo_K = arms.placebo(rate_K, counts_K, 0.25, 1)
    factor = placebo_K.min() / rate_K.min()
    np.testing.assert_allclose(np.sort(placebo_K), np.minimum(1, factor * np.sort(rate_K)), rtol=1e-9)
    assert (counts_K * placebo_K).sum() == pytest.approx(0.25 * ROWS)
    assert (
        abs(stats.spearmanr(placebo_K, counts_K).statistic)
        < 0.1
        < abs(stats.spearmanr(rate_K, counts_K).statistic)
    )


def test_arms_of_one_seed_share_their_draws_and_smaller_shares_are_parts_of_larger_ones():
    key_N = zipfian_keys()
    for arm in ("random", "zipf", "mixed"):
        less, more = (arms.draw(arm, key_N, share, 1, lambda: key_N).rows_of(0) for share in (0.1, 0.5))
        assert np.isin(less, more).all()
    once, again = (arms.draw("rs2", key_N, 0.5, 1, lambda: key_N).rows_of(epoch) for epoch in (0, 1))
    np.testing.assert_array_equal(once, arms.draw("random", key_N, 0.5, 1, lambda: key_N).rows_of(0))
    assert 0.4 < np.isin(once, again).mean() < 0.6


def test_the_offset_is_the_log_ratio_of_the_chances_of_the_two_labels():
    own_N = np.random.default_rng([5]).random(ROWS)
    both_N = np.concatenate([own_N, 1 - own_N])  # every row beside the same row with the other label
    rate_N = arms.acceptance(both_N, 0.3 * 2 * ROWS, arms.FLOOR)
    np.testing.assert_allclose(
        arms.log_odds(both_N, rate_N)[:ROWS], np.log(rate_N[:ROWS] / rate_N[ROWS:]), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("epochs", [1.0, 2.5])
def test_every_arm_takes_the_same_steps_and_visits_its_rows_evenly(epochs, tmp_path):
    task = coin(epochs)
    run = protocol.Protocol(task, (0.25,), (1,), tmp_path)
    steps = int(np.ceil(epochs * 0.25 * ROWS / 64))
    for arm in ("random", "rs2", "zipf", "zipf_redrawn", "boundary", "placebo", "full_fewer"):
        run.fit(arm, 0.25, 1, 0.1)
        assert len(task.visited) == steps * 64
        if arm not in ("rs2", "zipf_redrawn"):
            counts = np.unique(task.visited, return_counts=True)[1]
            assert counts.max() <= np.ceil(epochs) + 1  # one more where fewer rows than expected were drawn
    run.fit("full", 1.0, 1, 0.1)
    assert len(task.visited) == int(np.ceil(epochs * ROWS / 64)) * 64


def test_a_run_goes_on_where_it_was_stopped_with_the_same_figures(tmp_path):
    first = protocol.Protocol(coin(), (0.25, 0.5), (1, 2), tmp_path, ["random", "zipf", "full"])
    whole = figures.report(first, first.run())
    for path in list(tmp_path.glob("*/zipf-*.npz"))[:2]:
        path.unlink()
    second = protocol.Protocol(coin(), (0.25, 0.5), (1, 2), tmp_path, ["random", "zipf", "full"])
    resumed = figures.report(second, second.run())
    assert resumed["headline"] == whole["headline"]


def test_the_gain_is_0_at_random_1_at_full_and_negative_below_random():
    np.testing.assert_allclose(
        figures.gain(np.full(4, 0.3), np.array([0.3, 0.2, 0.25, 0.35]), np.full(4, 0.2)), [0, 1, 0.5, -0.5]
    )


def test_the_multiplier_inverts_a_power_law_and_stays_within_the_curve():
    shares = [0.05, 0.1, 0.25, 0.5, 1.0]
    losses = [q**-0.3 for q in shares]
    for equal_to in (0.07, 0.4, 0.9):
        assert figures.multiplier(losses, shares, equal_to**-0.3, 0.25) == pytest.approx(equal_to / 0.25)
    assert figures.multiplier(losses, shares, 0.5, 0.25) == pytest.approx(4)  # better than all rows
    assert figures.multiplier(losses, shares, 9.0, 0.25) == pytest.approx(0.2)  # worse than the least share
    flat = [4.0, 3.0, 3.1, 2.0, 2.5]  # noise: 0.25 is no better than 0.1, 1 no better than 0.5
    assert figures.multiplier(flat, shares, 3.0, 0.5) == pytest.approx(0.2)
    assert figures.multiplier(flat, shares, 1.0, 0.5) == pytest.approx(1.0)


def test_the_clustered_bootstrap_has_the_spread_of_key_means_not_that_of_rows():
    generator = np.random.default_rng([8])
    keys, per_key = 400, 25
    mean_K = generator.normal(size=keys)  # rows of a key are all alike: only keys count
    total_ASK = np.stack([np.stack([mean_K * per_key] * 3), np.stack([(mean_K + 1) * per_key] * 3)])
    numbers, weights = bootstrap.resampled(
        total_ASK, np.full(keys, float(per_key)), np.zeros(keys, int), 1, seed=1
    )
    mean_RA = numbers[:, 0] / weights
    estimate, low, high = bootstrap.interval(mean_RA[:, 0])
    assert estimate == pytest.approx(mean_K.mean(), abs=1e-5)
    assert high - low == pytest.approx(2 * 1.96 * mean_K.std() / np.sqrt(keys), rel=0.15)
    # paired: a constant difference has no spread
    np.testing.assert_allclose(mean_RA[:, 1] - mean_RA[:, 0], 1.0)


def test_the_bootstrap_spreads_over_seeds_too():
    total_ASK = np.ones((1, 5, 100)) * np.array([1.0, 2, 3, 4, 5])[None, :, None]
    numbers, weights = bootstrap.resampled(total_ASK, np.ones(100), np.zeros(100, int), 1, seed=1)
    spread = (numbers[1:, 0, 0] / weights[1:, 0]).std()
    assert spread == pytest.approx(np.sqrt(2 / 5), rel=0.15)
