"""The plan: each row once an epoch, equal steps on every rank, the same global batches at any world size."""

import hashlib
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned_rows import flat, global_batches, places, rows_of

from lsml_spark.core.errors import ConfigError
from lsml_spark.data.order.plan import plan

LANES = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16])
SHUFFLES = ["none", "buffer", "groups", "full"]


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
        shuffle=draw(st.sampled_from(SHUFFLES)),
    )


@given(plans())
def test_every_row_is_read_exactly_once_in_an_epoch(p):
    every = [(group, row) for group, rows in enumerate(p.rows_G) for row in range(rows)]
    assert sorted(flat(global_batches(p))) == every


@given(plans())
def test_every_rank_takes_the_same_number_of_steps_and_only_a_lanes_end_is_short(p):
    for rank in range(p.world):
        for lane in p.lanes_of(rank):
            sizes = [len(p.rows_at(lane, step)[0]) for step in range(p.steps)]
            assert len(p.rows_at(lane, p.steps)[0]) == 0
            full = [size for size in sizes if size == p.rows_per_lane]
            assert sizes[: len(full)] == full
            assert sum(size > 0 for size in sizes[len(full) :]) <= 1
            assert all(size > 0 for size in sizes[: p.full_steps])
    lengths = [last - first for first, last in map(p.cut, range(p.lanes))]
    assert max(lengths) - min(lengths) <= 1
    assert sum(lengths) == p.rows


@given(plans(), st.data())
def test_global_batches_are_the_same_at_any_world_size(p, data):
    world = data.draw(st.sampled_from([w for w in range(1, p.lanes + 1) if p.lanes % w == 0]))
    other = plan(
        p.rows_G, seed=p.seed, epoch=p.epoch, world=world, batch=p.batch, lanes=p.lanes, shuffle=p.shuffle
    )
    assert global_batches(other) == global_batches(p)
    assert other.digest == p.digest


@given(plans(), st.data())
def test_what_comes_after_a_step_does_not_depend_on_where_the_reading_began(p, data):
    """Some steps at once, one at a time, or in pieces of row groups: the same rows."""
    if not p.steps:
        return
    lane, first = data.draw(st.integers(0, p.lanes - 1)), data.draw(st.integers(0, p.steps - 1))
    steps = data.draw(st.integers(1, p.steps - first))
    one_by_one = flat(rows_of(p, lane, step) for step in range(first, first + steps))
    assert list(zip(*(part.tolist() for part in p.rows_at(lane, first, steps)), strict=True)) == one_by_one
    if p.shuffle != "full":
        pieces = p.pieces(lane, first, steps)
        assert [
            (x.group, row) for x in pieces for row in p.order_within(x.group)[x.start : x.stop].tolist()
        ] == one_by_one
        assert flat(p.steps_of(lane)) == flat(p.pieces(lane, step) for step in range(p.steps))


def test_a_thousand_random_manifests_are_read_whole_at_every_world_size():
    """The same without Hypothesis, in bulk: each row once, whatever ranks share the lanes."""
    rng = np.random.default_rng(0)
    for number in range(1000):
        rows_G = rng.integers(0, rng.choice([3, 50, 400]), rng.integers(0, 12)).tolist()
        lanes = int(rng.choice([1, 2, 4, 8, 12, 16]))
        worlds = [world for world in range(1, 17) if lanes % world == 0]
        told = {
            "seed": number,
            "epoch": int(rng.integers(0, 9)),
            "batch": lanes * int(rng.integers(1, 40)),
            "lanes": lanes,
        }
        told["shuffle"] = SHUFFLES[number % 4]
        first, last = (plan(rows_G, world=world, **told) for world in (1, worlds[-1]))
        read = [places(first, lane) for lane in range(lanes)]
        assert np.array_equal(np.sort(np.concatenate(read)), np.arange(sum(rows_G)))
        for world in worlds:
            other = plan(rows_G, world=world, **told)
            assert other.steps == first.steps
            assert flat(other.lanes_of(rank) for rank in range(world)) == list(range(lanes))
        assert all(np.array_equal(places(last, lane), rows) for lane, rows in enumerate(read))


