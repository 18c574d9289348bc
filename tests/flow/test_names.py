"""pipelines/names.yaml: a pipeline whose nights are years, on the shipped files."""

import datetime
import gzip
import json
import shutil

import pytest
from nights import REPO
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.flow.produce import Night

NAMES = REPO / "pipelines" / "names.yaml"
YEARS = REPO / "pipelines" / "data" / "names"


def births(year):
    """{(name, sex): births} as the file has them."""
    lines = gzip.decompress((YEARS / f"{year}-12-31.csv.gz").read_bytes()).decode().split()
    return {(name, sex): int(count) for name, sex, count in (line.split(",") for line in lines)}


def test_a_window_of_days_holds_the_ten_yearly_files_before_the_night(tmp_path):
    pipeline = Pipeline(NAMES)
    night = Night(pipeline, Runs(tmp_path, pipeline.name), datetime.date(2000, 12, 31))
    found = [day for day in night.window() if pipeline.raw_files(day)]
    assert found == [datetime.date(year, 12, 31) for year in range(1990, 2000)]


@pytest.mark.spark
def test_a_sample_stands_for_a_hundred_births_and_carries_the_pieces_of_its_name(spark):
    lines = {pair: count for pair, count in births(1990).items() if hash_of(pair) % 20 == 0}
    rows = [(name, sex, count, datetime.date(1990, 12, 31)) for (name, sex), count in lines.items()]
    spark.createDataFrame(rows, "name string, sex string, births int, date date").createOrReplaceTempView(
        "clean"
    )
    samples = spark.sql(Pipeline(NAMES).resolved("prepare")["sql"]).collect()
    assert len({row.sample_id for row in samples}) == len(samples)

    kept = [row for row in samples if row.drop_reason is None]
    per_line = dict.fromkeys(lines, 0)
    for row in kept:
        per_line[row.key, row.label] += 1
    assert all(
        count // 100 <= per_line[pair] <= count // 100 + (count % 100 > 0) for pair, count in lines.items()
    )
    sd = sum(count % 100 * (100 - count % 100) for count in lines.values()) ** 0.5 / 100
    assert abs(len(kept) - sum(lines.values()) / 100) < 4 * sd
    assert {(row.key, row.label) for row in samples if row.drop_reason} == {
        pair for pair in lines if not per_line[pair]
    }

    for row in kept[::25]:
        spelt = f"^{row.key.lower()}$"
        pieces = [spelt[i : i + n] for n in (1, 2, 3, 4) for i in range(len(spelt) - n + 1)]
        assert row.ngrams == [*pieces, row.key]


def hash_of(pair):
    return sum(map(ord, "".join(pair)))


@pytest.fixture(scope="module")
def two_years(spark, tmp_path_factory):
    """The nights 1993 and 1994 of a registry that began in 1991."""
    raw, root = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("runs")
    for year in range(1991, 1995):
        shutil.copy(YEARS / f"{year}-12-31.csv.gz", raw)
    words = [
        "backfill",
        str(NAMES),
        "--from",
        "1993-01-01",
        "--to",
        "1994-12-31",
        "--set",
        f"raw.folder={raw}",
        "--root",
        str(root),
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return root, words


def found(root, date, stage, file):
    return json.loads((root / "names" / date / stage / file).read_text())


@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("date", ["1993-12-31", "1994-12-31"])
def test_the_model_beats_popularity_everywhere_and_the_keys_own_frequencies_on_rare_names(two_years, date):
    root, _ = two_years
    systems = found(root, date, "evaluate", "metrics.json")["systems"]
    model, popularity, per_key = (systems[name] for name in ("model", "popularity", "key_frequency"))
    assert model["recall"] > 0.95 > popularity["recall"]
    assert model["log_loss"] < 0.25 * popularity["log_loss"]
    assert model["log_loss"] < per_key["log_loss"]
    for band in ("0", "1", "2–9"):
        assert (
            model["bands"][band]["log_loss"]
            < per_key["bands"][band]["log_loss"]
            < popularity["bands"][band]["log_loss"] + 1e-4
        )
    assert found(root, date, "promote", "decision.json")["promoted"]


@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_years_verify_a_second_backfill_does_nothing_and_the_second_year_starts_from_the_first(two_years):
    root, words = two_years
    verified = CliRunner().invoke(app, ["verify", str(NAMES), "--root", str(root)])
    assert verified.exit_code == 0, verified.output
    assert "2 nights: nothing to do" in CliRunner().invoke(app, words).output
    assert found(root, "1994-12-31", "train", "model.json")["start"] == "1993-12-31"
    assert found(root, "1994-12-31", "prepare", "manifest.json")["metrics"]["days"]["train"] == [
        f"{y}-12-31" for y in (1991, 1992, 1993)
    ]
    assert (root / "names" / "site" / "index.html").exists()
