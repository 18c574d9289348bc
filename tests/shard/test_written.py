"""What the shard stage writes beside flat columns, and what other engines read of it: one stage run, many
looks.
"""

import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lsml_spark import make_reader
from lsml_spark.cli.main import app
from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import checksum_of
from lsml_spark.data.parquet.fields import layout_of
from lsml_spark.shard import run as shard
from lsml_spark.shard.view import view

pytestmark = pytest.mark.spark
ROWS, TESTS = 2000, 300
JPEG = (
    bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0001108003200640301220002110103110100")
    + b"\xff\xd9"
)
SCHEMA = (
    "sample_id string, key string, label int, a double, b float, n bigint, m bigint, yes boolean, image "
    "array<array<int>>, "
    "embedding array<double>, raw binary, picture binary, words array<int>, part string, weight double"
)


def table_of(rows: int, name: str, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "sample_id": [f"{name}{i:05d}" for i in range(rows)],
            "key": np.where(
                random.random(rows) < 0.5, "k0", np.char.add("k", random.integers(1, 90, rows).astype(str))
            ).astype(object),
            "label": pa.array(random.integers(0, 7, rows), pa.int32()),
            "a": random.normal(size=rows),
            "b": pa.array(random.normal(size=rows), pa.float32()),
            "n": random.integers(-(2**40), 2**40, rows),
            "m": random.integers(0, 9, rows),
            "yes": random.random(rows) < 0.3,
            "image": pa.array(random.integers(0, 256, (rows, 3, 2)).tolist(), pa.list_(pa.list_(pa.int32()))),
            "embedding": random.normal(size=(rows, 4)).tolist(),
            "raw": [bytes(row) for row in random.integers(0, 256, (rows, 8)).astype("u1")],
            "picture": [JPEG] * rows,
            "words": pa.array([list(range(n)) for n in random.integers(0, 5, rows)], pa.list_(pa.int32())),
            "part": random.choice(["train", "devel"], rows, p=[0.9, 0.1]).astype(object),
            "weight": np.ones(rows),
        }
    )


TRAIN, TEST = table_of(ROWS, "train", 1), table_of(TESTS, "test", 2)
CONFIG = {
    "shards": 3,
    "rows_per_group": 128,
    "pack": ["a", "b", "n", "m", "yes"],
    "tensors": {
        "image": {"dtype": "uint8", "shape": [3, 2]},
        "embedding": {"shape": [4]},
        "raw": {"dtype": "float32", "shape": [2]},
    },
    "columns": {
        "label": {"compression": "zstd", "encoding": "delta_binary_packed"},
        "image": {"compression": "lz4"},
    },
    "split": {
        "devel": {"use": "column", "column": "part"},
        "valid": {"use": "key_hash", "share": 0.2},
        "probe": {"use": "row_hash", "share": 0.1},
    },
    "folds": 2,
}


def run_stage(spark, night, train=TRAIN, test=TEST, **config):
    frames = {"train": spark.createDataFrame(train, SCHEMA), "test": spark.createDataFrame(test, SCHEMA)}
    work = night.work("shard", {"features": night.source("features", **frames)})
    return night.finish(work, shard.run(work, validate(shard.Config, config, "x"), spark))


@pytest.fixture(scope="module")
def finished(spark, module_night):
    return run_stage(spark, module_night, **CONFIG)


def read(source, table: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in source.files(table)])


def matrix(table: pa.Table, name: str) -> np.ndarray:
    """The values of a tensor's or record's column as its metadata says, shape (rows, values of a row)."""
    layout = layout_of(table.schema.field(name))
    return np.frombuffer(b"".join(table[name].to_pylist()), layout.dtype).reshape(table.num_rows, -1)


def test_every_row_is_in_one_table_with_its_values(finished):
    tables = {name: read(finished, name) for name in finished.manifest.tables}
    assert set(tables) == {"train", "devel", "valid", "probe", "test"}
    assert finished.manifest.ledger == Ledger(ROWS + TESTS, ROWS + TESTS)
    whole = pa.concat_tables(tables.values())
    order = np.argsort(whole["sample_id"].to_numpy(zero_copy_only=False))
    both = pa.concat_tables([TEST, TRAIN])
    expected = both.take(np.argsort(both["sample_id"].to_numpy(zero_copy_only=False)))
    assert (
        whole["sample_id"].to_numpy(zero_copy_only=False)[order].tolist() == expected["sample_id"].to_pylist()
    )
    layouts = {field.name: layout_of(field) for field in whole.schema}
    assert layouts["record_float32"].columns == ("a", "b")
    assert layouts["record_int64"].columns == ("n", "m")
    np.testing.assert_allclose(
        matrix(whole, "record_float32")[order], np.column_stack([expected["a"], expected["b"]]), rtol=1e-6
    )
    np.testing.assert_array_equal(
        matrix(whole, "record_int64")[order], np.column_stack([expected["n"], expected["m"]])
    )
    np.testing.assert_array_equal(
        matrix(whole, "image")[order], np.array(expected["image"].to_pylist()).reshape(-1, 6)
    )
    np.testing.assert_allclose(
        matrix(whole, "embedding")[order], np.array(expected["embedding"].to_pylist()), rtol=1e-6
    )
    assert [b"".join([row]) for row in whole["raw"].take(order).to_pylist()] == expected["raw"].to_pylist()
    assert whole["yes"].type == pa.uint8(), "the only boolean stays a flat column"
    assert whole["yes"].take(order).to_pylist() == expected["yes"].to_pylist()


