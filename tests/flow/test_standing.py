"""Which model stands before a night, and what of earlier nights may be missing or damaged; stage folders
without Spark.
"""

import datetime
import shutil
import sys
from pathlib import Path

import pytest

from lsml_spark.core import manifest
from lsml_spark.core.errors import ConfigError, IntegrityError, NoRawDay
from lsml_spark.flow import backfill, wiring
from lsml_spark.flow.dates import days_before, parse_date
from lsml_spark.flow.history import History, Standing
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import toy_shards

TONIGHT = datetime.date(2011, 2, 24)


def nights(root: Path, champions: dict[str, str | None]) -> Runs:
    """Finished train and promote folders: by date, who stood after it."""
    runs = Runs(root, "toy")
    for date, champion in champions.items():
        folder = runs.folder / date
        toy_shards.stage(folder / "train", "train", files={"model.safetensors": date}, date=date)
        toy_shards.stage(
            folder / "promote", "promote", files={"decision.json": {"champion": champion}}, date=date
        )
    return runs


def stands(runs: Runs) -> str | None:
    model = History(runs, TONIGHT).standing.model
    return model.manifest.date if model else None


def test_the_model_that_was_promoted_last_stands(tmp_path):
    runs = nights(
        tmp_path,
        {
            "2011-02-21": "2011-02-21",
            "2011-02-22": "2011-02-22",
            "2011-02-23": "2011-02-22",
            "2011-02-25": "2011-02-25",
        },
    )
    assert stands(runs) == "2011-02-22"
    assert History(runs, TONIGHT).standing.lost is None


@pytest.mark.parametrize("pruned", ["2011-02-22/train", "2011-02-22"])
def test_where_its_folder_is_gone_the_one_before_it_stands_and_it_is_said(tmp_path, pruned):
    runs = nights(
        tmp_path, {"2011-02-21": "2011-02-21", "2011-02-22": "2011-02-22", "2011-02-23": "2011-02-22"}
    )
    shutil.rmtree(runs.folder / pruned)
    assert stands(runs) == "2011-02-21"
    assert History(runs, TONIGHT).standing.lost == (
        "the folder of the champion, the model of 2011-02-22, is gone: "
        "the model of 2011-02-21, which stood before it, takes its place"
    )  # fmt: skip
    shutil.rmtree(runs.folder / "2011-02-21" / "train")
    assert stands(runs) is None
    assert "no promoted model is left" in History(runs, TONIGHT).standing.lost


def test_where_none_was_promoted_none_stands_and_nothing_is_said(tmp_path):
    assert History(nights(tmp_path, {"2011-02-21": None}), TONIGHT).standing == Standing(None)


def test_a_damaged_decision_is_an_error_with_the_way_out_and_not_an_older_model(tmp_path):
    runs = nights(tmp_path, {"2011-02-21": "2011-02-21", "2011-02-22": "2011-02-22"})
    path = runs.folder / "2011-02-22" / "promote" / "decision.json"
    path.write_text(path.read_text().replace("22", "21"))
    with pytest.raises(
        IntegrityError, match=r"decision\.json: damaged .*lsml run … --date 2011-02-22 --from promote"
    ):
        stands(runs)


def test_a_damaged_manifest_that_a_night_only_looks_back_at_is_passed_over_with_a_warning(tmp_path, caplog):
    runs = nights(tmp_path, {})
    for date in ("2011-02-20", "2011-02-21"):
        toy_shards.stage(runs.folder / date / "zipf", "zipf", date=date)
        toy_shards.stage(runs.folder / date / "quality", "quality", date=date)
    for stage in ("zipf", "quality"):
        (runs.folder / "2011-02-21" / stage / "manifest.json").write_text("{}")
    found = History(runs, TONIGHT).latest("zipf")
    assert found.manifest.date == "2011-02-20"
    assert list(wiring.context(History(runs, TONIGHT), "quality")) == ["history/2011-02-20"]


