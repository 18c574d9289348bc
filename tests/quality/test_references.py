import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hooks import frame_of, judge

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark


@pytest.fixture
def shops(tmp_path):
    path = tmp_path / "shops.parquet"
    pq.write_table(pa.table({"id.x": [1, 2, 2, None], "town": ["a", "b", "b", "c"]}), path)
    return str(path)


def test_a_value_that_is_no_key_is_an_orphan_and_null_is_kept(spark, shops):
    frame = frame_of(spark, "v int", [(1,), (3,), (2,), (None,), (2,)])
    assert judge({"references": {"table": shops, "key": "id.x"}}, frame) == [False, True, False, False, False]


def test_several_columns_are_one_key(spark, shops):
    rows = [(1, "a"), (1, "b"), (2, "b"), (None, "z"), (2, None)]
    item = {"references": {"table": shops, "key": ["id.x", "town"], "columns": ["v", "w.`z"]}}
    assert judge(item, frame_of(spark, "v int, `w.``z` string", rows)) == [False, True, False, False, False]


def test_csv_is_read_with_its_header_and_as_the_columns_type(spark, tmp_path):
    (tmp_path / "1.csv").write_text("id,town\n7,x\n8,y\nnone,z\n")
    (tmp_path / "2.csv").write_text("id,town\n9,x\n")
    item = {"references": {"table": f"{tmp_path}/*.csv", "key": "id"}}
    assert judge(item, frame_of(spark, "v bigint", [(7,), (9,), (10,)])) == [False, False, True]


def test_a_table_that_says_nothing_is_an_error(spark, shops, tmp_path):
    frame = frame_of(spark, "v int", [(1,)])
    (tmp_path / "empty.csv").write_text("id\n")
    for table, key, words in (
        (f"{tmp_path}/none.parquet", "id", "cannot be read"),
        (f"{tmp_path}/empty.csv", "id", "no rows"),
        (shops, "id.y", "no column 'id.y'"),
        (shops, "town", "no rows"),
    ):
        with pytest.raises(ConfigError, match=words):
            judge({"references": {"table": table, "key": key}}, frame)


def test_keys_and_columns_must_pair(shops):
    with pytest.raises(ValueError, match="as many"):
        parse({"references": {"table": shops, "key": ["a", "b"]}}, RowCheck, column="v")


def test_the_stage_quarantines_orphans(check_day, raw_day, shops):
    rule = {"references": {"table": shops, "key": "id.x"}, "on_bad": "quarantine"}
    day = check_day({"v": "int"}, raw_day(["v", "1", "5", "2"]), columns={"v": [rule]})
    assert [row["_line"] for row in day.quarantine] == [3]