def test_columns_of_a_fixed_width_are_one_plain_page_per_row_group(finished):
    for path in finished.files("train"):
        footer = pq.read_metadata(path)
        for group in range(footer.num_row_groups):
            columns = {
                footer.row_group(group).column(i).path_in_schema: footer.row_group(group).column(i)
                for i in range(footer.num_columns)
            }
            for name in ("record_float32", "record_int64", "embedding", "raw", "weight", "yes"):
                column, rows = columns[name], footer.row_group(group).num_rows
                width = (
                    layout_of(pq.read_schema(path).field(name)).width if name not in ("weight", "yes") else 4
                )
                assert (column.compression, column.has_dictionary_page) == ("UNCOMPRESSED", False)
                assert set(column.encodings) <= {"PLAIN", "RLE"}, (
                    "RLE is of the levels, of which REQUIRED columns have none"
                )
                assert 0 < column.total_compressed_size - width * rows < 100, "one page header"
            assert "DELTA_BINARY_PACKED" in columns["label"].encodings
            assert (columns["label"].compression, columns["image"].compression) == ("ZSTD", "LZ4")
    stored = finished.manifest.metrics["columns"]
    assert (stored["picture"]["compression"], stored["sample_id"]["compression"]) == ("lz4", "lz4")
    assert stored["image"] == {
        "kind": "tensor", "dtype": "uint8", "shape": [3, 2], "type": "fixed_size_binary[6]",
        "compression": "lz4", "encoding": "plain",
    }  # fmt: skip


def test_no_key_is_in_a_split_by_key_and_anywhere_else(finished):
    tables = {name: read(finished, name) for name in ("train", "devel", "valid", "probe")}
    keys = {name: set(table["key"].to_pylist()) for name, table in tables.items()}
    assert keys["valid"]
    assert not keys["valid"] & (keys["train"] | keys["devel"] | keys["probe"])
    assert set(tables["devel"]["part"].to_pylist()) == {"devel"}
    assert "devel" not in tables["train"]["part"].to_pylist()
    assert 0.05 < tables["probe"].num_rows / (tables["probe"].num_rows + tables["train"].num_rows) < 0.15


def test_no_key_is_in_two_folds_and_the_metrics_say_which_file_has_which(finished):
    folds: dict[int, set[str]] = {}
    for fold, path in zip(finished.manifest.metrics["fold"], finished.files("train"), strict=True):
        folds.setdefault(fold, set()).update(pq.read_table(path, columns=["key"])["key"].to_pylist())
    assert finished.manifest.metrics["fold"] == [0] * 3 + [1] * 3
    assert folds[0]
    assert folds[1]
    assert not folds[0] & folds[1]
    for fold in (0, 1):
        rows = [
            file.rows
            for file, its in zip(
                finished.manifest.tables["train"].files, finished.manifest.metrics["fold"], strict=True
            )
            if its == fold
        ]
        assert max(rows) - min(rows) <= 1


def test_what_splits_share_is_counted(finished):
    tables = {name: read(finished, name) for name in finished.manifest.tables}
    for pair, counted in finished.manifest.metrics["leakage"].items():
        a, b = pair.split("/")
        assert counted["keys"] == len(set(tables[a]["key"].to_pylist()) & set(tables[b]["key"].to_pylist()))
        assert counted["rows"] == 0
    assert len(finished.manifest.metrics["leakage"]) == 10


