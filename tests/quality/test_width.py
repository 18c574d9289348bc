"""A hundred and fifty rules on two hundred and fifty columns: beyond every limit of Spark's code generation,
and still right.
"""

import numpy as np
import pytest

pytestmark = [pytest.mark.spark, pytest.mark.slow]
COLUMNS, RULES, ROWS = 250, 145, 300


def test_a_hundred_and_fifty_rules_on_two_hundred_and_fifty_columns(check_day, tmp_path):
    values = np.random.default_rng(1).integers(0, 100, (ROWS, COLUMNS))
    path = tmp_path / "day.csv"
    header = ",".join(f"c{i}" for i in range(COLUMNS))
    path.write_text("\n".join([header, *[",".join(map(str, row)) for row in values]]) + "\n")
    contract = {f"c{i}": "int" if i % 2 else "string" for i in range(COLUMNS)}
    ranges = {
        f"c{i}": [{"in_range": {"low": i % 3}, "on_bad": "quarantine" if i < 10 else "warn"}]
        for i in range(RULES)
    }
    raising = [{"sql": f"10 / c{i} >= 0", "name": f"ratio {i}"} for i in range(1, 10, 2)]
    day = check_day(contract, path, columns=ranges, rows=raising)

    low = np.arange(RULES) % 3
    broken = values[:, :RULES] < low
    raised = values[:, 1:10:2] == 0
    rejected = broken[:, :10].any(axis=1) | raised.any(axis=1)
    assert day.ledger.rows_in == ROWS
    assert day.ledger.rows_out == ROWS - rejected.sum()
    assert [row["_line"] - 2 for row in day.quarantine] == np.flatnonzero(rejected).tolist()
    for i in range(RULES):
        if low[i]:
            assert day.finding(f"c{i}: below {low[i]}")["rows"] == broken[:, i].sum()
    first = day.quarantine[0]
    wanted = [f"c{i}: below {low[i]}" for i in range(10) if broken[first["_line"] - 2, i]]
    wanted += [f"ratio {i}: raises an error" for i in range(1, 10, 2) if values[first["_line"] - 2, i] == 0]
    assert first["reasons"] == wanted
    assert len(day.metrics["columns"]) == COLUMNS
