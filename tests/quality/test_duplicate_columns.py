import datetime
import decimal

import pyarrow as pa
from days import day, judge

from lsml_spark.quality.checks.duplicate_columns import as_text
from lsml_spark.quality.day import Day

N = 12


def of(**columns):
    table = pa.table(columns)
    profile = {"rows": N, "columns": {name: {"metrics": {}} for name in columns}}
    return Day(datetime.date(2011, 2, 1), N, N, profile, table)


def test_columns_of_the_same_values_are_named_whatever_their_types():
    found = judge(
        "duplicate_columns",
        of(
            whole=pa.array(range(N)),
            real=pa.array([float(i) for i in range(N)]),
            text=pa.array([str(i) for i in range(N)]),
            exact=pa.array([decimal.Decimal(f"{i}.00") for i in range(N)]),
            other=pa.array(range(1, N + 1)),
            lists=pa.array([[i, None] for i in range(N)]),
            same_lists=pa.array([[i, None] for i in range(N)], pa.list_(pa.int16())),
        ),
    )
    assert (
        found.problem
        == f"the same values in all {N} rows of the sample: 'whole' = 'real' = 'text' = 'exact'; 'lists' = "
        "'same_lists'"
    )
    assert found.value == 4


def test_missing_values_count_and_lie_in_the_same_rows():
    a = [*range(N - 1), None]
    assert judge("duplicate_columns", of(a=pa.array(a), b=pa.array(a))).problem is not None
    assert judge("duplicate_columns", of(a=pa.array(a), b=pa.array([None, *a[:-1]]))).problem is None
    assert (
        judge(
            "duplicate_columns", of(a=pa.array(["", *["x"] * (N - 1)]), b=pa.array([None, *["x"] * (N - 1)]))
        ).problem
        is None
    )


def test_bytes_that_join_alike_are_not_the_same_column():
    a, b = ["ab", "c"] * (N // 2), ["a", "bc"] * (N // 2)
    assert judge("duplicate_columns", of(a=pa.array(a), b=pa.array(b))).value == 0


def test_constants_small_samples_and_skipped_columns_are_left_out():
    assert judge("duplicate_columns", of(a=pa.array([1] * N), b=pa.array([1] * N))).problem is None
    assert judge("duplicate_columns", day({"a": [1.0, 2.0], "b": [1.0, 2.0]})).value is None
    assert (
        judge({"duplicate_columns": {"skip": ["b"]}}, of(a=pa.array(range(N)), b=pa.array(range(N)))).value
        == 0
    )
    assert judge("duplicate_columns", day({"a": []})).problem == "the day has no rows to judge"


def test_text_of_every_type_is_its_own():
    when = datetime.datetime(2011, 2, 1, 8, 26)
    for values in ([True, None], [b"\xff", None], [when, None], [1.5, float("nan"), -2.0], [{"a": 1}, None]):
        assert len(as_text(pa.chunked_array([pa.array(values)]))) == len(values)
    assert as_text(pa.chunked_array([[-2.0, 1.5, 10.0]])).to_pylist() == ["-2", "1.5", "10"]
