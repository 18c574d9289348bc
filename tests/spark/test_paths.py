"""A path is a name, not a pattern: the rows that Spark reads are those of the file that Python finds under
the same name.
"""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.raw.records import read_days, read_header
from lsml_spark.spark import tables
from lsml_spark.spark.paths import literal

pytestmark = pytest.mark.spark

# Each name with a sibling that it would match as a pattern, where there is one.
NAMES = {
    "a*b": "axb",
    "a?b": "axb",
    "exp[12]": "exp1",
    "{a,b}": "a",
    "a\\*b": "a*b",
    "a\\b": "ab",
    "[!x]": "y",
    "a:b": "a",
    "%20": " ",
    "a b": "a%20b",
    "#x": "x",
    "ü": "u",
    "_x": "x",
    ".x": "x",
    "date=2011-02-01": "date",
    "~": "x",
    "$HOME": "x",
    "a\nb": "ab",
}


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
def test_a_raw_file_below_a_folder_of_any_name_is_read_and_its_siblings_are_not(spark, tmp_path, suffix):
    read, expected = [], []
    for number, (name, sibling) in enumerate(NAMES.items()):
        # where two names share a sibling, the last one wins
        for folder, value in ((sibling, -1 - number), (name, number)):
            path = tmp_path / str(number) / folder / f"day{suffix}"
            path.parent.mkdir(parents=True)
            _write(path, value)
        read.append(read_header(path))
        expected.append(number)
    found = read_days(spark, read, {"n": "n"}).toArrow()["n"].to_pylist()
    assert [int(value) for value in found] == expected


def test_a_raw_file_of_any_name_that_hadoop_can_spell_is_read_and_its_siblings_are_not(spark, tmp_path):
    plain = {name: sibling for name, sibling in NAMES.items() if name[0] not in "_." and ":" not in name}
    read = []
    for number, (name, sibling) in enumerate(plain.items()):
        for file, value in ((sibling, -1), (name, number)):
            path = tmp_path / str(number) / f"{file}.parquet"
            path.parent.mkdir(exist_ok=True)
            _write(path, value)
        read.append(read_header(path))
    assert read_days(spark, read, {"n": "n"}).toArrow()["n"].to_pylist() == list(range(len(plain)))


def test_tables_written_below_a_root_of_any_name_are_read_back_from_there(spark, tmp_path):
    for number, (name, sibling) in enumerate(list(NAMES.items())[:5]):
        rows = {}
        for folder, value in ((sibling, -1), (name, number)):
            frame = spark.createDataFrame([(value,)], "n int")
            rows[folder] = tables.write(frame, tmp_path / str(number) / folder, {"clean": ["n"]}).tables[
                "clean"
            ]
        assert [
            row.n for row in tables.read_written(spark, tmp_path / str(number) / name, rows[name]).collect()
        ] == [number]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("_day.csv", "passes over"),
        (".day.csv", "passes over"),
        ("day._COPYING_", "passes over"),
        ("10:30.csv", "no file with a ':'"),
        ("a:b/x*.csv", "no path with both"),
        (b"caf\xe9.csv".decode(errors="surrogateescape"), r"caf\\xe9.csv: its name is no UTF-8"),
    ],
)
def test_a_file_that_spark_cannot_be_handed_is_refused_by_its_name(tmp_path, name, reason):
    with pytest.raises(ConfigError, match=reason):
        literal(tmp_path / name)


def _write(path: Path, value: int) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"n": [value]}), path)
    else:
        path.write_bytes(gzip.compress(f"n\n{value}\n".encode()))
