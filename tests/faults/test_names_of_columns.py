"""What files call their columns need not be what a table can hold: names that differ in case alone, and our
own.
"""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from text_days import check

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.quality.run import Config
from lsml_spark.quality.suggest import suggest

pytestmark = pytest.mark.spark
CONTRACT = {
    "item": "string",
    "big": {"type": "string", "source": "Item", "required": False},
    "place": {"type": "int", "source": "_line", "required": False},
    "of": {"type": "string", "source": "_file", "required": False},
}


def parquet(**columns: list) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_they_are_read_under_the_contracts_names_from_every_kind_of_file(spark, night, tmp_path):
    files = {
        "a.csv": "item,Item,_line,_file\nx,X,7,f\n",
        "b.csv": 'item,Item,_line,_file\n"x",X,7,"f, g"\n"open,X,8,f\n',
        "c.jsonl": '{"item":"x","Item":"X","_line":7,"_file":"f"}\n',
        "d.parquet": parquet(item=["x"], Item=["X"], _line=[7], _file=["f"]),
        "e.parquet": parquet(item=["x"], _line=[7], _file=["f"]),
    }
    day = check(spark, night, tmp_path, files, CONTRACT)
    assert not day.failed
    names = ("item", "big", "place", "of")
    assert day.clean("a.csv", *names) == [(2, "x", "X", 7, "f")]
    assert day.clean("b.csv", *names) == [(2, "x", "X", 7, "f, g")]
    assert day.clean("c.jsonl", *names) == day.clean("d.parquet", *names) == [(1, "x", "X", 7, "f")]
    assert day.clean("e.parquet", *names) == [(1, "x", None, 7, "f")]


@pytest.mark.parametrize("name", ["a.csv", "c.jsonl", "d.parquet"])
def test_what_is_suggested_for_them_is_read(spark, night, tmp_path, name):
    files = {
        "a.csv": b"item,Item,_line\n" + b"x,X,7\ny,Y,8\n" * 9,
        "c.jsonl": b'{"item":"x","Item":"X","_line":7}\n' * 9,
        "d.parquet": parquet(item=["x"] * 9, Item=["X"] * 9, _line=[7] * 9),
    }
    (tmp_path / name).write_bytes(files[name])
    section = yaml.safe_load(suggest(spark, [tmp_path / name]))["quality"]
    assert section["contract"]["raw_line"]["source"] == "_line"
    day = check(spark, night, tmp_path, {name: files[name]}, section["contract"])
    assert len(day.tables["clean"]) >= 9


def test_a_file_that_is_damaged_within_is_named_by_suggest(spark, tmp_path):
    damaged = bytearray(parquet(item=[f"k{i}" for i in range(200)]))
    damaged[4:40] = bytes(36)
    (tmp_path / "d.parquet").write_bytes(damaged)
    with pytest.raises(QualityGateError, match=r"d\.parquet: cannot be read"):
        suggest(spark, [tmp_path / "d.parquet"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_text_that_lacks_the_mark_of_its_encoding_is_unreadable_and_no_bug(
    spark, night, tmp_path, encoding, name
):
    text = '{"item":"x"}\n' if name.endswith("l") else "item\nx\n"
    config = {"raw": {"encoding": encoding}}
    right = check(spark, night, tmp_path, {name: text.encode(encoding)}, {"item": "string"}, **config)
    assert (right.failed, len(right.tables["clean"])) == (None, 1)
    day = check(
        spark,
        night,
        tmp_path,
        {name: text.encode(encoding)[4 if "32" in encoding else 2 :]},
        {"item": "string"},
        **config,
    )
    assert "cannot be read" in day.failed
    assert "BOM" in day.failed


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"outlier": 3.5}, "item.1: unknown key 'outlier'"),
        ({"parses": {}}, "item.1.kind: Field required"),
        ({"in_range": {"low": "x"}}, "item.1.low: Input should be a valid number"),
        ("no_such", "item.1: there is no rowcheck 'no_such'"),
    ],
)
def test_a_mistake_in_a_columns_check_names_the_column_and_which_check(item, said):
    with pytest.raises(ConfigError, match=r"quality\.columns: ") as caught:
        validate(
            Config,
            {"contract": {"item": "string"}, "columns": {"item": ["complete", item]}},
            "p.yaml: quality",
        )
    assert said in str(caught.value)
