"""The features stage: fit each column's transform on the training rows, apply it to training and test rows
alike.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import SerializerFunctionWrapHandler, model_serializer
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    FloatType,
    IntegerType,
    IntegralType,
    NumericType,
    StringType,
    StructField,
    StructType,
)

from lsml_spark.core.config import Strict, component, did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Work
from lsml_spark.data.parquet.fields import Layout
from lsml_spark.data.parquet.shards import GROUP
from lsml_spark.features.fit import fit
from lsml_spark.spark import tables
from lsml_spark.spark.session import session
from lsml_spark.transforms.encode import encode, encoder_of
from lsml_spark.transforms.schema import Ids, Tensor, column_of
from lsml_spark.transforms.transform import PACKAGE, Transform

CARRIED = ["sample_id", "key"]  # for error messages, and for metrics by key frequency
WEIGHTS = ["weight", "keep_rate"]
# where select adds them: the stage of a curriculum, and what training adds to the label's logit
STEERING = ["pace", "offset"]
TENSOR_BYTES = 2**26
# Spark writes these as text exactly as Arrow does, which encodes them wherever the model scores.
WRITTEN_ALIKE = (StringType, IntegralType, BooleanType, DateType)


Learned = Literal["ids", "numbers", "lists"]
# what a transform may become, of a target
FITTING = {"ids": ("ids",), "numbers": ("numbers",), "lists": ("ids", "lists")}


class Config(Strict):
    """`columns`: the transform of the label and of every feature. `carry`: columns that go into the shards as
    they are (numbers, tensors, texts, images), for those who read these with a model of their own. Other
    columns of the samples are left out."""

    columns: dict[str, component(Transform, PACKAGE)]  # type: ignore[valid-type]
    carry: list[str] = []
    label: str = "label"  # the column that is to be guessed
    group: str | None = None  # the column of the samples whose rows the task wants together
    # what the task learns of each, which its transform must make of it; none: ids of the label
    targets: dict[str, Learned] = {}

    @model_serializer(mode="wrap")
    def _without_the_usual(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A night that was made before there were tasks stays up to date."""
        fields: dict[str, Any] = plain(self)
        if self.learned == {"label": "ids"}:
            fields.pop("targets", None)
        return {key: value for key, value in fields.items() if key != "group" or value is not None}

    @property
    def learned(self) -> dict[str, Learned]:
        """The targets, the label first."""
        return self.targets or {self.label: "ids"}

    def source(self, name: str) -> str:
        """The column of the samples that a feature is made of."""
        return self.columns[name].of or name


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Inputs `augment` (train) and `prepare` (test). Writes both encoded, and `encoders.json`."""
    spark = spark or session()
    train = tables.read(spark, work.inputs["augment"], table="train")
    test = tables.read(spark, work.inputs["prepare"], table="test")
    check(config, train.schema)
    for target, learned in config.learned.items():
        if learned == "numbers":
            _refuse_no_numbers(train, test, target, config.source(target))
    if config.group is not None:
        train = train.withColumn(
            GROUP,
            F.when(F.col(config.group).isNull(), F.xxhash64("sample_id")).otherwise(F.xxhash64(config.group)),
        )
    fitted = fit(train, config.columns, config.label)
    _refuse_too_few_labels(fitted, config)
    encoders: dict[str, Any] = {"label": config.label, "columns": fitted}

    names = [*config.columns, *config.carry]
    read = [F.col(name) for name in dict.fromkeys([*map(config.source, config.columns), *config.carry])]
    # not a sample's own column
    steering = [name for name in STEERING if name in train.columns and name not in test.columns]
    steering += [GROUP] if config.group is not None else []
    test = test.withColumn("weight", F.lit(1.0))
    both_have = [*CARRIED, *names, *WEIGHTS, *steering]
    nothing = [F.lit(None).cast(train.schema[name].dataType).alias(name) for name in steering]
    encoded = {
        "train": _encoded(
            train.select(*CARRIED, *read, *WEIGHTS, *steering), both_have, encoders, training=True
        ),
        "test": _encoded(
            test.select(*CARRIED, *read, "weight", F.lit(1.0).alias("keep_rate"), *nothing),
            both_have,
            encoders,
        ),
    }
    both = (
        encoded["train"]
        .withColumn("__table", F.lit("train"))
        .unionByName(encoded["test"].withColumn("__table", F.lit("test")))
    )
    columns = {"train": both_have, "test": [*CARRIED, *names, "weight"]}
    lacking = F.coalesce(
        F.lit(None).cast("string"),
        *[F.when(_holds_null(name, train.schema[name].dataType), name) for name in config.carry],
    )
    with _in_words():
        written = tables.write(both, work.folder, columns, route=F.col("__table"), tally=lacking)
    _refuse_nulls(written.tally)
    rows_in = (
        work.inputs["augment"].manifest.ledger.rows_out + work.inputs["prepare"].manifest.tables["test"].rows
    )
    rows_out = sum(table.rows for table in written.tables.values())
    metrics: dict[str, Any] = {
        "vocabulary": {
            name: len(encoder["values"]) for name, encoder in fitted.items() if "values" in encoder
        }
    }
    metrics["columns"] = {name: _told(encoders, name) for name in fitted}
    return Outcome(
        Ledger(rows_in, rows_out),
        written.tables,
        [write_json(work.folder, "encoders.json", encoders)],
        metrics,
    )


def _told(encoders: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a column became, for the report."""
    own, column = encoder_of(encoders, name), column_of(encoders, name)
    facts = {
        key: encoders["columns"][name][key] for key in ("of", "like") if key in encoders["columns"][name]
    }
    if isinstance(column, Ids):
        facts |= {"becomes": "lists of ids" if column.list else "ids", "size": column.size}
    elif isinstance(column, Tensor):
        facts |= {"becomes": f"tensor of {column.dtype}", "shape": list(column.shape)}
    else:
        facts |= {"becomes": "numbers", "size": column.width}
    return {"use": own["use"], **facts, **({"collisions": own["collisions"]} if "collisions" in own else {})}


