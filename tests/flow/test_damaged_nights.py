"""Nights whose folders were damaged, moved or shared with other programs: one line, the documented code, the
way out; never a bug.
"""

import json
import os
import shutil

import pytest
from filelock import FileLock
from nights import RETAIL, lsml

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT, BEFORE = "2011-01-14", "2011-01-13"


def refused(result, code, *words):
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert result.exit_code == code, result.output
    assert len(errors) == 1
    for word in ("Traceback", "Py4J"):
        assert word not in result.output
    for word in words:
        assert word in errors[0]


def flip(path, at=-20):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("file", "first"),
    [
        (f"{BEFORE}/promote/decision.json", None),
        (f"{BEFORE}/train/model.safetensors", "train"),
        (f"{BEFORE}/train/encoders.json", "train"),
        (f"{NIGHT}/features/encoders.json", "train"),
        (f"{NIGHT}/select/selection.json", "train"),
        (f"{NIGHT}/zipf/profile.json", "evaluate"),
        (f"{NIGHT}/evaluate/metrics.json", "promote"),
    ],
)
def test_a_small_input_is_hashed_when_it_is_read(nights, file, first):
    flip(nights / "retail" / file)
    again = ["--from", first] if first else []
    result = lsml("run", "--date", NIGHT, *again, root=nights)
    date, stage, name = file.split("/")
    refused(result, 6, f"{date}/{stage}/{name}: damaged", f"--date {date} --from {stage}", "makes it anew")


def test_a_clean_parquet_file_that_spark_cannot_read_is_named(nights):
    (path,) = (nights / "retail" / BEFORE / "quality" / "clean").glob("*.parquet")
    for at in (-20, 3000):  # the footer, then a page
        flip(path, at)
        result = lsml("run", "--date", NIGHT, "--from", "prepare", "--until", "prepare", root=nights)
        refused(result, 6, str(path), "damaged", "--from quality")
        flip(path, at)


def test_a_damaged_manifest_counts_where_the_night_needs_it(nights):
    (nights / "retail" / BEFORE / "quality" / "manifest.json").write_text("{}")
    refused(
        lsml("run", "--date", NIGHT, root=nights), 6, f"{BEFORE}/quality/manifest.json", "damaged manifest"
    )
    shutil.rmtree(nights / "retail" / BEFORE / "quality")
    old = nights / "retail" / "2010-01-04" / "quality"
    old.mkdir(parents=True)
    (old / "manifest.json").write_text("{}")
    result = lsml("run", "--date", NIGHT, "--from", "quality", "--until", "quality", root=nights)
    assert result.exit_code == 0, result.output
    assert "2010-01-04 quality  left out" in result.output


def test_promoted_json_is_mended_or_named(nights):
    pointer = nights / "retail" / "promoted.json"
    before = pointer.read_text()
    pointer.write_bytes(b"\xff rubbish")
    assert lsml("run", "--date", NIGHT, root=nights).exit_code == 0
    assert pointer.read_text() == before
    pointer.unlink()
    (pointer / "of_mine").mkdir(parents=True)
    refused(lsml("run", "--date", NIGHT, root=nights), 6, "promoted.json", "move it away")


def test_a_stage_folder_that_is_a_link_is_read_and_never_emptied(nights, tmp_path):
    stage, disk = nights / "retail" / NIGHT / "shard", tmp_path / "bigger disk"
    shutil.move(stage, disk)
    stage.symlink_to(disk)
    assert lsml("run", "--date", NIGHT, root=nights).exit_code == 0
    files = sorted(path.relative_to(disk) for path in disk.rglob("*"))
    refused(
        lsml("run", "--date", NIGHT, "--from", "shard", root=nights),
        2,
        str(stage),
        "is a link to",
        "remove the link",
    )
    assert sorted(path.relative_to(disk) for path in disk.rglob("*")) == files
    assert lsml("verify", root=nights).exit_code == 0


def test_files_of_other_programs_are_named_and_no_fault(nights):
    for name in (".DS_Store", ".nfs000001"):
        (nights / "retail" / NIGHT / "train" / name).write_bytes(b"of another program")
    for name in ("20110114", "2011-W02-5", "2011-01-14.bak"):
        shutil.copytree(nights / "retail" / BEFORE, nights / "retail" / name)
    result = lsml("verify", root=nights)
    assert result.exit_code == 0, result.output
    assert "note: " in result.output
    assert ".nfs000001: of another program" in result.output
    assert lsml("status", root=nights).output.count(NIGHT) == 1


def test_verify_beside_a_run_says_what_is_being_written(nights):
    (nights / "retail" / NIGHT / "select" / "manifest.json").unlink()
    refused(lsml("verify", root=nights), 6, "select/manifest.json: missing")
    with FileLock(nights / "retail" / ".lock"):
        result = lsml("verify", root=nights)
    assert result.exit_code == 0, result.output
    assert "select: being written by a run that goes on" in result.output


def test_a_pruned_champion_stops_no_night(nights):
    assert (
        json.loads((nights / "retail" / BEFORE / "promote" / "decision.json").read_text())["champion"]
        == BEFORE
    )
    shutil.rmtree(nights / "retail" / BEFORE / "train")
    result = lsml("run", "--date", NIGHT, root=nights)
    assert result.exit_code == 0, result.output
    assert f"the model of {BEFORE}, is gone: no promoted model is left" in result.output
    decision = json.loads((nights / "retail" / NIGHT / "promote" / "decision.json").read_text())
    assert decision["previous"] is None
    assert "is gone" in decision["reasons"][0]
    refused(lsml("verify", root=nights), 6, f"{BEFORE}/train")


def test_what_is_refused_leaves_nothing_behind(tmp_path, nights):
    root = tmp_path / "none"
    for words in (
        ("status",),
        ("verify",),
        ("report",),
        ("label", "--date", NIGHT),
        ("run", "--date", "2011-01-15"),
    ):
        assert lsml(*words, root=root).exit_code in (2, 8), words
        assert not root.exists(), words
    before = sorted(os.listdir(nights / "retail" / NIGHT))
    refused(lsml("label", "--date", NIGHT, root=nights), 2, "prepare.unlabelled")
    assert sorted(os.listdir(nights / "retail" / NIGHT)) == before


def test_a_day_that_is_not_there_is_exit_8_at_once(tmp_path):
    for verb in ("run", "ready"):
        refused(lsml(verb, "--date", "2011-01-15", root=tmp_path), 8, "2011-01-15: no raw file")
    assert lsml("ready", "--date", NIGHT, root=tmp_path).output.startswith(f"{NIGHT}: 1 raw file")
    for date in ("0001-01-01", "9999-12-31"):
        refused(lsml("run", "--date", date, root=tmp_path), 8, date)
    assert not list(tmp_path.iterdir())


def test_a_report_of_a_night_that_never_was_is_refused(tmp_path):
    from types import SimpleNamespace

    from lsml_spark.flow import one_stage

    arguments = SimpleNamespace(config=RETAIL, date="2011-01-15", root=tmp_path / "runs", set=[])
    assert one_stage.run("report", arguments) == 2
    assert not (tmp_path / "runs").exists()
