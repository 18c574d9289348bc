"""A pilot says what selection is worth, leaves the night as it is, and the next night can use its β."""

import json

import pytest
from nights import SMALL, identities, lsml

pytestmark = [pytest.mark.spark, pytest.mark.dist, pytest.mark.slow]
DATE = "2011-01-14"


def test_a_pilot_compares_arms_fits_beta_and_is_used_by_the_night(nights):
    before = identities(nights, DATE)
    result = lsml("pilot", "--date", DATE, root=nights)
    assert result.exit_code == 0, result.output
    assert "gain recovered" in result.output
    assert identities(nights, DATE) == before
    assert not (nights / "retail" / DATE / ".pilot").exists()

    facts = json.loads((nights / "retail" / DATE / "pilot" / "pilot.json").read_text())
    rows = {name: arm["rows"] for name, arm in facts["arms"].items()}
    assert rows["full"] == facts["rows"]
    assert rows["selected"] == pytest.approx(facts["rows"] / 2, rel=0.1)
    assert rows["random"] == pytest.approx(facts["rows"] / 2, rel=0.1)
    assert rows["quarter"] == pytest.approx(facts["rows"] / 4, rel=0.1)
    assert facts["beta_interval"][0] <= facts["beta"] <= facts["beta_interval"][1] or facts[
        "beta"
    ] == pytest.approx(0.5, rel=0.1)
    gained = facts["arms"]["random"]["log_loss"] - facts["arms"]["selected"]["log_loss"]

    assert lsml("verify", root=nights).exit_code == 0
    again = lsml("pilot", "--date", DATE, root=nights)
    assert again.exit_code == 0
    assert facts == json.loads((nights / "retail" / DATE / "pilot" / "pilot.json").read_text())
    assert facts["against_random"] == pytest.approx(gained, abs=0.5)  # unseen labels weigh alike in both

    fitted = (*SMALL, "select.policy.beta=fitted", "select.policy.errors=bands")
    result = lsml("run", "--date", DATE, "--until", "select", root=nights, settings=fitted)
    assert result.exit_code == 0, result.output
    selection = json.loads((nights / "retail" / DATE / "select" / "selection.json").read_text())
    assert selection["pilot"]["beta"] == facts["beta"]


def test_a_budget_of_everything_leaves_nothing_to_compare(nights):
    result = lsml("pilot", "--date", DATE, root=nights, settings=(*SMALL, "select.budget=1.0"))
    assert result.exit_code == 2
    assert "nothing to compare" in result.output