def check_label(config: Config, to_train: bool) -> None:
    """ConfigError where a target has no transform that its task can learn from, or `to_train` a network and
    there is no feature that it could look at."""
    for target, learned in config.learned.items():
        fitting = "`standardize`, `log` or `number`" if learned == "numbers" else "`vocabulary`"
        a_number = "; a number is learned with `task: regress`" if learned == "ids" else ""
        if target not in config.columns:
            raise ConfigError(
                f"features.columns: the label '{target}' needs a transform too, {fitting}{a_number}"
            )
        transform = config.columns[target]
        if transform.becomes not in FITTING[learned]:
            made = {"lists": "lists of ids"}.get(transform.becomes, transform.becomes)
            expected = {"numbers": "a number", "lists": "a list of ids"}.get(learned, learned)
            raise ConfigError(
                f"features.columns.{target}: `{transform.use}` makes {made} of the label; its task learns "
                f"{expected}: "
                f"take {fitting}{a_number}"
            )
    if to_train and not set(config.columns) - {
        name for name, learned in config.learned.items() if learned != "lists"
    }:
        raise ConfigError(
            f"features.columns: only the label '{config.label}' has a transform, so a network would have "
            "nothing to look at; name a feature"
        )


def check(config: Config, samples: StructType) -> None:
    """ConfigError where the section does not fit the columns of the samples."""
    check_label(config, to_train=False)
    mentions = [
        *((name, f"features.columns.{name}") for name in config.columns),
        *((name, f"features.carry: '{name}'") for name in config.carry),
    ]
    if config.group is not None:
        if config.group not in samples.names:
            raise ConfigError(
                "task.group: prepare.sql gives no column "
                f"'{config.group}'{did_you_mean(config.group, samples.names)}"
            )
        if GROUP in (*config.columns, *config.carry):
            raise ConfigError(
                f"features: '{GROUP}' is what the task's groups are called in the shards; give the feature "
                "another name"
            )
    for name, where in mentions:
        if name in (*CARRIED, *WEIGHTS, *STEERING):
            raise ConfigError(
                f"{where}: is carried along as it is; give the feature another name in prepare.sql"
            )
        source = config.source(name) if name in config.columns else name
        if source not in samples.names:
            raise ConfigError(
                f"{where}: prepare.sql gives no such column{did_you_mean(source, samples.names)}"
            )
    if twice := [
        name for i, name in enumerate(config.carry) if name in config.columns or name in config.carry[:i]
    ]:
        raise ConfigError(f"features.carry: '{twice[0]}' is named twice, here or in features.columns")
    for name, transform in config.columns.items():
        if transform.needs == "targets" and (
            name in config.learned or config.learned.get(config.label) not in ("ids", "numbers")
        ):
            raise ConfigError(
                f"features.columns.{name}: `{transform.use}` is made of the label, which must be one id or "
                "number a row"
            )
        if name in config.learned:
            makes_lists = transform.becomes == "lists" or isinstance(
                samples[config.source(name)].dataType, ArrayType
            )
            _check_list(name, config.learned[name], makes_lists)
        # that is text, whatever it was
        if not (config.learned.get(name) == "numbers" and config.source(name) == "label"):
            _check_type(name, transform, samples[config.source(name)].dataType)
        if transform.like is not None and (
            transform.like not in config.columns or config.columns[transform.like].like is not None
        ):
            raise ConfigError(
                f"features.columns.{name}.like: '{transform.like}' is no column with a transform of its own"
            )


