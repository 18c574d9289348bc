"""Petastorm data sets: by its own `materialize_dataset` on Spark, and by its codecs and metadata writer as
that leaves them.
"""

import json
import os
import pickle
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from petastorm import utils
from petastorm.codecs import CompressedImageCodec, CompressedNdarrayCodec, NdarrayCodec, ScalarCodec
from petastorm.etl import dataset_metadata
from petastorm.unischema import Unischema, UnischemaField, dict_to_spark_row

SCHEMA = Unischema(
    "Example",
    [
        UnischemaField("id", np.int64, (), None, False),
        UnischemaField("label", np.uint8, (), None, False),
        UnischemaField("ratio", np.float32, (), None, False),
        UnischemaField("name", np.str_, (), None, False),
        UnischemaField("matrix", np.float32, (3, 4), NdarrayCodec(), False),
        UnischemaField("turned", np.int16, (2, 5), NdarrayCodec(), False),
        UnischemaField("tokens", np.int32, (None,), NdarrayCodec(), False),
        UnischemaField("packed", np.float64, (6,), CompressedNdarrayCodec(), False),
        UnischemaField("image", np.uint8, (8, 10, 3), CompressedImageCodec("png"), False),
    ],
)
# Spark's types of the scalars
STORED = {"id": pa.int64(), "label": pa.int16(), "ratio": pa.float32(), "name": pa.string()}


def rows_of(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            "id": i,
            "label": np.uint8(rng.integers(0, 200)),
            "ratio": np.float32(rng.random()),
            "name": f"row {i}",
            "matrix": rng.normal(size=(3, 4)).astype(np.float32),
            "turned": np.asfortranarray(rng.integers(-9, 9, size=(2, 5)).astype(np.int16)),
            "tokens": rng.integers(-99, 99, size=i % 7).astype(np.int32),
            "packed": rng.normal(size=6),
            "image": rng.integers(0, 256, size=(8, 10, 3)).astype(np.uint8),
        }
        for i in range(count)
    ]


def write(folder, rows, files=2, rows_per_group=20):
    """The data set; its `_common_metadata` holds the pickled Unischema and the row groups of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for i in range(files):
        part = rows[len(rows) * i // files : len(rows) * (i + 1) // files]
        columns = {}
        for name, field in SCHEMA.fields.items():
            values = [field.codec.encode(field, row[name]) if field.codec else row[name] for row in part]
            columns[name] = pa.array(
                [bytes(value) if field.codec else value for value in values], STORED.get(name, pa.binary())
            )
        path = folder / f"part-{i:05d}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=rows_per_group)
        counts[path.name] = pq.read_metadata(path).num_row_groups
    add_metadata(folder, pickle.dumps(SCHEMA), counts)
    return folder


def materialize(folder, rows):
    """The data set by `materialize_dataset`, in a Spark session of its own; the caller sees to Java."""
    from pyspark.sql import SparkSession
    from pyspark.sql import types as T

    codecs = {"id": T.LongType(), "label": T.ShortType(), "ratio": T.FloatType(), "name": T.StringType()}
    fields = [
        field._replace(codec=field.codec or ScalarCodec(codecs[name]))
        for name, field in SCHEMA.fields.items()
    ]
    schema = Unischema("Example", fields)
    told = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": str(folder.parent / "warehouse"),
    }
    os.environ["PYSPARK_PYTHON"] = sys.executable  # the one that has petastorm
    spark = SparkSession.builder.master("local[1]").config(map=told).getOrCreate()
    try:
        with dataset_metadata.materialize_dataset(spark, folder.as_uri(), schema, row_group_size_mb=1):
            encoded = [dict_to_spark_row(schema, row) for row in rows]
            spark.createDataFrame(
                spark.sparkContext.parallelize(encoded, 2), schema.as_spark_schema()
            ).write.parquet(folder.as_uri())
    finally:
        spark.stop()
    return folder


def add_metadata(folder, pickled, counts):
    dataset = pq.ParquetDataset(str(folder), use_legacy_dataset=True, validate_schema=False)
    utils.add_to_dataset_metadata(dataset, dataset_metadata.UNISCHEMA_KEY, pickled)
    dataset = pq.ParquetDataset(str(folder), use_legacy_dataset=True, validate_schema=False)
    utils.add_to_dataset_metadata(dataset, dataset_metadata.ROW_GROUPS_PER_FILE_KEY, json.dumps(counts))
