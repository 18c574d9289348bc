"""Vocabularies: ids by falling count, unknown values are 0, and the same encoder serves training and
scoring.
"""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.transform import Seen
from lsml_spark.transforms.vocabulary import Vocabulary

values = st.dictionaries(st.text(max_size=3), st.integers(1, 5), min_size=1, max_size=30)


def fitted(counts: dict[str, int], **parameters) -> dict:
    seen = Seen(
        values_K=np.array(list(counts), dtype=object),
        counts_K=np.array(list(counts.values()), dtype=np.int64),
    )
    return Vocabulary(**parameters).fit(seen)


@given(counts=values, min_count=st.integers(1, 4), max_size=st.none() | st.integers(1, 10))
def test_values_are_in_order_of_falling_count_then_name(counts, min_count, max_size):
    found = fitted(counts, min_count=min_count, max_size=max_size)
    ranked = sorted(
        (pair for pair in counts.items() if pair[1] >= min_count), key=lambda pair: (-pair[1], pair[0])
    )[:max_size]
    assert list(zip(found["values"], found["counts"], strict=True)) == ranked


def test_no_values_give_an_empty_vocabulary():
    assert fitted({}) == {"values": [], "counts": []}


ENCODERS = {
    "label": "label",
    "columns": {
        "label": {"use": "vocabulary", "values": ["b", "a"], "counts": [3, 2]},
        "context": {"use": "vocabulary", "list": True, "like": "label"},
        "hour": {"use": "vocabulary", "values": ["8", "10"], "counts": [5, 1]},
    },
}


def ids(column: str, array: pa.Array) -> list:
    return encode(ENCODERS, pa.record_batch({column: array})).column(column).to_pylist()


def test_known_values_get_their_place_and_others_zero():
    assert ids("label", pa.array(["a", "b", "c", None, ""])) == [2, 1, 0, 0, 0]
    assert ids("hour", pa.array([8, 10, 9, None], pa.int32())) == [1, 2, 0, 0]


def test_lists_are_encoded_item_by_item_and_null_is_the_empty_list():
    lists = pa.array([["a", "z", "b"], [], None, ["a", None]], pa.list_(pa.string()))
    assert ids("context", lists) == [[2, 0, 1], [], [], [2, 0]]


def test_slices_are_encoded_like_the_whole():
    lists = pa.array([["a"], None, ["b", "a"], [], ["z"]], pa.list_(pa.string()))
    for start in range(5):
        for stop in range(start, 6):
            assert ids("context", lists.slice(start, stop - start)) == ids("context", lists)[start:stop]


def test_the_types_are_those_that_shards_hold_and_other_columns_pass():
    batch = pa.record_batch(
        {"sample_id": ["s"], "hour": pa.array([8], pa.int64()), "context": [["a"]], "weight": [1.5]}
    )
    found = encode(ENCODERS, batch)
    assert found.schema.names == batch.schema.names
    assert [found.schema.field(name).type for name in ("hour", "context")] == [
        pa.int32(),
        pa.list_(pa.int32()),
    ]
    assert found.select(["sample_id", "weight"]) == batch.select(["sample_id", "weight"])


@pytest.mark.parametrize("column", ["label", "context", "hour"])
def test_no_rows_are_encoded_as_no_rows(column):
    type_ = pa.list_(pa.string()) if column == "context" else pa.string()
    assert ids(column, pa.array([], type_)) == []


def test_an_empty_vocabulary_knows_nothing():
    encoders = {"columns": {"x": {"use": "vocabulary", "values": [], "counts": []}}}
    assert encode(encoders, pa.record_batch({"x": ["a", None]})).column("x").to_pylist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (-7, "-7"), (True, "true"), (datetime.date(2011, 2, 1), "2011-02-01")],
    ids=["int", "negative", "bool", "date"],
)
def test_values_that_are_no_text_are_found_as_spark_writes_them(value, text):
    encoders = {"columns": {"x": {"use": "vocabulary", "values": [text], "counts": [1]}}}
    assert encode(encoders, pa.record_batch({"x": pa.array([value])})).column("x").to_pylist() == [1]
