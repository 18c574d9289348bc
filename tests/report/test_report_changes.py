"""What changed since the last good night: the right night, the right columns, findings that came and went."""

from dataclasses import replace

import pytest
from report_nights import finding, full, history, make_stage, quality, report

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import read
from lsml_spark.core.work import Source
from lsml_spark.report.facts import Night
from lsml_spark.report.quality import document
from lsml_spark.report.quality.history import read as read_history

DAYS = [f"2011-02-{day:02}" for day in range(1, 21)]


def night(tmp_path, tonight=None, previous=None, past=(), **kind):
    sources = {"quality": tonight or quality(tmp_path, "2011-02-25", **kind)}
    good = {name.removeprefix("history/"): source for name, source in history(tmp_path, past).items()}
    return Night("retail", "2011-02-25", 7, sources, {"quality": previous} if previous else {}, good)


def changes(*arguments, **kind):
    return document.build(night(*arguments, **kind))[0]["changes"]


def test_the_last_good_night_is_the_latest_of_the_history(tmp_path):
    found = night(tmp_path, previous=quality(tmp_path, "2011-02-24"), past=DAYS)
    assert found.last_good.manifest.date == DAYS[-1]


def test_without_history_the_previous_night_counts_unless_it_failed(tmp_path):
    assert night(tmp_path, previous=quality(tmp_path, "2011-02-24")).last_good.manifest.date == "2011-02-24"
    assert night(tmp_path, previous=quality(tmp_path, "2011-02-24", failed="no rows")).last_good is None
    assert changes(tmp_path) is None


def test_the_column_whose_figures_left_their_usual_range_comes_first(tmp_path):
    found = changes(tmp_path, past=DAYS, missing=0.6)["moved"][0]
    assert (found["name"], found["metric"], found["outside"]) == ("CustomerID", "missing_share", 1)
    assert found["now"] > 0.55
    assert found["usual"][0] < found["last"] < found["usual"][1] < found["now"]


def test_an_ordinary_night_has_nothing_outside_the_usual(tmp_path):
    moved = changes(tmp_path, past=DAYS)["moved"]
    assert [step["name"] for step in moved if step["metric"] == "missing_share"] == []


def test_findings_that_came_and_went(tmp_path):
    ours = [
        finding("late", "InvoiceDate", "warn", 0, 10, "late", False),
        finding("both", None, "warn", 1, 10, "both", False),
    ]
    theirs = [
        finding("early", None, "warn", 1, 10, "early", False),
        finding("both", None, "warn", 1, 10, "both", False),
    ]
    now = make_stage(tmp_path, "2011-02-25", "quality", Ledger(10, 10), {"verdict": "warn", "findings": ours})
    last = make_stage(tmp_path, "2011-02-24", "quality", Ledger(8, 8), {"verdict": "ok", "findings": theirs})
    found = changes(tmp_path, now, last)
    assert (found["new"], found["gone"]) == (["late"], ["early"])
    assert (found["verdict"], found["rows"]) == (["warn", "ok"], [10, 8])


def test_columns_that_came_went_and_changed_their_type(tmp_path):
    def source(date, columns):
        described = {
            name: {"type": type_, "kind": "number", "metrics": {"missing": 0}}
            for name, type_ in columns.items()
        }
        return make_stage(
            tmp_path, date, "quality", Ledger(1, 1), {}, {"profile.json": {"rows": 1, "columns": described}}
        )

    now, last = (
        source("2011-02-25", {"a": "int", "b": "double"}),
        source("2011-02-24", {"b": "int", "c": "int"}),
    )
    found = document.build(night(tmp_path, now, last))[0]
    assert found["changes"]["schema"] == ["a is new", "b was int, is double", "c vanished"]
    assert [column.get("state") for column in found["columns"]] == ["new", "retyped", "vanished"]


def test_the_three_worst_findings_come_with_the_row_that_shows_them(tmp_path):
    found = document.build(night(tmp_path, warn=True))[0]["worst"]
    assert [(item["check"], item["severity"]) for item in found] == [
        ("fresh", "warn"),
        ("price out of range", "quarantine"),
        ("cancelled invoice", "quarantine"),
    ]
    assert found[0]["example"] == []  # nothing was quarantined for it
    assert found[1]["example"][0] == ["UnitPrice", "0.00"]  # the column of the check comes first
    assert found[1]["place"] == "2011-02-25.csv.gz:2"


