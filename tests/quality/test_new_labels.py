import datetime

import pytest
from days import DATE, day, judge, past

KNOWN = {"y": ["a"] * 5 + ["b"] * 3}


def test_labels_that_no_night_had_are_named_and_counted():
    tonight = day({"y": ["a", "b", "z", "z", "w", None]}, KNOWN, {"y": ["a"]})
    found = judge({"new_labels": "y"}, tonight)
    assert found.problem == "y: 3 rows (60.0%) have a label that none of 2 earlier nights had: 'z', 'w'"
    assert (found.value, found.rows) == (0.6, 3)
    assert judge({"new_labels": "y", "at_most": 0.6}, tonight).problem is None


def test_a_label_out_of_the_window_is_new_again():
    tonight = day({"y": ["a", "b"]}, KNOWN, {"y": ["a"]})
    assert judge({"new_labels": {"column": "y", "window": 1}}, tonight).rows == 1
    assert judge({"new_labels": {"column": "y", "window": 2}}, tonight).problem is None


def test_first_nights_empty_days_and_unknown_columns():
    assert judge({"new_labels": "y"}, day(KNOWN)).value is None
    assert "was on none" in judge({"new_labels": "y"}, day(KNOWN, {"x": ["a"]})).problem
    assert "no rows" in judge({"new_labels": "y"}, day({"y": []}, KNOWN)).problem
    assert "not in the day's profile" in judge({"new_labels": "z"}, day(KNOWN, KNOWN)).problem


@pytest.mark.spark
def test_where_profiles_do_not_list_every_label_the_rows_are_asked(spark):
    def frame(values):
        return spark.createDataFrame([(value,) for value in values], "y string")

    then, now = [f"l{i}" for i in range(20)], ["l0", "l19", "n1", "n1", "n2", None]
    history = [past({"y": then}, DATE - datetime.timedelta(days=1), clean=frame(then), listed=3)]
    tonight = day({"y": now}, history=history, clean_rows=lambda: frame(now), listed=3)
    found = judge({"new_labels": "y"}, tonight)
    assert found.problem == "y: 3 rows (60.0%) have a label that none of 1 earlier nights had: 'n1', 'n2'"
    assert (found.value, found.rows) == (0.6, 3)
