"""The features stage: fitted on training rows alone, applied to both tables exactly as plain Python applies
it.
"""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from pyspark.sql import functions as F

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.features import run as features
from lsml_spark.spark import tables
from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.tokens import Tokens
from lsml_spark.transforms.transform import Seen

pytestmark = pytest.mark.spark
SCHEMA = (
    "sample_id string, key string, label string, date date, context array<string>, country string, "
    "hour int, weekend boolean"
)
COLUMNS = {
    "label": "vocabulary",
    "context": {"use": "vocabulary", "like": "label"},
    "country": {"use": "vocabulary", "min_count": 20},
    "hour": {"use": "vocabulary", "max_size": 5},
    "weekend": "vocabulary",
}


def rows(n: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    items = [f"i{i}" for i in np.minimum(random.zipf(1.5, n), 300)]
    return pd.DataFrame(
        {
            "sample_id": [f"{seed}-{i}" for i in range(n)],
            "key": items,
            "label": items,
            "date": [pd.Timestamp("2011-02-01").date()] * n,
            "context": [
                None
                if drawn < 0.2
                else [*random.choice(items, int(drawn * 9)), *([None] if drawn > 0.95 else [])]
                for drawn in random.random(n)
            ],
            "country": random.choice(["UK", "DE", "rare", None], n, p=[0.8, 0.15, 0.01, 0.04]),
            "hour": random.integers(8, 20, n),
            "weekend": random.random(n) < 0.3,
        }
    )


TRAIN, TEST = rows(1500, 1), rows(400, 2)


@pytest.fixture(scope="module")
def frames(spark):
    train = spark.createDataFrame(TRAIN, SCHEMA).selectExpr(
        "*", "double(2.5) AS weight", "double(0.4) AS keep_rate"
    )
    return train.cache(), spark.createDataFrame(TEST, SCHEMA).cache()


def run_stage(spark, night, train, test, columns=COLUMNS, **config):
    inputs = {"augment": night.source("augment", train=train), "prepare": night.source("prepare", test=test)}
    work = night.work("features", inputs)
    source = night.finish(
        work,
        features.run(
            work, validate(features.Config, {"columns": columns} | config, "night.yaml: features"), spark
        ),
    )
    return source, json.loads(source.file("encoders.json").read_text())


@pytest.fixture(scope="module")
def finished(spark, module_night, frames):
    return run_stage(spark, module_night, *frames)


def arrow(source, table: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in source.files(table)]).sort_by("sample_id")


def ranked(counts: Counter) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def test_vocabularies_are_those_of_pandas(finished):
    columns = finished[1]["columns"]
    assert list(zip(columns["label"]["values"], columns["label"]["counts"], strict=True)) == ranked(
        Counter(TRAIN.label)
    )
    countries = [(value, n) for value, n in ranked(Counter(TRAIN.country.dropna())) if n >= 20]
    assert list(zip(columns["country"]["values"], columns["country"]["counts"], strict=True)) == countries
    assert "rare" not in columns["country"]["values"]
    hours = ranked(Counter(TRAIN.hour.astype(str)))[:5]
    assert list(zip(columns["hour"]["values"], columns["hour"]["counts"], strict=True)) == hours
    assert columns["weekend"]["values"] == ["false", "true"]
    assert columns["context"] == {"use": "vocabulary", "list": True, "like": "label"}
    assert finished[1]["label"] == "label"


@pytest.mark.parametrize(("table", "frame"), [("train", TRAIN), ("test", TEST)])
def test_ids_are_places_in_the_vocabulary(finished, table, frame):
    source, encoders = finished
    found = arrow(source, table).to_pandas()
    expected = frame.sort_values("sample_id", ignore_index=True)
    place = {
        name: {value: i for i, value in enumerate(column["values"], 1)}
        for name, column in encoders["columns"].items()
        if "values" in column
    }
    assert found.sample_id.tolist() == expected.sample_id.tolist()
    assert found.key.tolist() == expected.key.tolist()
    assert found.label.tolist() == [place["label"].get(value, 0) for value in expected.label]
    assert found.country.tolist() == [place["country"].get(value, 0) for value in expected.country]
    assert found.hour.tolist() == [place["hour"].get(str(value), 0) for value in expected.hour]
    assert found.weekend.tolist() == [place["weekend"][str(value).lower()] for value in expected.weekend]
    assert [list(ids) for ids in found.context] == [
        [place["label"].get(item, 0) for item in items or []] for items in expected.context
    ]