def test_an_example_of_the_finding_itself_is_preferred(tmp_path):
    given = finding("conflict", "Country", "fail", 3, 10, "3 conflicts", False)
    given["examples"] = [{"Quantity": "7", "Country": "EIRE", "_file": "/secret/day.csv", "_line": "12"}]
    now = make_stage(
        tmp_path, "2011-02-25", "quality", Ledger(10, 10), {"verdict": "failed", "findings": [given]}
    )
    (found,) = document.build(night(tmp_path, now))[0]["worst"]
    assert found["example"] == [["Country", "EIRE"], ["Quantity", "7"]]
    assert found["place"] == "day.csv:12"


def test_the_page_of_the_night_says_all_of_it_first(tmp_path):
    sources = full(tmp_path, "2011-02-25", warn=True)
    page = report(tmp_path, "2011-02-25", {**sources, **history(tmp_path, DAYS)}).read_text()
    first = page[page.index('<section class="morning"') : page.index('<section class="tiles"')]
    for words in (
        "1,737 rows came, 1,650 were kept",
        "Since the last good night",
        DAYS[-1],
        "Moved most",
        "The worst findings",
        "SET OF 3 CAKE TINS",
    ):
        assert words in first


def test_a_history_is_read_night_by_night_and_folders_that_tell_nothing_are_passed_over(tmp_path):
    sources = {day: quality(tmp_path, day) for day in DAYS[:3]}
    sources["2011-01-01"] = make_stage(tmp_path, "2011-01-01", "quality", Ledger(5, 5))
    found = read_history(sources)
    assert list(found.dates) == DAYS[:3]
    expected = [
        Night("retail", day, 7, {"quality": sources[day]}).facts("quality", "profile.json")
        for day in DAYS[:3]
    ]
    for metric in ("missing_share", "distinct", "length_mean"):
        assert found.figure("CustomerID", metric).tolist() == [
            day["columns"]["CustomerID"]["metrics"][metric] for day in expected
        ]
    assert found.check("price out of range").tolist() == [(20 + day) / 1737 for day in (1, 2, 3)]
    assert (
        found.latest(2).figure("UnitPrice", "mean").tolist() == found.figure("UnitPrice", "mean")[1:].tolist()
    )


def test_a_night_without_figures_is_a_gap_but_for_its_ledger(tmp_path):
    sources = {DAYS[0]: quality(tmp_path, DAYS[0]), DAYS[1]: quality(tmp_path, DAYS[1], profiled=False)}
    found = read_history(sources)
    assert found.figure("", "rows").tolist() == [1737, 1737]
    assert str(found.figure("UnitPrice", "mean")[1]) == "nan"


def test_a_damaged_table_of_metrics_is_an_integrity_error_that_names_it(tmp_path):
    source = quality(tmp_path, DAYS[0])
    source.files("metrics")[0].write_bytes(b"PAR1 but no more")
    with pytest.raises(IntegrityError, match=r"metrics/part-0\.parquet"):
        read_history({DAYS[0]: source})


def test_two_runs_of_a_report_leave_the_same_manifest(tmp_path):
    sources = {**full(tmp_path, "2011-02-25", hostile=True), **history(tmp_path, DAYS)}
    identities = []
    for order in (list(sources), list(reversed(sources))):
        found = read(report(tmp_path, "2011-02-25", {name: sources[name] for name in order}).parent)
        identities.append(found.identity)
    assert identities[0] == identities[1]


def test_an_empty_history_of_old_folders_changes_nothing(tmp_path):
    source = quality(tmp_path, "2011-02-25", profiled=False)
    source = Source(
        source.folder,
        replace(
            source.manifest,
            metrics={"verdict": "ok", "columns": {"a": {"type": "int", "missing": 2, "distinct": 5}}},
        ),
    )
    found = document.build(Night("retail", "2011-02-25", 7, {"quality": source}))[0]
    assert [(column["name"], column["kind"]) for column in found["columns"]] == [("a", "number")]
    assert found["nights"] == ["2011-02-25"]
