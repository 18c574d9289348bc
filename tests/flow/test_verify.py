"""`lsml verify`: one chain from the raw day to the weights; whatever is touched is named."""

import json

import pytest
from nights import copy_days, lsml, manifests

from lsml_spark.core.stages import STAGES

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = "2011-01-14"


def flip_a_byte(path, at=-20):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def test_every_ledger_balances_and_feeds_the_next(finished):
    for date in ("2011-01-13", NIGHT):
        made = manifests(finished, date)
        assert list(made) == list(STAGES)
        for stage, manifest in made.items():
            assert manifest.ledger.missing == 0, stage
        assert (
            made["select"].ledger.rows_in
            == made["zipf"].ledger.rows_out
            == made["prepare"].tables["train"].rows
        )
        assert (
            made["train"].ledger.rows_in == made["augment"].ledger.rows_out == made["select"].ledger.rows_out
        )
        assert made["evaluate"].ledger.rows_in == made["prepare"].tables["test"].rows
        assert made["quality"].ledger.rows_in > made["quality"].ledger.rows_out > 0


def test_untouched_nights_verify(finished):
    result = lsml("verify", root=finished)
    assert result.exit_code == 0, result.output
    assert "every checksum" in result.output


@pytest.mark.parametrize(
    "pattern",
    [
        "quality/clean/*.parquet",
        "quality/quarantine/*.parquet",
        "quality/profile.json",
        "prepare/train/*.parquet",
        "zipf/profile.json",
        "select/train/*.parquet",
        "features/encoders.json",
        "shard/test/*.parquet",
        "train/model.safetensors",
        "evaluate/metrics.json",
        "promote/decision.json",
        "report/night.html",
        *[f"{stage}/manifest.json" for stage in STAGES],
    ],
)
def test_one_flipped_byte_is_named(nights, pattern):
    path = sorted((nights / "retail" / NIGHT).glob(pattern))[0]
    flip_a_byte(path)
    result = lsml("verify", "--date", NIGHT, root=nights)
    assert result.exit_code == 6, result.output
    assert path.name in result.output


def test_a_flipped_byte_in_the_published_site_is_named(nights):
    flip_a_byte(nights / "retail" / "site" / "index.html")
    result = lsml("verify", root=nights)
    assert result.exit_code == 6
    assert "site/index.html" in result.output


@pytest.mark.parametrize(
    "pattern", ["features/train/*.parquet", "train/model.safetensors", "select/manifest.json"]
)
def test_a_missing_file_is_named(nights, pattern):
    path = sorted((nights / "retail" / NIGHT).glob(pattern))[0]
    path.unlink()
    result = lsml("verify", "--date", NIGHT, root=nights)
    assert result.exit_code == 6
    assert path.name in result.output
    assert "missing" in result.output


def test_an_added_file_is_named(nights):
    (nights / "retail" / NIGHT / "shard" / "train" / "part-99999-spare.parquet").write_bytes(b"spare")
    result = lsml("verify", "--date", NIGHT, root=nights)
    assert result.exit_code == 6
    assert "part-99999-spare.parquet: added" in result.output


def test_a_changed_or_vanished_raw_day_is_named(spark, tmp_path):
    raw = copy_days(tmp_path / "raw", "2011-01-14")
    root = tmp_path / "runs"
    day = ("--date", NIGHT, "--until", "quality", "--set", f"raw.folder={raw}")
    assert lsml("run", *day, root=root).exit_code == 0
    flip_a_byte(raw / f"{NIGHT}.csv.gz", at=5)
    assert f"{NIGHT}.csv.gz: changed" in lsml("verify", root=root).output
    (raw / f"{NIGHT}.csv.gz").unlink()
    result = lsml("verify", root=root)
    assert result.exit_code == 6
    assert f"{NIGHT}.csv.gz: missing" in result.output


def test_an_input_that_was_made_again_differently_is_named(nights):
    settings = ("--set", "zipf.top=7", "--until", "zipf")
    assert lsml("run", "--date", NIGHT, *settings, root=nights).exit_code == 0
    result = lsml("verify", "--date", NIGHT, root=nights)
    assert result.exit_code == 6
    assert "input zipf" in result.output


def test_a_ledger_that_lies_is_caught(nights):
    """A manifest that is consistent in itself but says one row more than its files hold."""
    import dataclasses

    from lsml_spark.core import manifest

    folder = nights / "retail" / NIGHT / "augment"
    honest = manifest.read(folder)
    lying = dataclasses.replace(
        honest,
        ledger=dataclasses.replace(
            honest.ledger, rows_in=honest.ledger.rows_in + 1, rows_out=honest.ledger.rows_out + 1
        ),
    )
    lying.write(folder)
    result = lsml("verify", "--date", NIGHT, root=nights)
    assert result.exit_code == 6
    assert "the ledger says" in result.output


def test_status_shows_every_stage(nights):
    result = lsml("status", root=nights)
    assert result.exit_code == 0
    assert "2011-01-13" in result.output
    assert result.output.count("✓") >= 2 * len(STAGES)


def test_the_pointer_names_the_promoted_model(finished):
    pointer = json.loads((finished / "retail" / "promoted.json").read_text())
    train = manifests(finished, pointer["night"])["train"]
    assert pointer["identity"] == train.identity
    assert (finished / "retail" / pointer["folder"] / "model.safetensors").is_file()
