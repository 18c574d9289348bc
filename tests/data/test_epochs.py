"""Rules of epochs: a redraw covers every row once a pass, a curriculum opens stage after stage, at any world
size.
"""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_rows import flat, global_batches

from lsml_spark.core.errors import ConfigError
from lsml_spark.data.order.epochs import Curriculum, EveryRow, Redraw, Turns, rule_of
from lsml_spark.data.order.plan import plan

ROWS_G = st.lists(st.integers(0, 20), min_size=1, max_size=8)
SEED = st.integers(0, 2**40)


def order_of(rows_G, rule, epoch, seed=1, world=1, lanes=4, batch=8, shuffle="buffer"):
    return plan(
        rows_G, seed=seed, epoch=epoch, world=world, batch=batch, lanes=lanes, rule=rule, shuffle=shuffle
    )


def read(rows_G, rule, epoch, seed=1, shuffle="buffer"):
    """The (row group, row) pairs of an epoch, in order."""
    return flat(global_batches(order_of(rows_G, rule, epoch, seed, shuffle=shuffle)))


def every_row(rows_G):
    return [(group, row) for group, rows in enumerate(rows_G) for row in range(rows)]


@st.composite
def rules(draw, rows_G):
    if draw(st.booleans()):
        return Redraw(share=draw(st.floats(0.05, 1.0)))
    stages = draw(st.integers(1, 5))
    pace_G = draw(st.lists(st.integers(0, stages - 1), min_size=len(rows_G), max_size=len(rows_G)))
    return Curriculum(
        stages=stages, full_by=draw(st.floats(0, 1)), epochs=draw(st.integers(1, 8)), pace_G=pace_G
    )


@settings(deadline=None)
@given(
    ROWS_G, SEED, st.integers(1, 7), st.integers(0, 3), st.sampled_from(["none", "buffer", "groups", "full"])
)
def test_a_redraw_reads_every_row_exactly_once_in_each_pass_where_one_over_its_share_is_whole(
    rows_G, seed, slots, which, shuffle
):
    rule = Redraw(share=1 / slots)
    epochs = [read(rows_G, rule, which * slots + slot, seed, shuffle) for slot in range(slots)]
    assert sorted(flat(epochs)) == every_row(rows_G)
    assert max(map(len, epochs)) - min(map(len, epochs)) <= 1


@settings(deadline=None)
@given(ROWS_G, SEED, st.floats(0.01, 1.0))
def test_a_redraw_reads_its_share_of_distinct_rows_and_none_twice_a_pass(rows_G, seed, share):
    rule, slots = Redraw(share=share), int(1 / share)
    epochs = [read(rows_G, rule, epoch, seed) for epoch in range(slots)]
    assert all(abs(len(rows) - share * sum(rows_G)) <= 1 for rows in epochs)
    assert max(Counter(flat(epochs)).values(), default=1) == 1


@pytest.mark.parametrize("slots", [3, 6, 7, 10, 49, 93, 107])
def test_a_share_that_is_one_over_a_whole_number_has_that_many_slots_whatever_floats_say(slots):
    stretches = [Redraw(share=1 / slots).stretch([1000], epoch) for epoch in range(slots + 1)]
    assert [stretch.order for stretch in stretches] == [0] * slots + [1]
    assert stretches[slots - 1].last == 1000


def test_another_pass_draws_other_shares():
    rows_G = [10] * 12
    first, second = (
        [set(read(rows_G, Redraw(share=0.25), 4 * which + slot)) for slot in range(4)] for which in (0, 1)
    )
    assert all(one != other for one in first for other in second)


@settings(deadline=None)
@given(ROWS_G, SEED, st.integers(0, 4))
def test_a_redraw_of_all_rows_is_no_rule(rows_G, seed, epoch):
    assert read(rows_G, Redraw(share=1.0), epoch, seed) == read(rows_G, EveryRow(), epoch, seed)


@settings(deadline=None)
@given(st.data(), ROWS_G, SEED, st.integers(0, 7), st.sampled_from([1, 2, 4, 8]))
def test_global_batches_are_the_same_at_any_world_size(data, rows_G, seed, epoch, world):
    rule = data.draw(rules(rows_G))
    alone, together = (
        order_of(rows_G, rule, epoch, seed, world=ranks, lanes=8, batch=16) for ranks in (1, world)
    )
    assert global_batches(together) == global_batches(alone)
    assert together.digest == alone.digest
    assert together.rows == len(flat(global_batches(alone)))