def test_statistics_of_each_shard_are_those_of_its_rows(finished):
    found = json.loads(finished.file("statistics.json").read_text())
    for name in ("train", "valid", "test"):
        for i, path in enumerate(finished.files(name)):
            table = pq.read_table(path)
            assert found[name]["rows"][i] == table.num_rows
            assert found[name]["labels"][i] == pc.count_distinct(table["label"]).as_py()
            values = {
                "label": table["label"].to_numpy(),
                "weight": table["weight"].to_numpy(),
                "b": matrix(table, "record_float32")[:, 1],
            }
            for column, values_N in values.items():
                told = {figure: values_ [i] for figure,
                values_ in found[name]["columns"][column].items()}  # fmt: skip
                assert (told["min"], told["max"], told["infinite"]) == (values_N.min(), values_N.max(), 0)
                assert told["mean"] == pytest.approx(values_N.astype(float).mean(), rel=1e-8, abs=1e-9)


def test_files_carry_the_fast_checksum_unless_asked_otherwise(spark, finished, night):
    for file in finished.manifest.tables["train"].files:
        assert file.checksum == checksum_of(finished.folder / file.path, "xxh128")
    other = run_stage(
        spark,
        night,
        train=TRAIN.slice(0, 20),
        test=TEST.slice(0, 5),
        checksum="sha256",
        shards=1,
        tensors=CONFIG["tensors"],
    )
    assert {file.checksum[:7] for table in other.manifest.tables.values() for file in table.files} == {
        "sha256:"
    }


def test_duckdb_and_pandas_read_scalars_directly(finished):
    paths = [str(path) for path in finished.files("train")]
    whole = read(finished, "train")
    rows, labels = duckdb.read_parquet(paths).aggregate("count(*), sum(label)").fetchall()[0]
    assert (rows, labels) == (whole.num_rows, pc.sum(whole["label"]).as_py())
    frame = pq.read_table(paths[0]).to_pandas()
    assert frame.label.tolist() == pq.read_table(paths[0])["label"].to_pylist()


def test_a_view_decodes_them_in_sql(spark, finished):
    view(spark, finished.folder, "shards")
    found = spark.sql(
        "SELECT sample_id, a, n, image, embedding, raw, words, label FROM shards WHERE label < 3 ORDER BY "
        "sample_id"
    ).toArrow()
    expected = TRAIN.filter(pc.is_in(TRAIN["sample_id"], read(finished, "train")["sample_id"])).filter(
        pc.field("label") < 3
    )
    assert found["sample_id"].to_pylist() == expected["sample_id"].to_pylist()
    for name in ("n", "image", "words", "label"):
        assert found[name].to_pylist() == expected[name].to_pylist()
    np.testing.assert_allclose(found["a"], expected["a"], rtol=1e-6)
    np.testing.assert_allclose(
        np.array(found["embedding"].to_pylist()), np.array(expected["embedding"].to_pylist()), rtol=1e-6
    )
    floats = np.frombuffer(b"".join(expected["raw"].to_pylist()), "<f4").reshape(-1, 2)
    np.testing.assert_array_equal(np.array(found["raw"].to_pylist(), np.float32), floats)
    with pytest.raises(ConfigError, match=r"no table 'tain' \(did you mean 'train'"):
        view(spark, finished.folder, "shards", table="tain")


def test_show_prints_rows_decoded(finished):
    path = finished.files("train")[0]
    result = CliRunner().invoke(app, ["show", str(path), "--rows", "2"])
    assert result.exit_code == 0, result.output
    row = TRAIN.filter(pc.field("sample_id") == pq.read_table(path)["sample_id"][1]).to_pylist()[0]
    shown = dict(line.split(None, 1) for line in result.output.strip().split("\n\n")[1].splitlines())
    assert shown["n"] == str(row["n"])
    assert float(shown["a"]) == pytest.approx(row["a"], rel=1e-6)
    flat = [value for line in row["image"] for value in line]
    assert shown["image"] == f"uint8 3×2: [{', '.join(map(str, flat[:4]))}, …]"
    assert shown["words"] == f"{len(row['words'])} × int32: [{', '.join(map(str, row['words']))}]"
    assert shown["picture"] == f"JPEG 100×50, {len(JPEG)} bytes"
    result = CliRunner().invoke(app, ["show", str(path), "--columns", "label,m"])
    assert {line.split()[0] for line in result.output.splitlines() if line} == {"label", "m"}
    wrong = CliRunner().invoke(app, ["show", str(path), "--columns", "lable"])
    assert (wrong.exit_code, "did you mean 'label'" in wrong.output) == (2, True)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"tensors": {"imge": {"shape": [2]}}}, r"shard\.tensors\.imge: .*did you mean 'image'"),
        ({"pack": ["words"]}, r"shard\.pack: 'words' is array<int>"),
        (
            {"pack": "all", "columns": {"n": {"compression": "zstd"}}},
            r"shard\.columns\.n: .*packed into record_int64",
        ),
        (
            {"columns": {"key": {"encoding": "delta_binary_packed"}}},
            r"shard\.columns\.key\.encoding: .*cannot hold string",
        ),
        (
            {"split": {"v": {"use": "column", "column": "n"}}},
            r"shard\.split\.v\.column: 'n' is bigint, expected text or boolean",
        ),
    ],
)
def test_what_the_columns_cannot_be_is_refused_by_name(spark, night, config, said):
    tensors = {"tensors": {"image": {"dtype": "uint8", "shape": [3, 2]}}}
    with pytest.raises(ConfigError, match=said):
        run_stage(spark, night, train=TRAIN.slice(0, 20), test=TEST.slice(0, 5), **(tensors | config))