def order(seed, epoch, shuffle, rows_G=(50, 50, 50)):
    return flat(
        global_batches(plan(rows_G, seed=seed, epoch=epoch, world=2, batch=16, lanes=8, shuffle=shuffle))
    )


@pytest.mark.parametrize("shuffle", ["buffer", "full"])
def test_epochs_and_seeds_give_other_orders(shuffle):
    for seed in (0, 1, 2**40):
        assert order(seed, 0, shuffle) == order(seed, 0, shuffle)
        assert order(seed, 0, shuffle) != order(seed, 1, shuffle)
        assert order(seed, 0, shuffle) != order(seed + 1, 0, shuffle)


def test_without_a_shuffle_one_lane_reads_the_rows_as_they_lie():
    for epoch in (0, 1):
        p = plan([5, 0, 7], seed=1, epoch=epoch, world=1, batch=4, lanes=1, shuffle="none")
        assert flat(global_batches(p)) == [(0, row) for row in range(5)] + [(2, row) for row in range(7)]


def test_rows_that_lie_together_are_read_together_and_parted_elsewhere_in_every_epoch():
    rows_G, parted = (40, 60, 20), []
    for epoch in range(20):
        p = plan(rows_G, seed=7, epoch=epoch, world=1, batch=16, lanes=2, shuffle="groups")
        steps = [
            list(zip(*(part.tolist() for part in p.rows_at(lane, step)), strict=True))
            for lane in (0, 1)
            for step in range(p.steps)
        ]
        beside = {(one, other) for rows in steps for one, other in itertools.pairwise(rows)}
        parted.append(
            {((g, r), (g, r + 1)) for g, rows in enumerate(rows_G) for r in range(rows - 1)} - beside
        )
        assert len(parted[-1]) <= p.steps * 2 + len(rows_G)
    assert not set.intersection(*parted)


def test_shuffles_have_digests_of_their_own():
    digests = {
        plan([5, 7], seed=1, epoch=0, world=1, batch=4, lanes=1, shuffle=shuffle).digest
        for shuffle in SHUFFLES
    }
    assert len(digests) == 4


@pytest.mark.parametrize("shuffle", ["buffer", "full"])
def test_the_order_is_close_to_uniform(shuffle):
    """The first row is read at a mean place of N/2 over many epochs, within four standard errors."""
    found = []
    for epoch in range(300):
        p = plan([40] * 5, seed=3, epoch=epoch, world=1, batch=200, lanes=1, shuffle=shuffle)
        found.append(places(p, 0).tolist().index(0))
    assert abs(np.mean(found) - 99.5) < 4 * np.sqrt((200**2 - 1) / 12 / 300)


def test_without_a_rule_of_epochs_the_plan_is_what_it_was_before_there_were_rules():
    p = plan([30, 7, 50, 0, 13], seed=11, epoch=3, world=2, batch=16, lanes=4)
    order = [
        [[[x.group, x.start, x.stop] for x in pieces] for pieces in p.steps_of(lane)] for lane in range(4)
    ]
    within = [p.order_within(group).tolist() for group in range(5)]
    assert p.digest == "7cd066c7802c5d5846d16e70b45fdfc3d09ef2044901ba19e4de95bfd62f0aed"
    golden = "9c820001d1f84d406e10dac656be208e60a48174133f51366b3afafd2fa29087"
    assert hashlib.sha256(json.dumps([order, within]).encode()).hexdigest() == golden


@pytest.mark.parametrize(
    ("world", "batch", "lanes"), [(9, 16, 8), (16, 16, 8), (2, 12, 8), (1, 4, 8), (0, 16, 8)]
)
def test_ranks_and_lanes_that_do_not_fit_are_refused(world, batch, lanes):
    with pytest.raises(ConfigError, match=r"train\.(workers|batch)"):
        plan([10], seed=0, epoch=0, world=world, batch=batch, lanes=lanes)