@settings(deadline=None)
@given(st.data(), ROWS_G, st.integers(0, 7))
def test_the_digest_tells_rules_apart(data, rows_G, epoch):
    one, other = data.draw(rules(rows_G)), data.draw(rules(rows_G))
    digests = [order_of(rows_G, rule, epoch).digest for rule in (one, other, EveryRow())]
    assert digests[2] not in digests[:2]
    assert (digests[0] == digests[1]) == (one == other)


@pytest.mark.parametrize(
    ("stages", "full_by", "epochs", "expected"),
    [
        (5, 0.5, 10, [0, 0, 1, 2, 3, 4, 4, 4, 4, 4]),  # the line from (0, 0) to (5, 4)
        (3, 0.5, 4, [0, 1, 2, 2]),
        (3, 0.3, 10, [0, 0, 1, 2, 2, 2, 2, 2, 2, 2]),  # 0.3 · 10 is 3, though not in floats everywhere
        (2, 1.0, 4, [0, 0, 0, 1]),  # the last epoch reads every row
        (4, 0.0, 3, [3, 3, 3]),
        (1, 0.5, 3, [0, 0, 0]),
        (6, 0.5, 1, [5]),
        (10, 0.4, 5, [0, 4, 9, 9, 9]),  # more stages than epochs: some open together
    ],
)
def test_a_curriculum_opens_its_stages_along_a_line(stages, full_by, epochs, expected):
    rule = Curriculum(stages=stages, full_by=full_by, epochs=epochs, pace_G=())
    assert [rule.stage(epoch) for epoch in range(epochs)] == expected


@settings(deadline=None)
@given(st.data(), ROWS_G, SEED)
def test_a_curriculum_reads_all_rows_of_open_stages_once_and_no_others(data, rows_G, seed):
    rule = data.draw(rules(rows_G).filter(lambda rule: rule.use == "curriculum"))
    sizes = []
    for epoch in range(rule.epochs):
        opened = max(rule.stage(epoch), min(rule.pace_G))
        rows = read(rows_G, rule, epoch, seed)
        assert sorted(rows) == [row for row in every_row(rows_G) if rule.pace_G[row[0]] <= opened]
        sizes.append(len(rows))
        if epoch >= rule.full_by * rule.epochs:
            assert len(rows) == sum(rows_G)
    assert sizes == sorted(sizes)
    assert sizes[-1] == sum(rows_G)


def test_empty_first_stages_give_no_empty_epochs():
    rule = Curriculum(stages=5, full_by=1.0, epochs=5, pace_G=(2, 4))
    assert [len(read([3, 5], rule, epoch)) for epoch in range(5)] == [3, 3, 3, 3, 8]


def test_rules_are_read_from_the_selection():
    assert rule_of({"use": "redraw", "share": 0.5}, 4, (), "x") == Redraw(share=0.5)
    asked = {"use": "curriculum", "stages": 2, "full_by": 0.5, "order": "rare_first"}
    assert rule_of(asked, 4, (0, 1), "x") == Curriculum(stages=2, full_by=0.5, epochs=4, pace_G=(0, 1))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"use": "redrawn"}, r"^here: epochs\.use: there is no rule 'redrawn' \(did you mean 'redraw'\?\)"),
        ({}, r"^here: epochs\.use"),
        ({"use": "redraw"}, r"^here: epochs\.share"),
        ({"use": "redraw", "share": 0.0}, r"^here: epochs\.share"),
        ({"use": "redraw", "share": 1.5}, r"^here: epochs\.share"),
        ({"use": "curriculum", "full_by": 0.5}, r"^here: epochs\.stages"),
        ({"use": "curriculum", "stages": 2, "full_by": 2}, r"^here: epochs\.full_by"),
        (
            {"use": "curriculum", "stages": 1, "full_by": 0.5},
            r"^here: epochs: row groups have pace 1, the curriculum has stages 0 to 0",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_a_one_line_error(asked, said):
    with pytest.raises(ConfigError, match=said) as caught:
        rule_of(asked, 4, (0, 1), "here: epochs")
    assert len(str(caught.value).splitlines()) == 1


@given(pace_G=st.lists(st.integers(0, 4), min_size=1, max_size=8), epoch=st.integers(0, 12), seed=SEED)
def test_turns_read_one_draw_an_epoch_and_all_of_it(pace_G, epoch, seed):
    rows_G = list(range(1, len(pace_G) + 1))
    draws = sorted(set(pace_G))
    rule = rule_of({"use": "turns", "draws": 5}, 7, pace_G, "x")
    assert rule == Turns(pace_G=tuple(pace_G))
    wanted = [pair for pair in every_row(rows_G) if pace_G[pair[0]] == draws[epoch % len(draws)]]
    assert sorted(read(rows_G, rule, epoch, seed)) == wanted
