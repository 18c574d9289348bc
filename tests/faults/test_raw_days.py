"""Which files are a day: what the pattern names and what cannot be read is an error, never a day less or
another's rows.
"""

import datetime
import os
from pathlib import Path

import pytest

from lsml_spark.core.errors import ConfigError, LsmlError, NoRawDay, QualityGateError
from lsml_spark.core.raw import Raw
from lsml_spark.flow.raw_days import RawDays

DAY, NEXT = datetime.date(2011, 2, 1), datetime.date(2011, 2, 2)


@pytest.fixture
def days(tmp_path):
    """Make the files named (empty ones; a name that ends in / is a folder), and look for days among them."""

    def make(*names: str, files: str = "{{ date }}.csv", folder: str = "raw", **options) -> RawDays:
        (tmp_path / "raw").mkdir(exist_ok=True)
        for name in names:
            path = tmp_path / "raw" / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.touch()
        return RawDays(tmp_path / "p.yaml", Raw(folder=folder, files=files, **options))

    return make


def names(found: RawDays, date: datetime.date = DAY) -> list[str]:
    return [path.relative_to(found.folder(date)).as_posix() for path in found.files(date)]


@pytest.mark.parametrize("files", ["*.csv", "day.csv", "2011-02-01.csv", "{{date}", "${DAY:-2011-02-01}.csv"])
def test_a_pattern_without_the_date_is_refused_for_it_gives_every_day_all_files(days, files):
    with pytest.raises(
        ConfigError, match=r"raw.files: .*every day would get the same files.*same_every_day: true"
    ):
        days("2011-02-01.csv", files=files).files(DAY)


def test_a_pattern_without_the_date_holds_where_the_config_says_so(days):
    found = days("a.csv", files="*.csv", same_every_day=True)
    assert names(found) == names(found, NEXT) == ["a.csv"]


@pytest.mark.parametrize(
    "where", [{"folder": "raw/{{ date }}", "files": "*.csv"}, {"files": "{{ date }}/*.csv"}]
)
def test_the_date_may_stand_in_the_folder_or_in_the_pattern(days, where):
    found = days("2011-02-01/a.csv", "2011-02-02/a.csv", **where)
    assert [path.parent.name for path in found.files(DAY)] == ["2011-02-01"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("/etc/{{ date }}*", "is absolute"),
        ("//{{ date }}", "is absolute"),
        ("../{{ date }}.csv", "leaves raw.folder"),
        ("{{ date }}/../*.csv", "leaves raw.folder"),
        ("**{{ date }}.csv", "stands alone"),
        ("{{ date }}\0", "names no file"),
    ],
)
def test_a_pattern_that_leaves_the_folder_or_means_nothing_is_refused(days, files, message):
    with pytest.raises(ConfigError, match=message):
        days("2011-02-01.csv", files=files).files(DAY)


@pytest.mark.parametrize("files", ["", " ", ".", "/", "**", "**/."])
def test_a_pattern_that_names_no_file_is_refused(days, files):
    with pytest.raises(ConfigError, match=r"names|absolute"):
        days("2011-02-01/a.csv", folder="raw/{{ date }}", files=files).files(DAY)


@pytest.mark.parametrize(
    "folder", ["s3://bucket/x", "hdfs:/data", "gs://b", "file:///data", "abfss://c@a.dfs/x"]
)
def test_an_address_of_a_store_is_called_one(days, folder):
    with pytest.raises(ConfigError, match="raw must be a local path"):
        days(folder=folder).files(DAY)


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("$HOME/raw", r"write \$\{HOME\}"),
        ("~nobody-of-that-name/raw", "home directory"),
        ("raw/2011-02-01.csv", "is a file, no folder"),
        ("nothing", "there is no folder"),
        ("", "is empty"),
        ("x" * 300, "too long"),
    ],
)
def test_a_raw_folder_that_is_not_there_is_an_error_that_says_what_was_meant(days, folder, message):
    with pytest.raises(ConfigError, match=message):
        days("2011-02-01.csv", folder=folder).files(DAY)


