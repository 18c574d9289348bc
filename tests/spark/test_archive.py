"""The archive of Spark's classes: used where it is there, never needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsml_spark.spark import archive, session
from lsml_spark.spark.java import find_java

pytestmark = pytest.mark.spark


def test_the_archive_is_named_to_the_jvm_only_where_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert session._archive() == ""
    path = tmp_path / session.ARCHIVE
    path.parent.mkdir()
    path.touch()
    assert f"-XX:SharedArchiveFile={path} " in session._archive()


def test_a_path_with_a_blank_gets_no_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "my environment"))
    assert archive.make() is None


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 1000])
def test_a_damaged_archive_is_no_reason_not_to_start(tmp_path, content):
    damaged = tmp_path / "spark.jsa"
    damaged.write_bytes(content)
    words = [str(find_java()), f"-XX:SharedArchiveFile={damaged}", *session.QUIET.split(), "-version"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0
    assert "archive" not in done.stdout + done.stderr


def test_the_archive_that_make_install_left_holds_spark_itself():
    made = Path(sys.prefix, session.ARCHIVE)
    if "CI" not in os.environ and not made.exists():
        pytest.skip("this environment was not made by `make install`")
    assert made.stat().st_size > 20e6
    assert list(made.parent.glob("spark*.jsa*")) == [made]
