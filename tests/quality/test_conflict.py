import collections
import random

import pytest
from hooks import frame_of, judge

pytestmark = pytest.mark.spark


def contradicts(rows):
    """Brute force over (features…, label)."""
    labels = collections.defaultdict(collections.Counter)
    for *features, label in rows:
        if label is not None and any(feature is not None for feature in features):
            labels[tuple(features)][label] += 1
    found = []
    for *features, label in rows:
        counted = labels.get(tuple(features), collections.Counter()).most_common()
        tie = len(counted) > 1 and counted[0][1] == counted[1][1]
        found.append(label is not None and len(counted) > 1 and (tie or label != counted[0][0]))
    return found


@pytest.mark.parametrize("partitions", [1, 4])
def test_it_finds_what_a_loop_finds(spark, partitions):
    draw = random.Random(11)
    rows = [
        (
            draw.choice(["x", "y", None]),
            draw.choice([1.0, 2.0, None]),
            draw.choice(["cat", "dog", "cat", None]),
        )
        for _ in range(80)
    ]
    found = judge(
        "conflict", frame_of(spark, "`a.b` string, c double, v string", rows, partitions=partitions)
    )
    assert found == contradicts(rows)
    assert 0 < sum(found) < len(rows)


def test_the_majority_is_right_and_a_tie_knows_no_majority(spark):
    rows = [("x", "cat"), ("x", "cat"), ("x", "dog"), ("y", "cat"), ("y", "dog"), ("z", "dog")]
    assert judge("conflict", frame_of(spark, "a string, v string", rows)) == [
        False,
        False,
        True,
        True,
        True,
        False,
    ]


def test_features_can_be_named_and_others_are_not_looked_at(spark):
    rows = [("x", 1, 0), ("x", 2, 1), ("x", 3, 1)]
    frame = frame_of(spark, "a string, n int, v int", rows)
    assert judge("conflict", frame) == [False, False, False]
    assert judge({"conflict": {"features": ["a"]}}, frame) == [True, False, False]
    assert judge({"conflict": {"features": ["a"]}, "where": "n < 3"}, frame) == [True, True, False]


def test_nothing_and_one_row_hold(spark):
    assert judge("conflict", frame_of(spark, "a string, v string", [])) == []
    assert judge("conflict", frame_of(spark, "a string, v string", [("x", "cat")])) == [False]


def test_malformed_lines_have_no_say(spark):
    lines = [("1.csv", 2, None), ("1.csv", 3, "x,dog,surplus")]
    assert judge("conflict", frame_of(spark, "a string, v string", [("x", "cat"), ("x", "dog")], lines)) == [
        False,
        False,
    ]


def test_the_stage_states_the_label_noise(check_day, raw_day):
    day = check_day(
        {"a": "string", "v": "string"},
        raw_day(["a,v", "x,cat", "x,cat", "x,dog", "y,cat"]),
        columns={"v": [{"conflict": {}}]},
    )
    assert day.finding("v: another label than rows with the same features")["share"] == 0.25
