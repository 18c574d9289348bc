"""The command that a manifest notes is the one that was typed, runs in a shell, and holds no secret."""

import shlex
from pathlib import Path

import pytest

from lsml_spark.core.command import command_words, masked

DAY = "2011-02-28"


def test_path_settings_and_root_are_those_of_the_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = command_words(
        "run",
        Path("adult/a2.yaml"),
        "--date",
        DAY,
        overrides=["window=6", "raw.folder=my days"],
        root=tmp_path / "r 2",
    )
    assert made == [
        "lsml",
        "run",
        "adult/a2.yaml",
        "--date",
        "2011-02-28",
        "--set",
        "window=6",
        "--set",
        "raw.folder=my days",
        "--root",
        "r 2",
    ]
    assert shlex.split(shlex.join(made)) == made


def test_the_usual_root_is_not_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command_words("run", Path("a.yaml"), "--date", DAY, root=tmp_path / "runs") == [
        "lsml",
        "run",
        "a.yaml",
        "--date",
        "2011-02-28",
    ]
    assert command_words("run", Path("a.yaml"), "--date", DAY, root=Path("/elsewhere/runs"))[-2:] == [
        "--root",
        "/elsewhere/runs",
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("spark.hadoop.fs.s3a.secret.key=hunter2", "spark.hadoop.fs.s3a.secret.key=***"),
        (
            "spark={spark.authenticate.secret: hunter2, spark.x: 1}",
            "spark={spark.authenticate.secret: ***, spark.x: 1}",
        ),
        ("raw.api_key='hunter2'", "raw.api_key=***"),
        ('raw={"password": "hunter2 and more", folder: a}', 'raw={"password": ***, folder: a}'),
        ("raw.token=${TOKEN}", "raw.token=${TOKEN}"),
        ("raw={token: ${TOKEN}}", "raw={token: ${TOKEN}}"),
        ("select.key=StockCode", "select.key=StockCode"),
        ("features.tokenizer=words", "features.tokenizer=words"),
        ("window=6", "window=6"),
    ],
)
def test_a_secret_is_masked_and_nothing_else(given, kept):
    assert masked(given) == kept
