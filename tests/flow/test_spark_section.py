"""The section `spark:` takes Spark's properties as people write them."""

import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.flow.pipeline import Pipeline

YAML = 'name: toy\nraw: {folder: days, files: "{{ date }}.csv"}\n'


@pytest.mark.parametrize(
    "written",
    [
        'spark: {"spark.driver.memory": 4g, master: "local[1]"}',
        "spark: {driver: {memory: 4g}, master: 'local[1]'}",
        "spark: {driver.memory: 4g, master: 'local[1]'}",
    ],
)
def test_names_may_be_full_short_or_nested(written, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(YAML + written)
    assert Pipeline(path).spark_settings == {"spark.driver.memory": "4g", "spark.master": "local[1]"}


def test_set_reaches_them(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(YAML)
    made = Pipeline(path, ["spark.master=local[1]", "spark.sql.ansi.enabled=false"])
    assert made.spark_settings == {"spark.master": "local[1]", "spark.sql.ansi.enabled": "false"}
    with pytest.raises(ConfigError, match="spark"):
        Pipeline(path, ["spark.master=[1, 2]"])
