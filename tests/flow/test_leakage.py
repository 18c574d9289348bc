"""Nothing of day D reaches the model that is judged on day D."""

import gzip

import pytest
from nights import DAYS, copy_days, identities, lsml, manifests

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = "2011-01-14"


def test_a_night_trains_the_same_model_whatever_its_own_day_holds(nights, finished, tmp_path):
    lines = gzip.decompress((DAYS / f"{NIGHT}.csv.gz").read_bytes()).decode().splitlines()
    raw = copy_days(
        tmp_path / "raw", "2011-01-07", "2011-01-09", "2011-01-10", "2011-01-11", "2011-01-12", "2011-01-13"
    )
    other = [lines[0], *[line.replace("United Kingdom", "France") for line in reversed(lines[1:400])]]
    (raw / f"{NIGHT}.csv").write_text("\n".join(other) + "\n")
    result = lsml("run", "--date", NIGHT, "--set", f"raw.folder={raw}", root=nights)
    assert result.exit_code == 0, result.output
    here, there = manifests(nights, NIGHT), manifests(finished, NIGHT)
    assert here["prepare"].tables["test"].rows_hash != there["prepare"].tables["test"].rows_hash
    assert here["prepare"].tables["train"].rows_hash == there["prepare"].tables["train"].rows_hash
    assert here["shard"].tables["train"].rows_hash == there["shard"].tables["train"].rows_hash
    weights = [
        next(file.checksum for file in made["train"].files if file.path == "model.safetensors")
        for made in (here, there)
    ]
    assert weights[0] == weights[1]


def test_a_rerun_of_an_old_night_does_not_start_from_a_later_model(nights):
    before = identities(nights, "2011-01-13")
    result = lsml("run", "--date", "2011-01-13", "--from", "train", root=nights)
    assert result.exit_code == 0, result.output
    assert "champion" not in manifests(nights, "2011-01-13")["train"].inputs
    assert identities(nights, "2011-01-13") == before
    assert manifests(nights, NIGHT)["train"].inputs["champion"].path == "2011-01-13/train"
