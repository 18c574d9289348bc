"""The augment stage: each step is a pure function of (samples, seeds); only this file knows Spark."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lsml_spark.augmentations.augmentation import Augmentation
from lsml_spark.core import seeds
from lsml_spark.core.config import Strict, component
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.work import Outcome, Work
from lsml_spark.spark import tables
from lsml_spark.spark.session import session


class Config(Strict):
    """`steps`: augmentations, applied in this order; none leaves the samples as they are."""

    steps: list[component(Augmentation, "lsml_spark.augmentations")] = []  # type: ignore[valid-type]


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Input `select`. Writes `train`, the same samples with changed features."""
    source = work.inputs["select"]
    samples = tables.read(spark or session(), source, table="train")
    check(config, samples.schema)
    for number, step in enumerate(config.steps):
        samples = _applied(samples, step, seeds.derive(work.seed, "augment", work.date, number, step.use))
    written = tables.write(samples, work.folder, {"train": samples.columns})
    steps = [step.model_dump(mode="json") for step in config.steps]
    return Outcome(
        Ledger(source.manifest.ledger.rows_out, written.tables["train"].rows),
        written.tables,
        metrics={"steps": steps},
    )


def check(config: Config, samples: StructType) -> None:
    """ConfigError where a step does not fit the columns of the samples; steps change values, not columns."""
    for number, step in enumerate(config.steps):
        if problem := step.problem(to_arrow_schema(samples)):
            raise ConfigError(f"augment.steps.{number}.{problem}")


def _applied(samples: DataFrame, step: Augmentation, seed: int) -> DataFrame:
    seeded = samples.withColumn("__seed", F.xxhash64("sample_id", F.lit(seed)))
    return seeded.mapInArrow(_mapper(step), samples.schema)


def _mapper(step: Augmentation) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def apply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            row_seeds = batch.column("__seed").to_numpy(zero_copy_only=False).view(np.uint64)
            yield step.apply(batch.drop_columns(["__seed"]), row_seeds)

    return apply
