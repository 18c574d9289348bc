import datetime

import numpy as np
import pyarrow as pa
import pytest
from days import DATE, day, judge, past
from test_confident import blobs

from lsml_spark.quality.figures.confident import suspected

NAMES = np.array(["ash", "birch", "cedar", "date", "elm"])
LABEL, TRUE, PROB = blobs(5, 2000, 0.15)


def tonight(scores):
    history = [past({"y": ["a"]}, DATE - datetime.timedelta(days=1), scores=scores)]
    return day({"y": ["a"]}, history=history)


def full(order=None, system=None):
    rng = np.random.default_rng(0)
    orders = [rng.permutation(5) for _ in LABEL]
    columns = {
        "sample_id": [f"r{i}" for i in range(len(LABEL))],
        "label": NAMES[LABEL].tolist(),
        "classes": [NAMES[o].tolist() for o in orders],
        "probabilities": [PROB[i, o].tolist() for i, o in enumerate(orders)],
    }
    return pa.table(columns | ({"system": [system] * len(LABEL)} if system else {}))


def test_labels_that_the_model_doubts_are_counted_and_the_surest_named():
    found = judge("label_errors", tonight(full()))
    wrong = suspected(LABEL, PROB)
    assert found.value == pytest.approx(len(wrong) / 2000)
    assert [example["sample_id"] for example in found.examples] == [f"r{i}" for i in wrong[:3]]
    first = wrong[0]
    assert found.examples[0]["looks like"] == NAMES[PROB[first].argmax()]
    assert found.problem.startswith(
        "194 of 2000 held-out rows of 2011-01-31 (9.7%) have labels that the model doubts, at most 5.0% "
        "allowed"
    )


def test_the_share_allowed_and_the_system_are_fields():
    assert judge({"label_errors": {"at_most": 0.1}}, tonight(full())).problem is None
    both = pa.concat_tables([full(system="model"), full(system="popularity")])
    assert judge("label_errors", tonight(both)).value == judge("label_errors", tonight(full())).value
    assert judge({"label_errors": {"system": "champion"}}, tonight(both)).value is None


def test_first_choices_are_enough_for_the_reduced_form():
    scores = pa.table({"label": NAMES[LABEL], "predicted": NAMES[PROB.argmax(1)], "probability": PROB.max(1)})
    found = judge("label_errors", tonight(scores))
    assert 0 < found.value < 194 / 2000


def test_labels_that_the_model_does_not_know_are_left_out():
    scores = full().set_column(1, "label", pa.array(["new"] * 1000 + NAMES[LABEL[1000:]].tolist()))
    found = judge("label_errors", tonight(scores))
    assert found.value == pytest.approx(len(suspected(LABEL[1000:], PROB[1000:])) / 1000)


@pytest.mark.parametrize("scores", [None, full().slice(0, 0), full().slice(0, 20)])
def test_no_scores_or_few_are_not_judged(scores):
    found = judge("label_errors", tonight(scores))
    assert (found.problem, found.value) == (None, None)
    assert judge("label_errors", day({"y": ["a"]})).problem is None


def test_scores_without_classes_and_a_day_without_rows_are_problems():
    ranks = pa.table({"sample_id": ["a"], "label": ["x"], "rank": [3]})
    assert "hold no class probabilities" in judge("label_errors", tonight(ranks)).problem
    assert judge("label_errors", day({"y": []})).problem == "the day has no rows to judge"
