"""Figures of shuffles against what theory says of a uniform one and of none; and what our shuffles are
worth.
"""

import numpy as np
import pytest
from planned_rows import flat, places

from lsml_spark.data.order.plan import plan
from lsml_spark.data.order.shuffle_quality import imbalance, neighbours, travel

ROWS, LABELS, BATCH = 40_000, 10, 200
LABEL_N = np.repeat(np.arange(LABELS), ROWS // LABELS)  # sorted: the hardest case
UNIFORM = np.sqrt(LABELS / (2 * np.pi * BATCH)) * np.sqrt(1 - 1 / LABELS)


def order_of(shuffle, lanes):
    p = plan([1000] * 40, seed=3, epoch=0, world=1, batch=BATCH, lanes=lanes, shuffle=shuffle)
    steps = [places(p, lane).reshape(p.steps, -1) for lane in range(lanes)]
    return np.concatenate(steps, axis=1).ravel()


def test_no_shuffle_and_a_uniform_one_have_the_figures_of_theory():
    as_they_lie, uniform = np.arange(ROWS), np.random.default_rng(0).permutation(ROWS)
    assert travel(as_they_lie) == 0
    assert neighbours(as_they_lie) == pytest.approx(1)
    assert imbalance(as_they_lie, LABEL_N, BATCH) == pytest.approx(1 - 1 / LABELS)
    assert travel(uniform) == pytest.approx(1 / 3, abs=0.005)
    assert abs(neighbours(uniform)) < 4 / np.sqrt(ROWS)
    assert imbalance(uniform, LABEL_N, BATCH) == pytest.approx(UNIFORM, rel=0.05)


def test_a_full_shuffle_is_uniform_and_a_buffer_of_row_groups_is_on_rows_in_hash_order_only():
    full, buffer = order_of("full", 4), order_of("buffer", 4)
    assert travel(full) == pytest.approx(1 / 3, abs=0.005)
    assert abs(neighbours(full)) < 4 / np.sqrt(ROWS)
    assert imbalance(full, LABEL_N, BATCH) == pytest.approx(UNIFORM, rel=0.05)
    assert imbalance(buffer, LABEL_N, BATCH) > 3 * UNIFORM
    assert neighbours(buffer) > 0.5
    in_hash_order = np.random.default_rng(1).permutation(ROWS)  # what the shard stage does
    assert imbalance(in_hash_order[buffer], LABEL_N, BATCH) == pytest.approx(UNIFORM, rel=0.05)
    assert abs(neighbours(in_hash_order[buffer])) < 4 / np.sqrt(ROWS)
    assert sorted(flat([buffer.tolist()])) == list(range(ROWS))


def test_more_lanes_mix_more_row_groups_into_a_batch():
    found = [imbalance(order_of("buffer", lanes), LABEL_N, BATCH) for lanes in (1, 4, 20)]
    assert found == sorted(found, reverse=True)