@pytest.mark.parametrize("table", ["train", "test"])
def test_plain_python_encodes_rows_exactly_as_the_stage_does(finished, frames, table):
    source, encoders = finished
    plain = frames[table == "test"].toArrow().sort_by("sample_id").combine_chunks().to_batches()[0]
    by_python, by_spark = encode(encoders, plain), arrow(source, table)
    for name in encoders["columns"]:
        assert by_python.column(name).to_pylist() == by_spark.column(name).to_pylist(), name
        assert by_python.schema.field(name).type == by_spark.schema.field(name).type, name


def test_a_list_with_a_vocabulary_of_its_own_counts_items_and_null_lists_hide_nothing(spark, night, frames):
    _, encoders = run_stage(spark, night, *frames, {"label": "vocabulary", "context": "vocabulary"})
    items = Counter(item for basket in TRAIN.context.dropna() for item in basket if item is not None)
    found = encoders["columns"]
    assert list(zip(found["context"]["values"], found["context"]["counts"], strict=True)) == ranked(items)
    assert sum(found["label"]["counts"]) == len(TRAIN)


def test_weights_pass_and_test_rows_count_once(finished):
    source, _ = finished
    assert set(arrow(source, "train")["weight"].to_pylist()) == {2.5}
    assert set(arrow(source, "train")["keep_rate"].to_pylist()) == {0.4}
    assert set(arrow(source, "test")["weight"].to_pylist()) == {1.0}
    assert "keep_rate" not in arrow(source, "test").column_names
    assert source.manifest.ledger == Ledger(len(TRAIN) + len(TEST), len(TRAIN) + len(TEST))


def test_pace_and_offset_pass_where_select_gave_them(spark, night, frames, finished):
    train = frames[0].selectExpr("*", "hour % 3 AS pace", "hour / 7 AS offset")
    source, _ = run_stage(spark, night, train, frames[1])
    found = arrow(source, "train").to_pandas()
    hours = TRAIN.sort_values("sample_id").hour.to_numpy()
    assert found.pace.tolist() == (hours % 3).tolist()
    assert found.offset.tolist() == (hours / 7).tolist()
    assert source.manifest.tables["test"] == finished[0].manifest.tables["test"]
    assert source.manifest.tables["train"].columns == {
        **finished[0].manifest.tables["train"].columns,
        "pace": "int",
        "offset": "double",
    }


def test_carried_columns_pass_as_they_are_and_no_encoder_knows_them(spark, night, frames):
    made = [
        "double(hour) / 7 AS price",
        "array(array(hour, 1), array(2, 3)) AS grid",
        "encode(key, 'utf-8') AS picture",
        "*",
    ]
    source, encoders = run_stage(
        spark, night, *(frame.selectExpr(*made) for frame in frames), carry=["price", "grid", "picture"]
    )
    assert not {"price", "grid", "picture"} & set(encoders["columns"])
    for table, told in (("train", TRAIN), ("test", TEST)):
        found = {row["sample_id"]: row for row in arrow(source, table).to_pylist()}
        for row in told.to_dict("records"):
            carried = found[row["sample_id"]]
            assert carried["price"] == row["hour"] / 7
            assert carried["grid"] == [[row["hour"], 1], [2, 3]]
            assert carried["picture"] == row["key"].encode()


