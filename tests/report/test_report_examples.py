"""The quarantined rows that are shown do not depend on how the quarantine is cut into files, and cover every
reason.
"""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_nights import COLUMNS, quality, quarantine

from lsml_spark.core.work import Source
from lsml_spark.report.quality.examples import first_of, quarantined

REASONS = {"price out of range": 500, "cancelled invoice": 40, "line does not parse": 1}


def stage(folder, files):
    source = quality(folder, "2011-02-25")
    table = quarantine(source.folder, "2011-02-25", REASONS, files=files)
    return Source(source.folder, replace(source.manifest, tables={"quarantine": table}))


@pytest.mark.parametrize("files", [3, 11])
def test_the_same_rows_are_shown_for_any_number_of_files(tmp_path, files):
    assert quarantined(stage(tmp_path / "many", files), 20) == quarantined(stage(tmp_path / "one", 1), 20)


def test_every_reason_is_shown_before_any_is_shown_twice(tmp_path):
    rows = quarantined(stage(tmp_path, 3), 5)["rows"]
    shown = [row["reasons"][0] for row in rows]
    assert sorted(shown[:3]) == sorted(REASONS)
    assert len(shown) == 5


def test_of_each_reason_the_first_lines_are_shown(tmp_path):
    rows = quarantined(stage(tmp_path, 3), 20)["rows"]
    lines = [row["line"] for row in rows if row["reasons"] == ["price out of range"]]
    assert lines == sorted(lines)
    assert lines[0] == min(2 + (index * 37) % 1700 for index in range(500))


def test_missing_and_empty_values_differ(tmp_path):
    values = [value for row in quarantined(stage(tmp_path, 1), 541)["rows"] for _, value in row["values"]]
    assert None in values
    assert "" in values


def test_the_columns_are_those_of_the_raw_file_and_the_line_where_it_is_malformed(tmp_path):
    source = stage(tmp_path, 3)
    assert quarantined(source, 20)["columns"] == [*COLUMNS, "malformed line"]
    table = quarantine(source.folder, "2011-02-25", {"cancelled invoice": 3})
    source = Source(source.folder, replace(source.manifest, tables={"quarantine": table}))
    assert quarantined(source, 20)["columns"] == list(COLUMNS)


@pytest.mark.parametrize("limit", [0, 20])
def test_no_quarantine_no_examples(limit):
    assert quarantined(None, limit) == {"columns": [], "rows": [], "total": 0}


def test_the_first_row_of_a_check_is_found_though_another_reason_came_first(tmp_path):
    source = quality(tmp_path, "2011-02-25")
    path = source.files("quarantine")[1]
    rows = pq.read_table(path).to_pylist()
    rows[-1] |= {"reasons": [rows[-1]["reason"], "too late"], "_line": 1234}
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = first_of(source, ["too late", "price out of range", "never"])
    assert set(found) == {"too late", "price out of range"}
    assert (found["too late"]["_line"], found["too late"]["_file"]) == (1234, "2011-02-25.csv.gz")
    assert found["price out of range"]["_line"] == 2
    assert found["price out of range"]["UnitPrice"] == "0.00"
