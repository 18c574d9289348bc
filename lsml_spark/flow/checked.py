"""What can be known to be wrong before the first job, the lock and the catch-up: every section, and all SQL
over empty tables.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from lsml_spark.core.config import did_you_mean, digest
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.stages import SPARK_STAGES, STAGES
from lsml_spark.flow.pipeline import Pipeline, stage_module
from lsml_spark.flow.produce import Night, config_of

T = TypeVar("T")
# of the tables `clean`, `samples` and `selected`, as far as the sections reach
Columns = Mapping[str, Sequence[str]]

_analysed: dict[str, Columns] = {}  # what this process has found right, by the digest of the sections


def first(nights: Iterable[Night], stages: Sequence[str] = STAGES) -> None:
    """Refuse what no night of this pipeline could get through; ConfigError names file, key and, of SQL, the
    line.

    Spark is asked only where one of the nights will start it anyway: it has raw files, and a Spark stage of
    it was never finished under this config.
    """
    nights = list(nights)
    if not nights:
        return
    pipeline = nights[0].pipeline
    checked = sections(pipeline, stages)
    spark_stages = [stage for stage in SPARK_STAGES if stage in stages]
    if spark_stages and any(_starts_spark(night, spark_stages) for night in nights):
        analyse(pipeline, checked)


def sections(pipeline: Pipeline, stages: Sequence[str]) -> list[str]:
    """Validate the sections of `stages` and all others that are written and whose packages this host has;
    their names.
    """
    checked = []
    for stage in STAGES:
        if stage not in stages:
            if not pipeline.writes(stage):
                continue
            try:
                stage_module(stage)
            except ConfigError:
                continue  # not installed here, and not needed
        pipeline.config(stage)
        checked.append(stage)
    if "features" in checked:
        with_file(
            pipeline,
            lambda: stage_module("features").check_label(
                pipeline.config("features"), to_train="train" in checked
            ),
        )
    return checked


def _starts_spark(night: Night, stages: Sequence[str]) -> bool:
    def done(stage: str) -> bool:
        source = night.runs.source(night.date, stage)
        return source is not None and source.manifest.config == config_of(night, stage)

    return not all(map(done, stages)) and bool(night.pipeline.raw_files(night.date))


def analyse(pipeline: Pipeline, checked: Sequence[str]) -> Columns:
    """Every expression of the sections against tables without rows, from the contract to the features: the
    tables' columns.

    Starts Spark, and runs no job over data.
    """
    if "quality" not in checked:
        return {}
    proof = digest({stage: pipeline.config(stage).model_dump(mode="json") for stage in checked})
    if proof not in _analysed:
        from lsml_spark.spark.session import session

        spark = session(pipeline.spark_settings)
        _analysed[proof] = with_file(pipeline, lambda: _columns(pipeline, checked, spark))
    return _analysed[proof]


def _columns(pipeline: Pipeline, checked: Sequence[str], spark: Any) -> Columns:
    # each of its stage's own type
    config: dict[str, Any] = {stage: pipeline.config(stage) for stage in checked}
    clean = importlib.import_module("lsml_spark.quality.checked").clean_of(config["quality"], spark)
    columns = {"clean": clean.columns}
    if "prepare" not in checked:
        return columns
    samples = stage_module("prepare").check(config["prepare"], config["quality"].missing, clean)
    columns["samples"] = samples.columns
    if "select" in checked:
        columns["selected"] = stage_module("select").check(config["select"], samples.columns)
    for stage in ("augment", "features"):
        if stage in checked:
            stage_module(stage).check(config[stage], samples.schema)
    context = config["evaluate"].context if "evaluate" in checked else None
    if context is not None and context not in samples.columns:
        near = did_you_mean(context, samples.columns)
        raise ConfigError(
            f"evaluate.context: prepare.sql gives no column '{context}'{near}; say null where there is no "
            "such list"
        )
    return columns


def with_file(pipeline: Pipeline, check: Callable[[], T]) -> T:
    """Stages name their key; the file's name is added here."""
    try:
        return check()
    except ConfigError as error:
        message = str(error)
        raise ConfigError(
            message if message.startswith(str(pipeline.path)) else f"{pipeline.path}: {message}"
        ) from error