@pytest.mark.parametrize(
    ("carry", "said"),
    [
        (["prise"], "features\\.carry: 'prise'.*prepare\\.sql gives no such column"),
        (["weight"], "features\\.carry: 'weight'"),
        (["hour"], "'hour' is named twice"),
    ],
)
def test_what_cannot_be_carried_is_a_one_line_config_error(spark, night, frames, carry, said):
    with pytest.raises(ConfigError, match=said):
        run_stage(spark, night, *frames, carry=carry)


def test_a_samples_own_column_of_such_a_name_is_left_out_like_any_other(spark, night, frames, finished):
    own = [frame.withColumn("offset", F.lit(1.0)) for frame in frames]
    source, _ = run_stage(spark, night, *own)
    assert source.manifest.tables == finished[0].manifest.tables


def test_test_rows_do_not_reach_the_encoders(spark, night, frames, finished):
    new = {"key": "'never seen'", "label": "'never seen'", "country": "'Mars'", "hour": "99"}
    other = frames[1].withColumns({name: F.expr(value) for name, value in new.items()})
    source, encoders = run_stage(spark, night, frames[0], other)
    assert encoders == finished[1]
    assert source.manifest.tables["train"] == finished[0].manifest.tables["train"]
    assert (
        set(arrow(source, "test")["label"].to_pylist())
        == set(arrow(source, "test")["hour"].to_pylist())
        == {0}
    )


def test_the_partitions_do_not_matter(spark, night, frames, finished):
    for partitions in (1, 11):
        source, _ = run_stage(spark, night, frames[0].repartition(partitions), frames[1].repartition(3))
        assert source.manifest.identity == finished[0].manifest.identity


def test_an_empty_test_table_is_encoded_as_none(spark, night, frames):
    source, _ = run_stage(spark, night, frames[0], frames[1].limit(0))
    assert source.manifest.tables["test"].rows == 0
    assert source.manifest.tables["test"].columns["context"] == "array<int>"


@pytest.mark.parametrize(
    "expression", ["cast(hour AS double) / 7", "timestamp(date)", "cast(hour AS decimal(10, 4))"]
)
def test_types_that_spark_and_arrow_write_differently_are_refused(spark, night, frames, expression):
    # Spark and Arrow do not write these types alike; ids that are 0 for that reason would be a silent
    # train/serve skew.
    train, test = (frame.withColumn("hour", F.expr(expression)) for frame in frames)
    with pytest.raises(ConfigError, match=r"features\.columns\.hour: .* in prepare\.sql"):
        run_stage(spark, night, train, test, {"label": "vocabulary", "hour": "vocabulary"})


@pytest.mark.parametrize(
    "expression", ["hour", "smallint(hour)", "hour > 12", "date_add(date, hour)", "string(hour / 7)"]
)
def test_every_training_value_of_the_other_types_is_known(spark, night, frames, expression):
    train, test = (frame.withColumn("hour", F.expr(expression)) for frame in frames)
    source, _ = run_stage(spark, night, train, test, {"label": "vocabulary", "hour": "vocabulary"})
    assert 0 not in arrow(source, "train")["hour"].to_pylist()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"context": "vocabulary"}, "the label 'label' needs a transform"),
        (
            {"label": "vocabulary", "countri": "vocabulary"},
            r"features\.columns\.countri: .*did you mean 'country'",
        ),
        (
            {"label": "vocabulary", "context": {"use": "vocabulary", "like": "lable"}},
            r"context\.like: 'lable' is no column",
        ),
        ({"label": "vocabulary", "context": {"use": "vocabulary", "like": "context"}}, r"context\.like"),
        ({"label": "vocabulary", "hour": {"use": "vocabulary", "like": "country"}}, r"hour\.like"),
        ({"label": "vocabulry"}, "did you mean 'vocabulary'"),
        ({"label": {"use": "vocabulary", "min_count": 0}}, "min_count"),
        ({"label": {"use": "vocabulary", "max_size": 0}}, "max_size"),
        ({"label": "vocabulary", "key": "vocabulary"}, r"features\.columns\.key"),
        ({"label": "vocabulary", "weight": "vocabulary"}, r"features\.columns\.weight"),
        ({"label": "vocabulary", "pace": "vocabulary"}, r"features\.columns\.pace"),
    ],
)
def test_columns_that_cannot_be_meant_are_one_line_config_errors(spark, night, frames, columns, said):
    with pytest.raises(ConfigError, match=said) as caught:
        run_stage(spark, night, frames[0].limit(1), frames[1].limit(1), columns)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("'one'", "all 30 training rows with a known label have 'one'"),
        ("concat('only once ', sample_id)", "no training row has a known label"),
    ],
)
def test_labels_that_are_all_alike_or_all_unknown_stop_the_night_here_with_a_sentence(
    spark, night, frames, label, said
):
    train = frames[0].limit(30).withColumn("label", F.expr(label))
    with pytest.raises(QualityGateError, match=said):
        run_stage(
            spark,
            night,
            train,
            frames[1].limit(5),
            {"label": {"use": "vocabulary", "min_count": 2}, "hour": "vocabulary"},
        )


