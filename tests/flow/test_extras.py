"""What a host lacks is said before the first stage, with the extra that brings it."""

import importlib.util

import pytest
from nights import lsml


@pytest.mark.parametrize(
    ("package", "stage", "extra"),
    [("pyspark", "quality", "spark"), ("torch", "train", "train"), ("plotly", "report", "report")],
)
def test_a_package_that_is_missing_is_named_before_the_first_stage(
    tmp_path, monkeypatch, package, stage, extra
):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else there(name, *rest)
    )
    result = lsml("run", "--date", "2011-01-14", root=tmp_path / "runs")
    assert result.exit_code == 2, result.output
    assert f"stage {stage} needs the package '{package}'" in result.output
    assert f"lsml_spark[{extra}]" in result.output
    assert not (tmp_path / "runs").exists()
