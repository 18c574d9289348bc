"""What the README promises of the demo, on two of its five nights and three weeks of days before them."""

import json

import pytest
from nights import lsml

from lsml_spark.flow.layout import Runs

pytestmark = [pytest.mark.spark, pytest.mark.dist, pytest.mark.slow, pytest.mark.timeout(900)]
NIGHTS = ("--from", "2011-02-24", "--to", "2011-02-25")
WEEKS = ("window=21",)


@pytest.fixture(scope="module")
def demo(spark, tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    result = lsml("backfill", *NIGHTS, root=root, settings=WEEKS)
    assert result.exit_code == 0, result.output
    return root, result.output


def test_it_ends_with_a_table_and_the_path_of_the_report(demo):
    root, said = demo
    assert "co-occ." in said
    assert said.rstrip().endswith(f"report: {root.resolve()}/retail/site/index.html")


def test_the_model_beats_popularity_on_recall_and_log_loss(demo):
    """Pooled over the held-out days; the co-occurrence baseline stands beside it in the report, whoever
    wins.
    """
    root, _ = demo
    runs = Runs(root.resolve(), "retail")
    found = [
        json.loads(source.file("metrics.json").read_text())
        for date in runs.dates()
        if (source := runs.source(date, "evaluate"))
    ]
    assert len(found) == 2

    def pooled(system, figure):
        return sum(night["rows"] * night["systems"][system][figure] for night in found) / sum(
            night["rows"] for night in found
        )

    assert pooled("model", "recall") > 2 * pooled("popularity", "recall")
    assert pooled("model", "log_loss") < pooled("popularity", "log_loss") - 0.5
    assert all(night["systems"]["cooccurrence"]["recall"] is not None for night in found)


def test_a_second_demo_does_nothing_and_everything_verifies(demo):
    root, _ = demo
    assert "2 nights: nothing to do" in lsml("backfill", *NIGHTS, root=root, settings=WEEKS).output
    assert lsml("verify", root=root).exit_code == 0
