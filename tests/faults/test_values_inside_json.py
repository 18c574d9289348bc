"""Numbers, days and times inside lists, maps and structs of text say what they are, as those in columns of
their own must.
"""

import datetime
import json

import pytest
from text_days import check

DAY, TIME = datetime.date(2011, 2, 1), datetime.datetime(2011, 2, 1, 10, 30)
CASES = [  # JSON, and the one value in it; None: quarantined
    ('{"d":"2011-02-01"}', DAY),
    ('{"d":"2011"}', None),
    ('{"d":"201102"}', None),  # would be the year 201,102, which Python cannot show
    ('{"d":"0000-01-01"}', None),
    ('{"d":"2011-02-29"}', None),
    ('{"at":"2011-02-01T10:30:00Z"}', TIME),
    ('{"at":"10:30"}', None),  # would be that time today
    ('{"at":"99999-01-01 00:00:00"}', None),
    ('{"at":1296552600}', None),
    ('{"x":12}', 12.0),
    ('{"x":1e300}', 1e300),
    ('{"x":1e400}', None),
    ('{"x":"12D"}', None),
    ('{"m":12345678.91}', "12345678.91"),
    ('{"m":1.10}', "1.10"),
    ('{"m":1.105}', None),
    ('{"l":["2011-02-01",null]}', [DAY, None]),
    ('{"l":["2011-02-01","2011"]}', None),
    ('{"y":{"q":"2011-02-01 10:30"}}', {"q": TIME}),
    ('{"y":{"q":"10:30"}}', None),
    ('{"user-id":"a b"}', "a b"),
]
TYPE = (
    "struct<d:date,at:timestamp,x:double,m:decimal(10,2),l:array<date>,y:map<string,timestamp>,"
    "`user-id`:string>"
)


def _csv(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_value_inside_json_is_held_to_the_form_of_its_type(spark, night, tmp_path, ending):
    lines = (
        [f'{{"t":{text}}}' for text, _ in CASES]
        if ending == "jsonl"
        else ["t", *(_csv(text) for text, _ in CASES)]
    )
    first = 1 if ending == "jsonl" else 2
    day = check(spark, night, tmp_path, {f"a.{ending}": "".join(f"{line}\n" for line in lines)}, {"t": TYPE})
    clean = dict(day.clean(f"a.{ending}", "t"))
    for line, (text, value) in enumerate(CASES, first):
        found = clean.get(line)
        if value is None:
            assert found is None, text
        else:
            (name,) = json.loads(text)
            assert found is not None, text
            assert str(found[name]) == value if isinstance(value, str) else found[name] == value, text
    reasons = {reason for _, reason in day.quarantined(f"a.{ending}")}
    assert reasons == {f"t: not {TYPE}"}


def test_times_inside_json_stand_in_the_zone_of_the_files(spark, night, tmp_path):
    files = {"a.jsonl": '{"at":["2011-02-01 10:30","2011-02-01 10:30:00Z"],"t":"2011-02-01 10:30"}\n'}
    day = check(
        spark,
        night,
        tmp_path,
        files,
        {"at": "array<timestamp>", "t": "timestamp"},
        raw={"zone": "Europe/Berlin"},
    )
    there = TIME - datetime.timedelta(hours=1)
    assert day.clean("a.jsonl", "at", "t") == [(1, [there, TIME], there)]