@pytest.mark.parametrize(
    ("change", "config", "said"),
    [
        (
            "IF(sample_id = 'train00007', array(array(1)), image)",
            {},
            r"column 'image', sample_id 'train00007': found a list of 1, expected 3",
        ),
        (
            "image",
            {"split": {"devel": {"use": "column", "column": "odd"}}},
            r"'odd' is 'devl' for sample_id 'train00003'; expected one of train, devel",
        ),
        (
            "image",
            {"split": {"devel": {"use": "column", "column": "part", "leakage": "fail"}}},
            r"splits train/devel share \d+ keys",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(spark, night, change, config, said):
    frame = spark.createDataFrame(TRAIN.slice(0, 40), SCHEMA).withColumns({})
    frame = frame.selectExpr(
        *[name for name in TRAIN.column_names if name != "image"],
        f"{change} AS image",
        "IF(sample_id = 'train00003', 'devl', part) AS odd",
    )
    work = night.work(
        "shard",
        {
            "features": night.source(
                "features", train=frame, test=spark.createDataFrame(TEST.slice(0, 5), SCHEMA)
            )
        },
    )
    told = {"tensors": {"image": {"dtype": "uint8", "shape": [3, 2]}}, **config}
    with pytest.raises((ConfigError, IntegrityError), match=said):  # 2 for the SQL's mistakes
        shard.run(work, validate(shard.Config, told, "x"), spark)


def test_automatic_sizes_pack_all_and_pictures_that_do_not_shrink_are_stored_as_they_are(spark, night):
    batch, lanes, target, rows = 16, 4, 4_000_000, 1000
    random = np.random.default_rng(3)
    pictures = [JPEG + random.bytes(size) for size in random.integers(12_000, 20_000, rows)]
    train = table_of(rows, "train", 3)
    train = train.set_column(train.schema.get_field_index("picture"), "picture", pa.array(pictures))
    told = {
        "pack": "all",
        "tensors": CONFIG["tensors"],
        "target_bytes": target,
        "batch": batch,
        "lanes": lanes,
    }
    source = run_stage(spark, night, train=train, **told)
    columns, files = source.manifest.metrics["columns"], source.manifest.tables["train"].files
    assert set(columns["record_float32"]["columns"]) == {"a", "b"}
    assert set(columns["record_int64"]["columns"]) == {"n", "m"}
    assert (columns["yes"]["kind"], columns["picture"]["compression"]) == ("scalar", "none")

    # ⌈bytes / target⌉ = 5 shards would be rounded up to 8, but 1000 rows are only 3 whole row groups: the
    # divisor of 4 below is 2.
    assert [file.rows for file in files] == [500, 500]
    full = files[0].row_groups[0]
    assert [file.row_groups for file in files] == [[full, 500 - full]] * 2
    assert full % batch == 0
    for path in source.files("train"):
        footer = pq.read_metadata(path)
        place = [footer.schema.column(i).path for i in range(footer.num_columns)].index("picture")
        assert {footer.row_group(i).column(place).compression for i in range(footer.num_row_groups)} == {
            "UNCOMPRESSED"
        }
        assert 3 * 2**20 < footer.row_group(0).total_byte_size < 5 * 2**20

    place_of = {sample: i for i, sample in enumerate(train["sample_id"].to_pylist())}
    seen = []
    for found in make_reader(source.folder, batch=100, columns=["sample_id", "picture", "a", "m", "yes"]):
        places = [place_of[sample] for sample in found["sample_id"]]
        assert found["picture"].tolist() == [pictures[i] for i in places]
        assert np.array_equal(found["a"], train["a"].to_numpy()[places].astype(np.float32))
        assert np.array_equal(found["m"], train["m"].to_numpy()[places])
        assert np.array_equal(found["yes"], train["yes"].to_numpy(zero_copy_only=False)[places])
        seen += places
    assert sorted(seen) == list(range(rows))
