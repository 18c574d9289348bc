"""Spark's properties are reached by `--set` as people write them."""

import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.flow.pipeline import Pipeline

YAML = 'name: toy\nraw: {folder: days, files: "{{ date }}.csv"}\n'


def test_set_reaches_them(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(YAML)
    made = Pipeline(path, ["spark.master=local[1]", "spark.sql.ansi.enabled=false"])
    assert made.spark_settings == {"spark.master": "local[1]", "spark.sql.ansi.enabled": "false"}
    with pytest.raises(ConfigError, match="spark"):
        Pipeline(path, ["spark.master=[1, 2]"])