def _check_list(name: str, learned: Learned, lists: bool) -> None:
    if lists != (learned == "lists"):
        form, expected = ("a list", "one value a row") if lists else ("no list", "a list a row")
        raise ConfigError(f"features.columns.{name}: it is {form}; its task learns {expected}")


def _check_type(name: str, transform: Transform, type_: DataType) -> None:
    item = type_.elementType if isinstance(type_, ArrayType) else type_
    where, type_name = f"features.columns.{name}", item.simpleString()
    if transform.needs in ("counts", "targets") and not isinstance(item, WRITTEN_ALIKE):
        raise ConfigError(
            f"{where}: {type_name} values make no categories; cast them to string or int in prepare.sql"
        )
    if transform.takes in ("text", "bytes") and not isinstance(
        type_, {"text": StringType, "bytes": BinaryType}[transform.takes]
    ):
        expected = {"text": "one text a row", "bytes": "the bytes of a file, or with `folder` its path"}[
            transform.takes
        ]
        raise ConfigError(f"{where}: `{transform.use}` takes {expected}, not {type_.simpleString()}")
    if transform.becomes == "numbers" and transform.takes != "bags" and item is not type_:
        raise ConfigError(
            f"{where}: a list has no fixed width of numbers; `{transform.use}` takes one value a row"
        )
    if transform.needs not in ("nothing", "counts", "pieces", "targets") and not isinstance(
        item, NumericType | BooleanType
    ):
        raise ConfigError(
            f"{where}: `{transform.use}` takes numbers, not {type_name}; cast them to double in prepare.sql"
        )


def _refuse_too_few_labels(fitted: dict[str, dict[str, Any]], config: Config) -> None:
    """A model has nothing to choose from where training rows know one label, or none."""
    if config.learned.get(config.label) != "ids":
        return
    encoder = fitted[fitted[config.label].get("like", config.label)]
    values, counts = encoder.get("values"), encoder.get("counts", [])
    if values is not None and len(values) < 2:
        reason = (
            f"all {sum(counts)} training rows with a known label have '{values[0]}'"
            if values
            else "no training row has a known label"
        )
        raise QualityGateError(
            f"features.columns.{config.label}: {reason}; a model learns to tell two labels or more apart: "
            f"look at the labels that prepare.sql gives, and at min_count"
        )


