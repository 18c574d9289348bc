"""Petastorm's data sets through our reader: values as petastorm's own reader gives them, and no pickle is run."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("petastorm", reason="petastorm needs pyarrow < 15: `make petastorm` runs these tests in its own environment")

import unischema_sets
from petastorm import make_reader

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data import unischema
from lsml_spark.data.batch import Ragged
from lsml_spark.data.plan import plan
from lsml_spark.data.read import batches

FEATURES = [name for name in unischema_sets.SCHEMA.fields if name != "label"]


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    return unischema_sets.write(tmp_path_factory.mktemp("unischema") / "set", unischema_sets.rows_of(90))


def all_rows(shards):
    """{column: list of rows} over all row groups."""
    found = {}
    for group in shards.groups:
        for name, column in shards.columns(group, [*shards.features, "label", "weight"]).items():
            if isinstance(column, Ragged):
                column = [column.values_T[a:b] for a, b in zip(column.offsets_N1, column.offsets_N1[1:], strict=False)]
            found.setdefault(name, []).extend(column)
    return found


@pytest.mark.parametrize("schema", [None, unischema_sets.SCHEMA], ids=["seen from the values", "said by the user"])
def test_every_value_is_the_one_that_petastorm_gives(data_set, schema):
    found = all_rows(unischema.read(data_set, FEATURES, schema=schema))
    with make_reader(data_set.as_uri(), workers_count=1, reader_pool_type="dummy", shuffle_row_groups=False) as reader:
        truth = {row.id: row for row in reader}
    assert sorted(found["id"]) == sorted(truth) == list(range(90))
    for place, key in enumerate(found["id"]):
        for name in (*FEATURES, "label"):
            value, written = found[name][place], getattr(truth[key], name)
            assert np.array_equal(value, written), name
            if schema is not None and name != "name":
                assert value.dtype == written.dtype, name
    assert set(found["weight"]) == {np.float32(1)}


def test_the_plan_gives_every_row_once(data_set):
    shards = unischema.read(data_set, ["id", "tokens", "matrix"])
    order = plan(shards.rows_G, seed=1, epoch=0, world=1, batch=16, lanes=2)
    steps = list(batches(shards, order, 0))
    assert len(steps) == order.steps
    rows = {int(key): tokens for step in steps for batch in step for key, tokens in zip(batch.scalars["id"], lists(batch.ragged["tokens"]), strict=True)}
    assert rows == {row["id"]: row["tokens"].tolist() for row in unischema_sets.rows_of(90)}


def lists(ragged):
    return [ragged.values_T[a:b].tolist() for a, b in zip(ragged.offsets_N1, ragged.offsets_N1[1:], strict=False)]


class Payload:
    """Pickled, it is a call: whoever loads it creates the file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_beside_the_data_is_not_run(tmp_path):
    folder, witness = unischema_sets.write(tmp_path / "set", unischema_sets.rows_of(30)), tmp_path / "it ran"
    pickled = pickle.dumps(Payload(witness))
    unischema_sets.add_metadata(folder, pickled, {})
    assert pq.read_schema(folder / "_common_metadata").metadata[b"dataset-toolkit.unischema.v1"] == pickled
    assert len(all_rows(unischema.read(folder, FEATURES))["id"]) == 30
    assert not witness.exists()
    pickle.loads(pickled).close()  # the payload is a live one
    assert witness.exists()


def test_an_npy_of_objects_is_refused(tmp_path):
    witness = tmp_path / "it ran"
    folder = written(tmp_path / "set", x=[npy(np.array([Payload(witness)], dtype=object), allow_pickle=True)] * 3)
    with pytest.raises(ConfigError, match=r"column 'x': a \.npy of type object: only numbers are read"):
        unischema.read(folder, ["x"])
    later = written(tmp_path / "later", x=[npy(np.zeros(1))] * 2, more=[npy(np.array([Payload(witness)], dtype=object), allow_pickle=True)] * 2)
    shards = unischema.read(later, ["x"])
    with pytest.raises(IntegrityError, match=r"row group 1: .*column 'x': a \.npy of type object"):
        shards.columns(shards.groups[1], ["x"])
    assert not witness.exists()


def npy(array, allow_pickle=False):
    import io

    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def written(folder, x, more=()):
    """A data set with a label and one binary column, in one or two row groups of as many rows."""
    folder.mkdir()
    values = [*x, *more]
    pq.write_table(pa.table({"label": [1] * len(values), "x": pa.array(values, pa.binary())}), folder / "part.parquet", row_group_size=len(x))
    return folder


def test_what_the_bytes_do_not_say_the_user_says(tmp_path):
    folder = written(tmp_path / "raw", x=[np.arange(6, dtype="<i2").tobytes()] * 4)
    with pytest.raises(ConfigError, match=r"column 'x': it is binary, and no \.npy, .* say its dtype and shape in `schema`"):
        unischema.read(folder, ["x"])
    found = all_rows(unischema.read(folder, ["x"], schema={"x": {"dtype": "int16", "shape": [2, 3]}}))
    assert np.array_equal(found["x"], [np.arange(6).reshape(2, 3)] * 4)


@pytest.mark.parametrize(
    ("rows", "schema", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((4, 3))], None, r"column 'x': its rows have the shape \(None, 3\)"),
        ([np.zeros(2), np.zeros((4, 3))], None, r"column 'x': its rows have several numbers of dimensions"),
        ([np.zeros(2), np.zeros(2, np.int8)], None, r"column 'x': its rows have several types \(float64, int8\)"),
        ([np.zeros(2)], {"y": {"dtype": "int8"}}, r"schema: no column 'y'"),
        ([np.zeros(2)], {"x": {"type": "int8"}}, r"schema\.x: 'type' is not known"),
        ([np.zeros(2)], {"x": {"dtype": "integer"}}, r"schema\.x\.dtype: "),
    ],
)
def test_what_makes_no_batch_is_said_before_reading(tmp_path, rows, schema, message):
    folder = written(tmp_path / "set", x=[npy(row) for row in rows])
    with pytest.raises(ConfigError, match=message):
        unischema.read(folder, ["x"], schema=schema)


def test_a_later_row_group_of_other_shapes_is_named_and_read_where_the_user_says_so(tmp_path):
    folder = written(tmp_path / "set", x=[npy(np.ones(2))] * 3, more=[npy(np.ones(5))] * 3)
    shards = unischema.read(folder, ["x"])
    with pytest.raises(IntegrityError, match=r"part\.parquet, row group 1: .*column 'x': its rows have shape \(5,\), others have \(2,\); if lengths vary"):
        shards.columns(shards.groups[1], ["x"])
    found = all_rows(unischema.read(folder, ["x"], schema={"x": {"shape": [None]}}))
    assert [len(row) for row in found["x"]] == [2, 2, 2, 5, 5, 5]


def test_nulls_and_unknown_columns_are_named(tmp_path):
    folder = written(tmp_path / "set", x=[npy(np.ones(2)), None])
    shards = unischema.read(folder, ["x"])
    with pytest.raises(IntegrityError, match="column 'x': it has 1 nulls; fill them"):
        shards.columns(shards.groups[0], ["x"])
    with pytest.raises(ConfigError, match="there is no column 'xs'"):
        unischema.read(folder, ["xs"])
