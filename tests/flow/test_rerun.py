"""A night is idempotent: what is done is not done again, and what is done again gives the same."""

import shutil

import pytest
from nights import identities, lsml, manifests

from lsml_spark.core.stages import STAGES

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = ("run", "--date", "2011-01-14")


def ran(output: str) -> list[str]:
    """The stages that a run says it did."""
    line = next(line for line in output.splitlines() if line.startswith("2011-01-14:"))
    return (
        line.removeprefix("2011-01-14: ").removesuffix(" done").split(", ") if line.endswith(" done") else []
    )


def test_a_second_run_does_nothing_and_says_so(nights):
    before = {stage: made.run for stage, made in manifests(nights, "2011-01-14").items()}
    result = lsml(*NIGHT, root=nights)
    assert result.exit_code == 0, result.output
    assert "nothing to do" in result.output
    assert {stage: made.run for stage, made in manifests(nights, "2011-01-14").items()} == before


@pytest.mark.parametrize("stage", [pytest.param("select", marks=pytest.mark.slow), "train"])
def test_a_deleted_stage_and_what_follows_run_again_and_give_the_same(nights, stage):
    before = identities(nights, "2011-01-14")
    shutil.rmtree(nights / "retail" / "2011-01-14" / stage)
    result = lsml(*NIGHT, root=nights)
    assert result.exit_code == 0, result.output
    assert ran(result.output) == list(STAGES[STAGES.index(stage) :])
    assert identities(nights, "2011-01-14") == before


def test_a_lost_file_is_noticed_and_made_again(nights):
    before = identities(nights, "2011-01-14")
    next((nights / "retail" / "2011-01-14" / "shard" / "train").glob("*.parquet")).unlink()
    result = lsml(*NIGHT, "--until", "shard", root=nights)
    assert ran(result.output) == ["shard"]
    assert identities(nights, "2011-01-14")["shard"] == before["shard"]


def test_from_runs_a_stage_that_is_up_to_date_and_until_stops_after_it(nights):
    result = lsml(*NIGHT, "--from", "zipf", "--until", "select", root=nights)
    assert ran(result.output) == ["zipf", "select"]


def test_a_changed_setting_runs_its_stage_and_what_follows(nights):
    result = lsml(*NIGHT, "--set", "select.budget=0.25", "--until", "augment", root=nights)
    assert ran(result.output) == ["select", "augment"]
    made = manifests(nights, "2011-01-14")["select"]
    assert made.ledger.rows_out == pytest.approx(0.25 * made.ledger.rows_in, rel=0.1)


def test_a_clean_day_outlives_its_raw_file(nights, tmp_path):
    """Logs rotate; the window lives on the clean days, so only the day of the night itself needs its raw
    file.
    """
    from nights import copy_days

    raw = copy_days(tmp_path / "raw", "2011-01-14")
    result = lsml(*NIGHT, "--set", f"raw.folder={raw}", "--until", "prepare", root=nights)
    assert result.exit_code == 0, result.output
    assert "nothing to do" in result.output