def test_a_manifest_of_an_earlier_night_is_parsed_once_until_it_changes(tmp_path, monkeypatch):
    runs = nights(tmp_path, {"2011-02-21": "2011-02-21", "2011-02-22": "2011-02-21"})
    for date in ("2011-02-21", "2011-02-22"):
        for stage in ("quality", "zipf", "evaluate"):
            toy_shards.stage(runs.folder / date / stage, stage, date=date)
    parsed, read = [], manifest.read
    monkeypatch.setattr(manifest, "read", lambda folder: parsed.append(folder) or read(folder))

    def look_back():
        history = History(runs, TONIGHT)
        for stage in ("quality", "zipf", "promote", "report"):
            wiring.context(history, stage)
        return wiring.earlier(history, 60, ("previous", "speed", "pilot", "scores")), history.standing

    found, standing = look_back()
    assert list(found) == [
        "previous",
        "speed",
        "scores/2011-02-21",
        "promote/2011-02-21",
        "scores/2011-02-22",
        "promote/2011-02-22",
    ]
    assert standing.model.manifest.date == "2011-02-21"
    once = len(parsed)
    assert once == len(set(parsed)) + parsed.count(runs.stage(TONIGHT, "pilot")) - 1
    look_back()
    assert [folder for folder in parsed[once:] if folder.parent.name != TONIGHT.isoformat()] == []
    toy_shards.stage(runs.folder / "2011-02-22" / "zipf", "zipf", files={"more": 1}, date="2011-02-22")
    look_back()
    assert runs.folder / "2011-02-22" / "zipf" in parsed[once:]


def test_only_year_month_day_is_a_night(tmp_path):
    runs = Runs(tmp_path, "toy")
    for name in ("2024-02-28", "20240228", "2024-W09-4", "2024-02-28.bak", "2024-02-30", "2024-2-28"):
        (runs.folder / name).mkdir(parents=True)
    (runs.folder / "2024-02-27").write_text("a file")
    assert runs.dates() == [datetime.date(2024, 2, 28)]


@pytest.mark.parametrize(
    "text", ["20240301", "2024-W09-5", "2024-02-30", "yesterday", "2024-3-1", "٢٠٢٤-٠٣-٠١", "10000-01-01", ""]
)
def test_only_year_month_day_is_a_date(text):
    with pytest.raises(ConfigError, match="expected a date such as 2011-02-01"):
        parse_date(text)


def test_time_begins_with_the_year_1():
    assert days_before(datetime.date(1, 1, 3), 60) == [datetime.date(1, 1, 1), datetime.date(1, 1, 2)]
    assert days_before(datetime.date.min, 60) == []
    assert len(days_before(datetime.date.max, 60)) == 60


@pytest.mark.parametrize(
    "root",
    ["s3://bucket/runs", "hdfs://host:9000/runs", "abfss://box@account/runs", "gs://b", "file:///tmp/runs"],
)
def test_a_root_on_an_object_store_is_refused(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="is no local path"):
        Runs(Path(root).resolve(), "toy")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("folder", "files"),
    [("raw", "{{ date }}.csv"), ("raw/{{ date }}", "*.csv"), ("raw", "**/day={{ date }}/*.csv")],
)
def test_a_backfill_of_all_time_asks_where_raw_days_lie(tmp_path, folder, files):
    pipeline = tmp_path / "toy.yaml"
    pipeline.write_text(f"name: toy\nraw: {{folder: '{folder}', files: '{files}'}}\n")
    one = Pipeline(pipeline)
    for date in ("2011-02-01", "2011-02-02", "2011-02-05"):
        path = (
            tmp_path
            / folder.replace("{{ date }}", date)
            / files.replace("{{ date }}", date).replace("**", "a/b").replace("*", "x")
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("id\n1\n")
    days = backfill.days(one, datetime.date.min, datetime.date.max)
    assert days == [datetime.date(2011, 2, day) for day in (1, 2, 5)]
    assert backfill.missing(days, days[0], days[-1]) == "no raw files, left out: 2011-02-03, 2011-02-04"
    assert "all before 2011-02-01; all after 2011-02-05" in backfill.missing(
        days, datetime.date.min, datetime.date.max
    )
    assert backfill.missing(days[:2], days[0], days[1]) is None
    with pytest.raises(NoRawDay, match="no raw file for any day from 2012-01-01 to 2012-12-31"):
        backfill.days(one, datetime.date(2012, 1, 1), datetime.date(2012, 12, 31))