def _refuse_no_numbers(train: DataFrame, test: DataFrame, target: str, source: str) -> None:
    """A missing feature can be filled in; a target that is no number cannot be learned."""
    value = F.col(f"`{source}`").cast("string").alias("value")
    number = F.col("value").try_cast("double")
    is_none = number.isNull() | F.isnan(number) | (F.abs(number) == float("inf"))
    both = train.select(value).unionByName(test.select(value)).where(is_none)
    (row,) = both.agg(F.count("*").alias("rows"), F.min("value").alias("value")).collect()
    if row["rows"]:
        example = "is missing" if row["value"] is None else f"is no finite number, such as '{row['value']}'"
        raise ConfigError(
            f"features.columns.{target}: '{source}' {example}, in {row['rows']:,} rows; a target must be "
            "one: "
            "leave such rows out by a drop_reason in prepare.sql"
        )


def _holds_null(name: str, type_: DataType) -> Column:
    """Whether a carried value, or one in its list, is missing: shards hold none."""
    value = F.col(name)
    return value.isNull() | F.exists(value, F.isnull) if isinstance(type_, ArrayType) else value.isNull()


def _refuse_nulls(rows: Mapping[str, int]) -> None:
    if rows:
        name, count = max(rows.items(), key=lambda pair: (pair[1], pair[0]))
        raise ConfigError(
            f"features.carry: '{name}' is missing in {count:,} rows, and shards hold no NULL; fill it in by "
            f"`quality.missing` ({{{name}: {{impute: median}}}}, or drop), or by coalesce({name}, …) in "
            "prepare.sql"
        )


def _encoded(
    frame: DataFrame, names: list[str], encoders: dict[str, Any], training: bool = False
) -> DataFrame:
    """`names` of the frame, features in place of their sources."""
    tensors = [
        one
        for name in names
        if name in encoders["columns"] and isinstance(one := column_of(encoders, name), Tensor)
    ]
    # So many rows at once that their tensors are about as large as that.
    rows = max(
        1, TENSOR_BYTES // sum((Layout("tensor", one.dtype, one.shape).width for one in tensors), start=1)
    )
    fields = [
        StructField(name, _type(encoders, name)) if name in encoders["columns"] else frame.schema[name]
        for name in names
    ]

    def apply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, rows):
                encoded = encode(encoders, batch.slice(start, rows), training).select(names)
                yield pa.record_batch(
                    [_for_spark(column) for column in encoded.columns], encoded.schema.names
                )

    return frame.mapInArrow(apply, StructType(fields))


@contextmanager
def _in_words() -> Iterator[None]:
    """What a transform refuses, as an error for people; Spark wraps it in pages of traces."""
    try:
        yield
    except PySparkException as error:
        if match := re.search(r"IntegrityError: (.*)", str(error)):
            raise IntegrityError(f"features: {match[1]}") from error
        raise


def _for_spark(column: pa.Array) -> pa.Array:
    """Tensors as their raw little-endian bytes, which shards hold too; Spark knows no tensors."""
    if not isinstance(column.type, pa.FixedShapeTensorType):
        return column
    flat = np.ascontiguousarray(column.storage.flatten().to_numpy())
    width = flat.nbytes // max(len(column), 1)
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(column), [None, pa.py_buffer(flat)]
    ).cast(pa.binary())


def _type(encoders: Mapping[str, Any], name: str) -> DataType:
    column = column_of(encoders, name)
    if isinstance(column, Ids):
        return ArrayType(IntegerType()) if column.list else IntegerType()
    if isinstance(column, Tensor):
        return BinaryType()
    return FloatType() if column.width == 1 else ArrayType(FloatType())
