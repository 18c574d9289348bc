"""The picture of the rows accounts for every row: what joins and leaves adds up, stage by stage."""

import re

import pytest
from report_nights import counted, full, make_stage, quality

from lsml_spark.core.ledger import Ledger
from lsml_spark.report.facts import Night
from lsml_spark.report.night.rowflow import strip, table, trunks


def drawn(sources):
    return {trunk.name: trunk for trunk in trunks(Night("retail", "2011-02-25", 7, sources))}


def test_the_rows_of_each_trunk_add_up_at_every_stage(tmp_path):
    sources = full(tmp_path, "2011-02-25", hostile=True)
    for name, trunk in drawn(sources).items():
        rows = 0
        for step in trunk.steps:
            if step.kind == "stage":
                expected = sources[step.label].manifest.ledger.rows_in if name != "test" else 1275
                assert rows == step.rows == expected, step.label
            else:
                rows += step.rows if step.kind == "joined" else -step.rows
        assert rows == trunk.rows


def test_the_trunks_end_with_what_the_last_stage_gave(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    found = drawn(sources)
    assert found["day"].rows == sources["quality"].manifest.ledger.rows_out
    assert found["window"].rows == sources["train"].manifest.ledger.rows_out
    assert found["test"].rows == sources["evaluate"].manifest.ledger.rows_out


def test_test_rows_leave_the_window_by_name(tmp_path):
    labels = [
        (step.kind, step.rows, step.label) for step in drawn(full(tmp_path, "2011-02-25"))["window"].steps
    ]
    assert labels.count(("left", 1275, "test day, kept for evaluation")) == 2  # after prepare and after shard
    assert labels.count(("joined", 1275, "test day, encoded alike")) == 1  # at features


def test_splits_leave_the_window_by_name_the_largest_first(tmp_path):
    tables = {
        "train": counted(700),
        "few": counted(0),
        "calibration": counted(50),
        "valid": counted(150),
        "test": counted(100),
    }
    sources = {"shard": make_stage(tmp_path, "2011-02-25", "shard", Ledger(1000, 1000), tables=tables)}
    sources["train"] = make_stage(tmp_path, "2011-02-25", "train", Ledger(700, 700))
    trunk = drawn(sources)["window"]
    assert [(step.kind, step.rows, step.label) for step in trunk.steps if step.kind != "stage"] == [
        ("joined", 1000, "rows of the window"),
        ("left", 150, "split ‘valid’, kept from training"),
        ("left", 50, "split ‘calibration’, kept from training"),
        ("left", 100, "test day, kept for evaluation"),
    ]
    assert trunk.rows == 700


def test_each_reason_has_a_branch_of_its_own_the_largest_first(tmp_path):
    steps = drawn({"quality": quality(tmp_path, "2011-02-25")})["day"].steps
    assert [(step.rows, step.label) for step in steps if step.kind == "quarantined"] == [
        (45, "price out of range"),
        (31, "cancelled invoice"),
        (9, "description is missing"),
        (2, "line does not parse"),
    ]


def test_rows_that_nothing_explains_are_drawn_all_the_same(tmp_path):
    sources = {
        "prepare": make_stage(
            tmp_path, "2011-02-25", "prepare", Ledger(100, 100), tables={"train": counted(100)}
        ),
        "zipf": make_stage(tmp_path, "2011-02-25", "zipf", Ledger(60, 60)),
        "select": make_stage(
            tmp_path, "2011-02-25", "select", Ledger(70, 50, added={"copies": 5}, dropped={"policy": 25})
        ),
    }
    steps = [
        (step.kind, step.rows, step.label) for step in drawn(sources)["window"].steps if step.kind != "stage"
    ]
    assert steps == [
        ("joined", 100, "rows of the window"),
        ("left", 40, "rows that zipf does not read"),
        ("joined", 10, "other rows that select reads"),
        ("joined", 5, "copies"),
        ("dropped", 25, "policy"),
    ]


@pytest.mark.parametrize("rows", [0, 1, 10**12])
def test_paths_stay_inside_the_box(tmp_path, rows):
    ledger = Ledger(rows, 0, quarantined={"all of it": rows})
    trunk = drawn({"quality": make_stage(tmp_path, "2011-02-25", "quality", ledger)})["day"]
    for step in trunk.steps:
        for number in re.findall(r"-?\d+\.?\d*", step.trunk + step.branch):
            assert 0 <= float(number) <= 100
    assert trunk.tail == ""


def test_the_table_shows_every_stage_that_moves_rows(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    rows = table(Night("retail", "2011-02-25", 7, sources))
    assert [row["stage"] for row in rows] == [stage for stage in sources if stage != "promote"]
    assert all(row["missing"] == 0 for row in rows)


@pytest.mark.parametrize("rules", [0, 1, 5, 6, 300])
def test_the_strip_of_the_day_accounts_for_every_row(tmp_path, rules):
    taken = {f"rule {place}": place + 1 for place in range(rules)}
    ledger = Ledger(100_000, 100_000 - sum(taken.values()), quarantined=taken)
    found = strip(
        Night("retail", "2011-02-25", 7, {"quality": make_stage(tmp_path, "2011-02-25", "quality", ledger)})
    )
    assert found["clean"] + sum(rows for rows, _, _ in found["parts"]) == found["raw"] == 100_000
    assert len(found["parts"]) == min(rules, 5)
    assert sum(float(width) for _, _, width in found["bars"]) == pytest.approx(100, abs=0.1)
    fifth = {5: ["rule 0"], 6: ["2 other rules"], 300: ["296 other rules"]}
    assert [reason for _, reason, _ in found["parts"]][4:] == fifth.get(rules, [])
