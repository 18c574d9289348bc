"""Lines of JSON as the texts of their values, against Python's json with `parse_float=str`, and one reason
per cause.
"""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.quality.raw.json_text import (
    BYTES,
    DEEP,
    DOUBLED,
    MORE,
    NO_JSON,
    NO_OBJECT,
    REASONS,
    SURROGATE,
    Malformed,
    values,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), nested, max_size=5)
safe = objects.filter(
    lambda found: not any("\ud800" <= c <= "\udfff" for c in json.dumps(found, ensure_ascii=False))
)


def test_the_digits_are_those_that_stand_there():
    line = (
        '{"id":12345678901234567890, "x" : '
        '0.12345678901234567890123,"m":1.10,"n":1e3,"far":1e400,"o":-0,"w":NaN,"l":[1.10, {"a":1e3}]}'
    )
    assert {value.key: value.text for value in values(line)} == {
        "id": "12345678901234567890",
        "x": "0.12345678901234567890123",
        "m": "1.10",
        "n": "1e3",
        "far": "1e400",
        "o": "-0",
        "w": "NaN",
        "l": '[1.10, {"a":1e3}]',
    }


@given(safe, st.booleans(), st.sampled_from([None, 0]), st.sampled_from([(",", ":"), (" , ", " : ")]))
def test_values_are_those_of_the_json_module(found, ascii_only, indent, separators):
    line = json.dumps(found, ensure_ascii=ascii_only, indent=indent, separators=separators).replace("\n", " ")
    read = values(line)
    assert [value.key for value in read] == list(found)
    for value in read:
        said = found[value.key]
        if isinstance(said, str):
            assert (value.kind, value.text) == ("string", said)
        elif isinstance(said, float) and not math.isnan(said):
            assert float(value.text) == said
        else:
            assert str(json.loads(value.text or "null")) == str(said)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"item": "a"', NO_JSON),
        ("nonsense", NO_JSON),
        ('{"a": 012}', NO_JSON),
        ('{"a": 1,}', NO_JSON),
        ("{'a': 1}", NO_JSON),
        ('{"a": "x\ty"}', NO_JSON),
        ('{"a": tru}', NO_JSON),
        ('{"a": [1, }', NO_JSON),
        ("{", NO_JSON),
        ("", NO_JSON),
        ("[1]", NO_OBJECT),
        ("3", NO_OBJECT),
        ("null", NO_OBJECT),
        ('"{}"', NO_OBJECT),
        ('{"item": "a"} {"item": "b"}', MORE),
        ('{"item": "a"}, {"item": "b"}', MORE),
        ('{"item": "a"} x', MORE),
        ('{"a": 1, "b": 2, "a": 1}', DOUBLED),
        ('{"a": {"b": 1, "b": 2}}', DOUBLED),
        (r'{"a": "b \ud83d"}', SURROGATE),
        (r'{"a": ["b \udcb2"]}', SURROGATE),
        (r'{"\ud83d": 1}', SURROGATE),
        (b'{"a": "caf\xe9"}'.decode("utf-8", "lsml_keeping"), BYTES),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", DEEP),
    ],
)
def test_each_cause_has_its_own_reason(line, why):
    with pytest.raises(Malformed) as caught:
        values(line)
    assert str(caught.value) == why


def test_a_pair_of_surrogates_is_one_character_and_a_long_value_is_a_value():
    assert values(r'{"a": "\ud83d\ude00"}')[0].text == "😀"
    assert len(values(json.dumps({"a": "z" * 20_100_000}))[0].text) == 20_100_000


@given(st.text(st.sampled_from('{}[]",:1e.-\\u08dtrueNa \t'), max_size=30))
def test_any_line_is_read_or_malformed_for_a_known_reason(line):
    found, why = None, None
    try:
        found = values(line)
    except Malformed as error:
        why = str(error)
    assert (why in REASONS) if found is None else {value.key for value in found} == set(json.loads(line))
