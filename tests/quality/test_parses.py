import datetime
import json

import pytest

from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark


def breaks(read, text):
    """Whether a reader of the standard library refuses the text; NULL and blank text are no business of
    it.
    """
    if text is None or not text.strip():
        return False
    try:
        read(text.strip())
    except (ValueError, RecursionError):
        return True
    return False


def test_a_double_is_what_python_reads_as_float(violated):
    values = [
        "1",
        "-1.5",
        "+.5",
        "5.",
        "1e-3",
        " 2 ",
        "nan",
        "Infinity",
        "-inf",
        "1,5",
        "1.234,5",
        "12a",
        "1d",
        "0x1p3",
        "--1",
        "€5",
        "",
        " ",
        None,
        "１２a",
    ]
    assert violated({"parses": "double"}, "string", values) == [breaks(float, value) for value in values]


def test_an_int_is_whole_and_fits_64_bits(violated):
    values = [
        "0",
        "-7",
        "+7",
        "007",
        "9223372036854775807",
        "9223372036854775808",
        "1.0",
        "1e3",
        "1,000",
        "x",
        "",
        None,
    ]
    fits = [value not in ("9223372036854775808",) for value in values]
    assert violated({"parses": "int"}, "string", values) == [
        breaks(int, value) or not fit for value, fit in zip(values, fits, strict=True)
    ]


def test_a_date_is_a_day_that_exists(violated):
    values = [
        "2011-02-28",
        "2011-02-29",
        "2012-02-29",
        "2011-13-01",
        "28/02/2011",
        "2011",
        "20110228",
        "yesterday",
        "",
        None,
    ]
    expected = [breaks(lambda text: datetime.datetime.strptime(text, "%Y-%m-%d"), value) for value in values]
    assert violated({"parses": {"as": "date"}}, "string", values) == expected
    assert violated(
        {"parses": "timestamp"},
        "string",
        ["2011-02-28 08:26:00", "2011-02-28T08:26:00Z", "2011-02-28 25:00:00", "08:26"],
    ) == [
        False,
        False,
        True,
        True,
    ]


def test_a_format_can_be_given(violated):
    values = ["28/02/2011", "31/02/2011", "2011-02-28", "28/02/11", " 01/03/2011 ", "", None]
    expected = [breaks(lambda text: datetime.datetime.strptime(text, "%d/%m/%Y"), value) for value in values]
    expected[3] = True  # Python's own takes no two digits either
    assert violated({"parses": {"as": "date", "format": "dd/MM/yyyy"}}, "string", values) == expected
    minutes = ["2/1/2011 8:26", "2011-02-01 08:26:00"]
    assert violated({"parses": {"as": "timestamp", "format": "M/d/yyyy H:mm"}}, "string", minutes) == [
        False,
        True,
    ]


def test_json_is_what_python_reads_as_json(violated):
    values = ['{"a": 1}', "[1, 2", "null", '"x"', "{a: 1}", "{'a': 1}", '{"a": 1} x', "12", "", None]
    assert violated({"parses": "json"}, "string", values) == [breaks(json.loads, value) for value in values]


def test_a_boolean_is_yes_or_no(violated):
    assert violated({"parses": "boolean"}, "string", ["true", "F", "yes", "0", "2", "maybe", None]) == [
        False,
        False,
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_value_of_the_type_already_parses(violated):
    assert violated({"parses": "double"}, "double", [1.5e300, -0.0, None]) == [False, False, False]
    assert violated({"parses": "timestamp"}, "timestamp", [datetime.datetime(2011, 2, 1, 8, 26), None]) == [
        False,
        False,
    ]


@pytest.mark.parametrize(
    "item", [{"parses": "number"}, {"parses": {}}, {"parses": {"as": "int", "format": "d"}}]
)
def test_a_kind_that_is_none_is_refused(item):
    with pytest.raises(ValueError, match=r"kind|format"):
        parse(item, RowCheck, column="v")


def test_the_rule_is_named_in_words():
    assert (
        parse({"parses": {"as": "date", "format": "dd/MM/yyyy"}}, RowCheck, column="v").label
        == "v: not a date of the form dd/MM/yyyy"
    )