def test_a_day_whose_own_folder_is_not_there_is_a_day_without_data(days):
    found = days("2011-02-01/a.csv", folder="raw/{{ date }}", files="*.csv")
    assert (len(found.files(DAY)), found.files(NEXT)) == (1, [])
    assert "raw/2011-02-02" in str(found.missing(NEXT))
    with pytest.raises(ConfigError, match="there is no folder"):
        days(folder="nothing/{{ date }}/x", files="*.csv").files(DAY)


def test_a_tilde_is_the_home(days, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert names(days("2011-02-01.csv", folder="~/raw")) == ["2011-02-01.csv"]


def test_no_file_is_two_days(days, tmp_path):
    found = days("2011-02-01_2011-02-02.csv", files="*{{ date }}*")
    found.files(DAY)
    with pytest.raises(ConfigError, match="would be read as 2011-02-01 and as 2011-02-02"):
        found.files(NEXT)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_no_file_is_read_twice_in_a_day_under_two_names(days, tmp_path, link):
    found = days("2011-02-01.a.csv", files="{{ date }}*.csv")
    link(tmp_path / "raw" / "2011-02-01.a.csv", tmp_path / "raw" / "2011-02-01.b.csv")
    with pytest.raises(ConfigError, match="are one file"):
        found.files(DAY)


@pytest.mark.parametrize("files", ["{{ date }}.csv", "*.csv"])
def test_a_dangling_link_is_named(days, tmp_path, files):
    found = days(
        "other/", files=files, folder="raw" if "date" in files else "raw/{{ date }}/..", same_every_day=True
    )
    os.symlink("gone.csv", tmp_path / "raw" / "2011-02-01.csv")
    (tmp_path / "raw" / "2011-02-01").mkdir()
    with pytest.raises(ConfigError, match=r"2011-02-01.csv is a link to gone.csv, which is not there"):
        found.files(DAY)


def test_a_folder_that_links_to_itself_is_not_walked_for_ever(days, tmp_path):
    found = days("a/2011-02-01.csv", files="**/{{ date }}.csv")
    os.symlink("..", tmp_path / "raw" / "a" / "up")
    assert names(found) == ["a/2011-02-01.csv"]
    os.symlink("self", tmp_path / "raw" / "self")
    with pytest.raises(ConfigError):
        days(folder="raw/self").files(DAY)


@pytest.mark.parametrize(
    ("here", "files", "expected"),
    [
        (
            ["2011-02-02.parquet/part-0.parquet", "2011-02-02.parquet/_SUCCESS"],
            "{{ date }}.parquet",
            ["part-0.parquet"],
        ),
        (
            ["2011-02-02.csv/part-1.csv", "2011-02-02.csv/.part-1.csv.crc", "2011-02-02.csv/part-0.csv"],
            "{{ date }}.csv",
            None,
        ),
        (["2011-02-02.csv/0.part", "2011-02-02.csv/1.part"], "{{ date }}.csv", None),
        (
            ["date=2011-02-02/country=D/a.parquet", "date=2011-02-02/country=F/a.parquet"],
            "date={{ date }}",
            None,
        ),
        (["date=2011-02-02/country=D/a.parquet"], "date={{ date }}/", None),
        (["2011-02-02/10/a.csv", "2011-02-02/11/a.csv"], "{{ date }}", None),
        (["2011-02-02/10/a.csv", "2011-02-02/11/a.csv"], "{{ date }}/*/a.csv", None),
        (["2011-02-02/10/a.csv", "2011-02-02/11/a.csv"], "{{ date }}/*", None),
    ],
)
def test_a_day_that_is_a_folder_of_parts_is_all_of_its_parts_and_nothing_else(days, here, files, expected):
    wanted = sorted(name for name in here if not Path(name).name.startswith((".", "_")))
    assert names(days("2011-02-01.csv", *here, files=files), NEXT) == wanted
    assert expected is None or [Path(name).name for name in wanted] == expected


@pytest.mark.parametrize(
    ("here", "message"),
    [
        (["2011-02-02.csv/_SUCCESS"], "without a single part file"),
        (["2011-02-02.csv/"], "without a single part file"),
        (["2011-02-02.csv/_temporary/0/part-0.csv", "2011-02-02.csv/part-1.csv"], "still being written"),
    ],
)
def test_a_folder_that_is_there_and_holds_no_day_is_not_a_day_without_data(days, here, message):
    with pytest.raises(QualityGateError, match=message):
        days(*here).files(NEXT)


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("_delta_log/0.json", "Delta"),
        ("metadata/v1.metadata.json", "Iceberg"),
        (".hoodie/hoodie.properties", "Hudi"),
    ],
)
@pytest.mark.parametrize(
    ("where", "files"),
    [
        ("2011-02-01", "{{ date }}"),
        ("2011-02-01", "{{ date }}/*.parquet"),
        ("t", "t/date={{ date }}"),
        ("", "date={{ date }}/*"),
    ],
)
def test_a_table_of_a_format_with_a_log_is_refused_for_not_all_of_its_files_are_rows(
    days, log, kind, where, files
):
    found = days(
        *[f"{where}/{name}".lstrip("/") for name in (log, "a.parquet", "date=2011-02-01/a.parquet")],
        files=files,
    )
    with pytest.raises(ConfigError, match=f"is a table of {kind}"):
        found.files(DAY)


