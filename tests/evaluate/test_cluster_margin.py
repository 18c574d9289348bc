"""The queue for labelling: unsure rows first, no key twice before every candidate's key once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.core.errors import IntegrityError
from lsml_spark.label.cluster_margin import choose, margins


def by_hand(margin, cluster, rows, spread):
    """Round robin over clusters, small ones first, as the paper tells it."""
    candidates = sorted(range(len(margin)), key=lambda i: (margin[i], i))[: rows * spread]
    members: dict = {}
    for i in candidates:
        members.setdefault(cluster[i], []).append(i)
    queues = sorted(members.values(), key=len)
    taken, turn = [], 0
    while any(turn < len(queue) for queue in queues):
        at_turn = [queue for queue in queues if turn < len(queue)]
        taken += sorted(
            (queue[turn] for queue in at_turn),
            key=lambda i: (len(members[cluster[i]]), margin[i], candidates.index(i)),
        )
        turn += 1
    return taken[:rows]


@given(
    rows=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=60),
    wanted=st.integers(1, 30),
    spread=st.integers(1, 4),
)
def test_the_choice_is_the_round_robin_of_the_paper(rows, wanted, spread):
    margin = np.array([m / 20 for m, _ in rows])
    cluster = np.array([c for _, c in rows], dtype=np.int64)
    chosen = choose(margin, cluster, wanted, spread)
    assert chosen.tolist() == by_hand(margin, cluster, wanted, spread)
    assert len(set(chosen.tolist())) == len(chosen) == min(wanted, len(rows))


def test_a_frequent_key_does_not_fill_the_queue():
    margin = np.concatenate([np.zeros(90), np.full(10, 0.5)])
    cluster = np.array([0] * 90 + list(range(1, 11)))
    assert len(np.unique(cluster[choose(margin, cluster, 11, 10)])) == 11
    assert set(cluster[choose(margin, cluster, 9, 10)]) == {0}  # all 90 candidates are of one key


@given(logits=st.lists(st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=1, max_size=20))
def test_a_margin_is_the_gap_between_the_two_most_probable_labels(logits):
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ranked = np.sort(chance, axis=1)
    assert margins(np.log(chance)) == pytest.approx(ranked[:, -1] - ranked[:, -2])


def test_one_label_leaves_no_doubt_and_nan_is_an_error():
    assert margins(np.zeros((2, 1))).tolist() == [1, 1]
    with pytest.raises(IntegrityError, match="no numbers"):
        margins(np.array([[0.0, np.nan]]))
