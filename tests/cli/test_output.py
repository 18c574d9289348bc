"""What becomes of our output does not decide how a command ends."""

import os
import subprocess
import sys

import pytest
from made_nights import pipeline, stage

DATE = "2024-03-04"


@pytest.mark.parametrize(
    "words", [["--help"], ["status", "toy.yaml"], ["status", "toy.yaml", "--json"]], ids=" ".join
)
def test_a_reader_that_went_away_is_no_error(words, tmp_path):
    pipeline(tmp_path)
    stage(tmp_path / "runs", DATE, "quality")
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-m", "lsml_spark", *words],
        cwd=tmp_path,
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_of_few_letters_is_no_error(tmp_path):
    pipeline(tmp_path)
    stage(tmp_path / "runs", DATE, "quality")
    done = subprocess.run(
        [sys.executable, "-m", "lsml_spark", "status", "toy.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert DATE in done.stdout


@pytest.mark.parametrize("stream", [1, 2])
def test_a_stream_that_was_closed_before_the_start_is_no_error(stream, tmp_path):
    pipeline(tmp_path)
    stage(tmp_path / "runs", DATE, "quality")
    words = [sys.executable, "-m", "lsml_spark", "status", "toy.yaml"]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {stream}>&-', "sh", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (DATE in done.stdout) == (stream == 2)
