"""`lsml label`: rows without a label are kept apart, scored by the promoted model and queued; the night
itself stays as it is.
"""

import pyarrow.parquet as pq
import pytest
from nights import RETAIL, lsml, manifests

from lsml_spark.core.config import read_yaml

pytestmark = [pytest.mark.spark, pytest.mark.dist, pytest.mark.slow]
DATE = "2011-01-14"


def hidden() -> str:
    """retail's SQL, with the label of every seventh row hidden."""
    sql = read_yaml(RETAIL)["prepare"]["sql"]
    return sql.replace(
        "StockCode AS label", "CASE WHEN pmod(xxhash64(_line, date), 7) > 0 THEN StockCode END AS label"
    )


def test_unlabelled_rows_are_queued_and_every_row_is_accounted_for(tmp_path):
    settings = (
        *("window=6", "train.epochs=2", "train.batch=128", "train.model.dim=16", "train.model.hidden=[32]"),
    )
    settings += (
        "prepare.unlabelled=true",
        f"prepare.sql={hidden()!r}",
        "promote.beat=popularity",
        "promote.tolerance=9",
    )
    root = tmp_path / "runs"
    night = lsml("run", "--date", DATE, root=root, settings=settings)
    assert night.exit_code == 0, night.output
    prepare = manifests(root, DATE)["prepare"]
    unlabelled = prepare.tables["unlabelled"].rows
    assert unlabelled > 100
    assert "label is null" not in prepare.ledger.dropped

    result = lsml("label", "--date", DATE, "--rows", "25", root=root, settings=settings)
    assert result.exit_code == 0, result.output
    assert f"25 of {unlabelled:,} rows" in result.output
    folder = root / "retail" / DATE / "label"
    queue = pq.read_table(folder / "queue").to_pandas()
    assert len(queue) == queue.key.nunique() == 25
    assert (queue.margin >= 0).all()
    assert (queue.predicted != queue.second).all()
    assert (folder / "queue.csv").read_text().splitlines()[0].endswith('"label"')
    verified = lsml("verify", root=root)
    assert verified.exit_code == 0, verified.output
    again = lsml("label", "--date", DATE, "--rows", "25", root=root, settings=settings)
    assert again.exit_code == 0


def test_without_unlabelled_rows_or_a_model_it_says_what_to_do(nights):
    result = lsml("label", "--date", DATE, root=nights)
    assert result.exit_code == 2
    assert "prepare.unlabelled" in result.output
    early = lsml("label", "--date", "2011-01-12", root=nights)
    assert early.exit_code == 2
    assert "no model has been promoted" in early.output
