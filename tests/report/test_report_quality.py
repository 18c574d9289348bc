"""quality.json keeps to its schema for every kind of night, says what the stages wrote, and stays small."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from report_nights import EVIL, before, full, history, make_stage, quality, report
from report_wide import TONIGHT, wide_nights

import lsml_spark.report.quality.document
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Table, describe
from lsml_spark.report.series import decode

SCHEMA = json.loads(
    Path(lsml_spark.report.quality.document.__file__).with_name("quality.schema.json").read_text()
)
DAYS = [f"2011-02-{day:02}" for day in range(1, 21)]


def written(tmp_path, sources, date="2011-02-25"):
    return json.loads((report(tmp_path, date, sources).with_name("quality.json")).read_bytes())


def nights(tmp_path):
    last = full(tmp_path, "2011-02-24", hostile=True)
    yield "full", {**full(tmp_path, "2011-02-25", warn=True), **before(last), **history(tmp_path, DAYS)}
    yield (
        "hostile",
        {**full(tmp_path, "2011-02-25", hostile=True), **before(last), **history(tmp_path, DAYS[:3])},
    )
    yield "empty", {**full(tmp_path, "2011-02-25", empty=True), **before(last)}
    yield "first", full(tmp_path, "2011-02-25")
    yield (
        "old",
        {
            "quality": quality(tmp_path, "2011-02-25", profiled=False),
            **history(tmp_path, DAYS, profiled=False),
        },
    )
    yield "stopped", {"quality": quality(tmp_path, "2011-02-25", failed="no rows"), **history(tmp_path, DAYS)}
    yield "bare", {"quality": make_stage(tmp_path, "2011-02-25", "quality", Ledger())}
    yield "without quality", {**history(tmp_path, DAYS)}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_every_kind_of_night_keeps_to_the_schema(tmp_path):
    for name, sources in nights(tmp_path):
        problems = [
            f"{name}: {list(error.absolute_path)}: {error.message[:200]}"
            for error in Draft202012Validator(SCHEMA).iter_errors(written(tmp_path, sources))
        ]
        assert problems == []


def test_the_schema_refuses_what_it_does_not_describe(tmp_path):
    found = written(tmp_path, full(tmp_path, "2011-02-25"))
    assert Draft202012Validator(SCHEMA).is_valid(found)
    for place in (found, found["columns"][0], found["checks"][0]):
        place["surprise"] = 1
        assert not Draft202012Validator(SCHEMA).is_valid(found)
        del place["surprise"]


def test_the_page_carries_the_document_and_nothing_else(tmp_path):
    path = report(
        tmp_path, "2011-02-25", {**full(tmp_path, "2011-02-25", hostile=True), **history(tmp_path, DAYS)}
    )
    page = path.with_name("quality.html").read_text()
    (inlined,) = re.findall(r'<script type="application/json" id="quality">(.*?)</script>', page, re.DOTALL)
    assert json.loads(inlined) == json.loads(path.with_name("quality.json").read_bytes())
    assert EVIL not in page


def test_every_figure_of_the_profile_is_there_and_its_nights_read_back(tmp_path):
    sources = {**full(tmp_path, "2011-02-25"), **history(tmp_path, DAYS)}
    found = written(tmp_path, sources)
    assert found["nights"] == [*DAYS, "2011-02-25"]
    profiles = {
        name: json.loads((source.folder / "profile.json").read_text())
        for name, source in sources.items()
        if "profile.json" in str(source.manifest.files)
    }
    tonight = profiles["quality"]["columns"]
    assert sorted(column["name"] for column in found["columns"]) == sorted(tonight)
    for column in found["columns"]:
        if column["kind"] == "time":
            continue
        figures = dict(zip(found["metrics"][column["kind"]], column["figures"], strict=True))
        for metric, value in tonight[column["name"]]["metrics"].items():
            figure = figures[metric]
            assert (figure if isinstance(figure, int | float) else figure[0]) == pytest.approx(
                value, rel=1e-5
            )
            if isinstance(figure, list) and metric != "missing":
                expected = [
                    profiles[f"history/{day}"]["columns"][column["name"]]["metrics"][metric] for day in DAYS
                ]
                read_N = decode(figure[4][4:], figure[2], figure[3], found["digits"])
                assert read_N == pytest.approx(
                    np.array([*expected, value]), abs=1e-3 * (figure[3] - figure[2]) + 1e-9
                )


def test_the_times_of_a_column_are_counted_from_each_nights_midnight(tmp_path):
    found = written(tmp_path, {**full(tmp_path, "2011-02-25"), **history(tmp_path, DAYS)})
    column = next(column for column in found["columns"] if column["name"] == "InvoiceDate")
    figures = dict(zip(found["metrics"]["time"], column["figures"], strict=True))
    assert figures["min"] == 7.5 * 3600  # the shop opens then, every night
    assert 17 * 3600 < figures["max"][2] < figures["max"][3] <= 20 * 3600
    assert column["drift"]["js"] < 0.2  # the same hours of another day


def test_columns_stand_in_the_order_of_the_data(tmp_path):
    source = quality(tmp_path, "2011-02-25")
    path = source.folder / "clean" / "part-0.parquet"
    path.parent.mkdir()
    order = ["Quantity", "Country", "InvoiceNo", "UnitPrice"]
    pq.write_table(pa.table({name: ["x"] for name in order}), path)
    file = describe(source.folder, path)
    tables = {
        **source.manifest.tables,
        "clean": Table({}, 1, "0" * 16, [File(file.path, file.bytes, file.checksum, 1, [1])]),
    }
    manifest = source.manifest
    files = {"profile.json": json.loads((source.folder / "profile.json").read_text())}
    source = make_stage(tmp_path, "2011-02-25", "quality", manifest.ledger, manifest.metrics, files, tables)
    assert [column["name"] for column in written(tmp_path, {"quality": source})["columns"]][:4] == order


def prepared(tmp_path, date, labels, sql="SELECT StockCode AS key, lower(Country) AS label"):
    folder = tmp_path / "retail" / date / "prepare" / "test"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"label": labels}), folder / "part-0.parquet")
    file = describe(folder.parent, folder / "part-0.parquet")
    table = Table(
        {"label": "string"},
        len(labels),
        "0" * 16,
        [File(file.path, file.bytes, file.checksum, len(labels), [len(labels)])],
    )
    source = make_stage(tmp_path, date, "prepare", Ledger(1, 1), tables={"test": table})
    source.manifest.config["sql"] = sql
    return source


def test_labels_are_those_of_the_day_against_the_night_before(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    sources["prepare"] = prepared(tmp_path, "2011-02-25", ["a", "a", "b", None, "c"])
    sources["previous/prepare"] = prepared(tmp_path, "2011-02-24", ["a", "b", "b", "b"])
    found = written(tmp_path, sources)["labels"]
    assert found["top"] == [["a", 0.5, 0.25], ["b", 0.25, 0.75], ["c", 0.25, 0.0]]
    assert (found["rows"], found["distinct"], found["against"], found["drift"]["linf"]) == (
        4,
        [3, 2],
        "2011-02-24",
        0.5,
    )
    assert "column" not in found  # an expression is no column


def test_keys_know_their_column_and_how_far_they_climbed(tmp_path):
    last = full(tmp_path, "2011-02-24")
    sources = {**full(tmp_path, "2011-02-25"), "previous/zipf": last["zipf"]}
    sources["prepare"] = prepared(tmp_path, "2011-02-25", ["a"])
    found = written(tmp_path, sources)
    assert found["columns"][found["keys"]["column"]]["name"] == "StockCode"
    assert found["keys"]["since"] == "2011-02-24"
    assert found["keys"]["top"][0] == ["22000", 450, 1, 450]
    assert found["keys"]["figures"]["hapaxes"][0] == found["keys"]["figures"]["hapaxes"][1] > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixed", "numbers"])
def test_500_columns_and_90_nights_stay_below_a_megabyte(tmp_path, kind):
    page = report(tmp_path, TONIGHT.isoformat(), wide_nights(tmp_path, 500, 90, 300, kind)).with_name(
        "quality.html"
    )
    assert page.stat().st_size < 1_000_000
    found = json.loads(page.with_name("quality.json").read_bytes())
    assert found["nights_known"] == 90
    assert len(found["nights"]) == 90 if kind == "mixed" else len(found["nights"]) > 40
    assert Draft202012Validator(SCHEMA).is_valid(found)
