import datetime

import pyarrow as pa
import pytest
from days import DATE, day, judge, past

from lsml_spark.quality.check import TableCheck, parse
from lsml_spark.quality.checks.no_leakage import row_hash

pytestmark = pytest.mark.spark


def frame(spark, rows):
    """Clean rows (id, t, s) as the stage leaves them, in one partition."""
    columns = dict(zip(["id", "t", "s"], map(list, zip(*rows, strict=True)), strict=True))
    own = {"date": [DATE] * len(rows), "_file": ["d.csv"] * len(rows), "_line": list(range(2, len(rows) + 2))}
    return spark.createDataFrame(pa.table(columns | own)).coalesce(1)


def tonight(spark, rows, *before):
    def columns(rows):
        return dict(zip(["id", "t", "s"], map(list, zip(*rows, strict=True)), strict=True))

    history = [
        past(columns(night), DATE - datetime.timedelta(days=len(before) - i), clean=frame(spark, night))
        for i, night in enumerate(before)
    ]
    return day(columns(rows), history=history, clean_rows=lambda: frame(spark, rows))


def test_rows_of_earlier_nights_are_found_by_all_columns_or_by_ids(spark):
    found = tonight(
        spark,
        [(1, "a", "x"), (2, "b", "x"), (3, "c", None)],
        [(1, "a", "x"), (3, "c", None)],
        [(2, "other", "x"), (1, "a", "x")],
    )
    said = judge({"no_leakage": True}, found)
    assert (
        said.problem
        == "2 of 3 clean rows (66.7%) occur on 2011-01-30 to 2011-01-31; first d.csv line 2 (2011-01-31)"
    )
    assert (said.value, said.rows) == (2 / 3, 2)
    assert [(example["id"], example["seen"]) for example in said.examples] == [
        (1, "2011-01-31"),
        (3, "2011-01-30"),
    ]
    ids = judge({"no_leakage": {"id": ["id"], "window": 1}, "at_most": 0.7}, found)
    assert (ids.rows, ids.problem) == (2, None)


def test_ids_of_another_type_are_the_same_and_missing_ids_match_nothing(spark):
    now = tonight(spark, [(1, None, "x"), (2, "b", "y")], [(5, None, "z"), (6, "1", "w")])
    assert judge({"no_leakage": {"id": ["t"]}}, now).rows == 0
    text = spark.sql("SELECT '2' AS id, 'q' AS t")
    now.history[0].__dict__["load_clean"] = lambda: text
    assert judge({"no_leakage": {"id": ["id"]}}, now).rows == 1
    assert judge({"no_leakage": {"id": ["s"]}}, now).problem == "none of the last 1 good nights has s"


def test_a_first_night_has_nothing_to_leak_from_and_a_night_without_clean_rows_does_not_pass(spark):
    assert judge({"no_leakage": True}, tonight(spark, [(1, "a", "x")])).value is None
    assert "no rows" in judge({"no_leakage": True}, day({"id": []})).problem
    assert (
        judge({"no_leakage": True}, day({"id": [1]}, clean=0)).problem == "the day has no clean rows to judge"
    )


def test_ids_and_keys_in_two_splits_are_found(spark):
    rows = [
        (1, "a", "train"),
        (1, "b", "test"),
        (2, "a", "test"),
        (3, "c", "train"),
        (3, "c", "train"),
        (4, "d", None),
        (4, "e", "dev"),
    ]
    found = tonight(spark, rows)
    by_id = judge({"no_leakage": {"id": ["id"], "split": "s"}}, found)
    assert (
        by_id.problem
        == "2 of 7 clean rows (28.6%) occur in more than one 's'; first d.csv line 2 (test and train)"
    )
    assert judge({"no_leakage": {"id": ["id"], "key": "t", "split": "s"}}, found).rows == 3
    assert judge({"no_leakage": {"split": "s"}}, found).problem is None


def test_near_duplicates_in_two_splits_are_found(spark):
    text = "the quick brown fox jumps over the lazy dog and runs away into the dark green wood"
    rows = [
        (1, text, "train"),
        (2, f"{text.upper()}!", "test"),
        (3, "something else altogether, which nobody has written before", "test"),
        (4, text, "train"),
        (5, "", "train"),
        (6, "", "test"),
    ]
    found = judge({"no_leakage": {"near": "t", "split": "s"}}, tonight(spark, rows))
    assert found.rows == 3
    assert {example["id"] for example in found.examples} == {1, 2, 4}


def test_rows_of_400_columns_are_told_apart_and_those_without_a_value_are_no_row(spark):
    names = [f"c{i}" for i in range(400)]
    table = pa.table({name: pa.array([1, 1, 1, None]) for name in names[:-1]} | {names[-1]: [1, 1, 2, None]})
    rows = spark.createDataFrame(table)
    hashes = [row.hash for row in rows.select(row_hash(rows, names).alias("hash")).collect()]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] is None


def test_keys_and_texts_ask_for_a_split():
    with pytest.raises(ValueError, match="need `split: column`"):
        parse({"no_leakage": {"key": "t"}}, TableCheck)
    assert parse({"no_leakage": {"split": "s", "key": "k"}}, TableCheck).label == "the same k in two of s"
