"""The good days before the one that is judged, as the stage's inputs name them: `history/<date>` and
`scores/<date>`.

A catch-up of sixty days looks at most earlier days sixty times; what was read of them is remembered.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from lsml_spark.core.work import Source
from lsml_spark.quality.day import Metrics, Past, Profile
from lsml_spark.spark import tables

PROFILE, METRICS = "profile.json", "metrics"


def past_days(spark: SparkSession, inputs: Mapping[str, Source]) -> list[Past]:
    """Earlier days, the oldest first. A folder of a former version, without a profile, is left out."""
    pasts = []
    for name, source in inputs.items():
        kind, _, date = name.partition("/")
        if (
            kind == "history"
            and METRICS in source.manifest.tables
            and any(file.path == PROFILE for file in source.manifest.files)
        ):
            pasts.append(
                _past(spark, datetime.date.fromisoformat(date), source, inputs.get(f"scores/{date}"))
            )
    return sorted(pasts, key=lambda past: past.date)


def _past(spark: SparkSession, date: datetime.date, source: Source, scores: Source | None) -> Past:
    version = source.manifest.identity
    return Past(
        date,
        load_profile=partial(_profile, source.file(PROFILE), version),
        load_metrics=partial(_metrics, tuple(source.files(METRICS)), version),
        load_clean=partial(_clean, spark, source),
        load_scores=partial(
            _scores, tuple(scores.files("scores")) if scores and "scores" in scores.manifest.tables else None
        ),
    )


@lru_cache(maxsize=128)
def _profile(path: Path, version: str) -> Profile:
    values: Profile = json.loads(path.read_bytes())
    return values


@lru_cache(maxsize=1024)
def _metrics(paths: Sequence[Path], version: str) -> Metrics:
    return {
        (column, metric): value
        for path in paths
        for column, metric, value in zip(*pq.ParquetFile(path).read().to_pydict().values(), strict=True)
    }


def _clean(spark: SparkSession, source: Source) -> DataFrame:
    return tables.read(spark, source, table="clean")


def _scores(paths: Sequence[Path] | None) -> pa.Table | None:
    return pa.concat_tables([pq.ParquetFile(path).read() for path in paths]) if paths else None


def metrics_table(profile: Profile) -> pa.Table:
    """A profile's figures as rows of (column or "" for the table, metric, value): what later nights query."""
    rows = [("", metric, value) for metric, value in profile["metrics"].items()]
    rows += [
        (name, metric, value)
        for name, column in profile["columns"].items()
        for metric, value in column["metrics"].items()
    ]
    names, metrics, values = zip(*rows, strict=True)
    return pa.table(
        {
            "column": pa.array(names),
            "metric": pa.array(metrics),
            "value": pa.array(map(float, values), pa.float64()),
        }
    )
