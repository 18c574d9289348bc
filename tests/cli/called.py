"""`lsml …` inside this process."""

from pathlib import Path

from typer.testing import CliRunner, Result

from lsml_spark.cli.main import app


def lsml(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])