def test_the_encoded_table_is_read_back_by_spark(spark, finished):
    types = dict(tables.read(spark, finished[0], table="train").dtypes)
    assert types == {
        "sample_id": "string",
        "key": "string",
        "label": "int",
        "context": "array<int>",
        "country": "int",
        "hour": "int",
        "weekend": "int",
        "weight": "double",
        "keep_rate": "double",
    }


def test_a_text_becomes_a_list_of_ids_and_may_borrow_another_columns_way(spark, night, frames):
    train, test = (
        frame.withColumns({"title": F.expr("concat_ws(' ', context)"), "name": F.col("country")})
        for frame in frames
    )
    columns = {
        "label": "vocabulary",
        "title": {"use": "ngrams", "size": 50, "n": [1, 2]},
        "name": {"use": "ngrams", "size": 9, "like": "title"},
        "pieces": {"use": "tokens", "size": 300, "of": "title"},
        "context": {"use": "hashed", "size": 4, "signed": True},
    }
    source, encoders = run_stage(spark, night, train, test, columns)
    assert (
        source.manifest.tables["test"].columns["title"]
        == source.manifest.tables["train"].columns["name"]
        == "array<int>"
    )
    plain = encode(encoders, test.toArrow().sort_by("sample_id").combine_chunks().to_batches()[0])
    for name in ("title", "name", "pieces", "context"):
        assert arrow(source, "test")[name].to_pylist() == plain.column(name).to_pylist()
    assert max(map(len, plain.column("title").to_pylist())) > 8
    told = source.manifest.metrics["columns"]
    assert told["name"] == {"use": "ngrams", "like": "title", "becomes": "lists of ids", "size": 50}
    items = Counter(item for basket in TRAIN.context.dropna() for item in basket if item)
    alone = sum(
        max(n for item, n in items.items() if xxhash.xxh64_intdigest(item.encode()) % 4 == place)
        for place in range(4)
    )
    shared = round(1 - alone / items.total(), 6)
    assert told["context"] == {"use": "hashed", "becomes": "numbers", "size": 4, "collisions": shared}
    words = Counter(item for basket in TRAIN.context.dropna() for item in basket if item)
    alone = Tokens(size=300).fit(
        Seen(values_K=np.array(list(words), object), counts_K=np.array(list(words.values())))
    )
    assert encoders["columns"]["pieces"] == {"use": "tokens", "list": True, "of": "title", **alone}
    with pytest.raises(
        ConfigError, match=r"features\.columns\.context: `ngrams` takes one text a row, not array<string>"
    ):
        run_stage(spark, night, train, test, {"label": "vocabulary", "context": {"use": "ngrams", "size": 9}})
    with pytest.raises(ConfigError, match="makes lists of ids of the label"):
        run_stage(spark, night, train, test, {"label": {"use": "ngrams", "size": 9}, "hour": "vocabulary"})
