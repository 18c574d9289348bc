"""The plan: each row once an epoch, equal steps on every rank, the same global batches at any world size."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_rows import flat, global_batches

from lsml_spark.core.errors import ConfigError
from lsml_spark.data.plan import plan

LANES = st.sampled_from([1, 2, 3, 4, 6, 8])


@st.composite
def plans(draw):
    lanes = draw(LANES)
    world = draw(st.sampled_from([w for w in range(1, lanes + 1) if lanes % w == 0]))
    return plan(
        draw(st.lists(st.integers(0, 30), max_size=8)),
        seed=draw(st.integers(0, 2**40)),
        epoch=draw(st.integers(0, 5)),
        world=world,
        batch=lanes * draw(st.integers(1, 9)),
        lanes=lanes,
    )


@given(plans())
def test_every_row_is_read_exactly_once_in_an_epoch(p):
    every = [(group, row) for group, rows in enumerate(p.rows_G) for row in range(rows)]
    assert sorted(flat(global_batches(p))) == every


@given(plans())
def test_every_rank_takes_the_same_number_of_steps_and_only_a_lanes_end_is_short(p):
    for rank in range(p.world):
        for lane in p.lanes_of(rank):
            sizes = [sum(piece.rows for piece in pieces) for pieces in p.steps_of(lane)]
            assert len(sizes) == p.steps
            full = [size for size in sizes if size == p.rows_per_lane]
            assert sizes[: len(full)] == full
            assert sum(size > 0 for size in sizes[len(full) :]) <= 1
    lengths = [sum(piece.rows for piece in p.pieces(lane)) for lane in range(p.lanes)]
    assert max(lengths) - min(lengths) <= 1


@given(plans(), st.data())
def test_global_batches_are_the_same_at_any_world_size(p, data):
    world = data.draw(st.sampled_from([w for w in range(1, p.lanes + 1) if p.lanes % w == 0]))
    other = plan(p.rows_G, seed=p.seed, epoch=p.epoch, world=world, batch=p.batch, lanes=p.lanes)
    assert global_batches(other) == global_batches(p)
    assert other.digest == p.digest


@settings(max_examples=20)
@given(st.integers(0, 2**40))
def test_epochs_and_seeds_give_other_orders(seed):
    def order(seed, epoch):
        return flat(global_batches(plan([50, 50, 50], seed=seed, epoch=epoch, world=2, batch=16, lanes=8)))

    assert order(seed, 0) == order(seed, 0)
    assert order(seed, 0) != order(seed, 1)
    assert order(seed, 0) != order(seed + 1, 0)


def test_the_order_is_close_to_uniform():
    """The first row is read at a mean place of N/2 over many epochs, within four standard errors."""
    places = []
    for epoch in range(300):
        order = flat(global_batches(plan([40] * 5, seed=3, epoch=epoch, world=1, batch=200, lanes=1)))
        places.append(order.index((0, 0)))
    assert abs(np.mean(places) - 99.5) < 4 * np.sqrt((200**2 - 1) / 12 / 300)


def test_without_a_rule_of_epochs_the_plan_is_what_it_was_before_there_were_rules():
    p = plan([30, 7, 50, 0, 13], seed=11, epoch=3, world=2, batch=16, lanes=4)
    order = [[[[x.group, x.start, x.stop] for x in pieces] for pieces in p.steps_of(lane)] for lane in range(4)]
    within = [p.order_within(group).tolist() for group in range(5)]
    assert p.digest == "7cd066c7802c5d5846d16e70b45fdfc3d09ef2044901ba19e4de95bfd62f0aed"
    golden = "9c820001d1f84d406e10dac656be208e60a48174133f51366b3afafd2fa29087"
    assert hashlib.sha256(json.dumps([order, within]).encode()).hexdigest() == golden


@pytest.mark.parametrize(("world", "batch", "lanes"), [(3, 16, 8), (16, 16, 8), (2, 12, 8), (1, 4, 8), (0, 16, 8)])
def test_ranks_and_lanes_that_do_not_fit_are_refused(world, batch, lanes):
    with pytest.raises(ConfigError, match=r"train\.(workers|batch)"):
        plan([10], seed=0, epoch=0, world=world, batch=batch, lanes=lanes)
