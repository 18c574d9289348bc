import datetime

import pytest
from days import DATE, day, judge, past
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import types as T

from lsml_spark.quality.raw.types import type_changes, type_paths

ROWS = {"a": [1, 2], "b": ["x", "y"], "c": [1.0, 2.0]}


def schema(headers=None, last=None, **fields):
    history = [] if last is None else [past(ROWS, DATE - datetime.timedelta(days=1))]
    for one, types in zip(history, [last] if last else [], strict=False):
        for name, type_ in types.items():
            one.profile["columns"].setdefault(name, {"metrics": {}})["type"] = type_
        for name in [name for name in one.profile["columns"] if name not in types]:
            del one.profile["columns"][name]
    return judge(
        {"schema": fields} if fields else "schema",
        day(ROWS, history=history, headers={"d.csv": headers or list(ROWS)}),
    )


SAME = {"a": "double", "b": "string", "c": "double"}


def test_the_same_columns_hold():
    assert (schema(last=SAME).problem, schema().value) == (None, 0)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (["a", "b", "c", "d"], "column 'd' of d.csv is not in the contract"),
        (["a", "c"], "column 'b' of the contract is not in d.csv"),
        (["b", "c", "a"], "columns of d.csv are reordered: a moved"),
        (
            ["b", "a", "d"],
            "column 'd' of d.csv is not in the contract; column 'c' of the contract is not in d.csv; "
            "columns of d.csv are reordered: a moved",
        ),
    ],
)
def test_columns_of_the_files_are_compared_with_the_contract(headers, said):
    assert schema(headers).problem == said
    assert schema(headers).value == len(said.split("; "))


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({**SAME, "z": "int"}, "column 'z' is gone since 2011-01-31"),
        ({"a": "double", "b": "string"}, "column 'c' is new since 2011-01-31"),
        ({**SAME, "a": "int"}, "column 'a' changed its type since 2011-01-31: it is double (was int)"),
    ],
)
def test_columns_and_types_are_compared_with_those_of_the_last_good_night(last, said):
    assert schema(last=last).problem == said


def test_welcome_changes_and_other_columns_are_left_out():
    assert schema(["b", "a", "c", "d"], allow=["added", "reordered"]).problem is None
    assert schema(["a", "b"], columns=["a"]).problem is None
    assert schema(["b"], columns=["a"]).problem == "column 'a' of the contract is not in d.csv"


def test_an_empty_day_does_not_pass():
    assert judge("schema", day({"a": []})).problem == "the day has no rows to judge"


def test_nested_types_are_compared_field_by_field():
    was = "struct<a:int,b:array<struct<c:string,d:decimal(10,2)>>,m:map<string,int>>"
    is_ = "struct<a:bigint,b:array<struct<c:string,e:date>>,m:map<string,array<int>>>"
    assert type_changes(was, is_) == [
        "field 'b[].e' appeared (date)",
        "field 'b[].d' vanished (was decimal(10,2))",
        "field 'a' is bigint (was int)",
        "field 'm{value}' is array (was int)",
    ]
    assert type_changes("array<int>", "array<double>") == ["field '[]' is double (was int)"]
    assert type_changes("int", "struct<a:int>") == ["it is struct (was int)"]


def test_spellings_of_one_type_are_the_same():
    assert (
        type_changes("INTEGER", "int")
        == type_changes("decimal(10, 2)", "dec(10,2)")
        == type_changes("array<long>", "ARRAY<bigint>")
        == []
    )


leaves = st.sampled_from(
    [T.IntegerType(), T.StringType(), T.DoubleType(), T.DecimalType(10, 2), T.TimestampType()]
)
names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=3)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.builds(T.ArrayType, inner)
        | st.builds(T.MapType, leaves, inner)
        | st.lists(st.tuples(names, inner), min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: T.StructType([T.StructField(*pair) for pair in pairs])
        )
    ),
    max_leaves=6,
)


def walk(type_, path=""):
    """The same by Spark's own objects."""
    if isinstance(type_, T.StructType):
        return {path: "struct"} | {
            k: v for f in type_ for k, v in walk(f.dataType, f"{path}.{f.name}" if path else f.name).items()
        }
    if isinstance(type_, T.ArrayType):
        return {path: "array"} | walk(type_.elementType, f"{path}[]")
    if isinstance(type_, T.MapType):
        return (
            {path: "map"} | walk(type_.keyType, f"{path}{{key}}") | walk(type_.valueType, f"{path}{{value}}")
        )
    return {path: type_.simpleString()}


@given(nested)
@settings(deadline=None)
def test_paths_are_those_of_sparks_own_types(type_):
    assert type_paths(type_.simpleString()) == walk(type_)


def test_a_name_in_backticks_may_hold_anything():
    assert type_paths("struct<`a,b:c`:int,d:string>") == {"": "struct", "a,b:c": "int", "d": "string"}