@pytest.mark.parametrize("packed", ["2011-02-01.csv.gz", "2011-02-01.csv.bz2", "2011-02-01.csv.xz"])
def test_a_file_beside_its_packed_self_is_refused_for_its_rows_would_be_read_twice(days, packed):
    with pytest.raises(ConfigError, match=r"2011-02-01\.csv and .*one file plain and packed"):
        days("2011-02-01.csv", packed, files="{{ date }}.csv*").files(DAY)
    assert len(days("2011-02-02.csv.gz", "2011-02-02.b.csv", files="{{ date }}*").files(NEXT)) == 2


def test_hidden_files_are_no_days_and_those_that_are_meant_are_refused_by_their_name(days):
    assert names(days("._2011-02-01.csv", ".2011-02-01.csv.crc", "2011-02-01.csv", files="*{{ date }}*")) == [
        "2011-02-01.csv"
    ]
    for files in ("_{{ date }}.csv", "*{{ date }}.csv"):
        with pytest.raises(ConfigError, match=r"_2011-02-01\.csv: .*begin with '_'.*rename it"):
            days("_2011-02-01.csv", files=files).files(DAY)


@pytest.mark.parametrize(
    "name", ["2011-02-01.csv~", "2011-02-01.csv.bak", "2011-02-01.csv.part", "2011-02-01.csv.TMP"]
)
def test_what_looks_like_half_a_transfer_is_not_read_beside_the_day(days, name):
    with pytest.raises(ConfigError, match="copy or half a transfer"):
        days("2011-02-01.csv", name, files="{{ date }}.csv*").files(DAY)


def test_what_is_no_file_is_named_and_not_waited_for(days, tmp_path):
    found = days()
    os.mkfifo(tmp_path / "raw" / "2011-02-01.csv")
    with pytest.raises(ConfigError, match="is no plain file"):
        found.files(DAY)


def test_a_name_that_spark_cannot_be_handed_is_found_before_spark_starts(days):
    with pytest.raises(ConfigError, match="':'"):
        days("2011-02-01T10:30.csv", files="{{ date }}*").files(DAY)


def test_brackets_and_other_letters_of_patterns_in_the_folder_are_letters(days):
    for folder in ("raw [eu]", "a*b", "{a,b}", "a?b"):
        assert names(days(f"{folder}/2011-02-01.csv", "raw e/2011-02-01.csv", folder=f"raw/{folder}")) == [
            "2011-02-01.csv"
        ]


def test_a_day_without_files_is_no_data_not_no_trading(days):
    found = days("2011-02-01.csv")
    assert found.files(NEXT) == []
    missing = found.missing(NEXT)
    assert isinstance(missing, NoRawDay)
    assert "no data of that day" in str(missing)
    assert issubclass(NoRawDay, LsmlError)
