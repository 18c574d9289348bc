"""Data sets in petastorm's layout through our reader, with or without petastorm: no pickle is run, what
cannot be read is named.
"""

import contextlib
import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark import ReadOptions
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.dataset import RaggedTensor, make_torch_dataset


def all_rows(folder, columns=None, shuffle="none", **options):
    """{column: list of rows} of an epoch."""
    found = {}
    for batch in make_torch_dataset(
        folder, batch=16, columns=columns, shuffle=shuffle, options=ReadOptions(**options)
    ):
        for name, column in batch.items():
            if isinstance(column, RaggedTensor):
                column = [
                    column.values[a:b] for a, b in zip(column.offsets, column.offsets[1:], strict=False)
                ]
            found.setdefault(name, []).extend(np.asarray(row) for row in column)
    return found


class Payload:
    """Pickled, it is a call: whoever loads it creates the file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_beside_the_data_is_not_run(tmp_path):
    witness = tmp_path / "it ran"
    pickled = pickle.dumps(Payload(witness))
    folder = written(tmp_path / "set", x=[npy(np.full(3, i)) for i in range(5)])
    schema = pq.read_schema(folder / "part.parquet").with_metadata({"dataset-toolkit.unischema.v1": pickled})
    pq.write_metadata(schema, folder / "_common_metadata")
    found = all_rows(folder)
    assert [row.tolist() for row in found["x"]] == [[i] * 3 for i in range(5)]
    assert not witness.exists()
    pickle.loads(pickled).close()  # the payload is a live one
    assert witness.exists()


def test_an_npy_of_objects_is_refused(tmp_path):
    witness = tmp_path / "it ran"
    folder = written(
        tmp_path / "set", x=[npy(np.array([Payload(witness)], dtype=object), allow_pickle=True)] * 3
    )
    with pytest.raises(ConfigError, match=r"column 'x': a \.npy of type object: only numbers are read"):
        all_rows(folder, schema={})
    later = written(
        tmp_path / "later",
        x=[npy(np.zeros(1))] * 2,
        more=[npy(np.array([Payload(witness)], dtype=object), allow_pickle=True)] * 2,
    )
    with pytest.raises(IntegrityError, match=r"row group 1: .*column 'x': a \.npy of type object"):
        all_rows(later, schema={})
    assert not witness.exists()


def npy(array, allow_pickle=False):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def written(folder, x, more=()):
    """A data set with a label and one binary column, in one or two row groups of as many rows."""
    folder.mkdir()
    values = [*x, *more]
    pq.write_table(
        pa.table({"label": [1] * len(values), "x": pa.array(values, pa.binary())}),
        folder / "part.parquet",
        row_group_size=len(x),
    )
    return folder


def test_what_the_bytes_do_not_say_the_user_says(tmp_path):
    folder = written(tmp_path / "raw", x=[np.arange(6, dtype="<i2").tobytes()] * 4)
    with pytest.raises(
        ConfigError, match=r"column 'x': it is binary, and no \.npy, .* say its dtype and shape in `schema`"
    ):
        all_rows(folder, schema={})
    found = all_rows(folder, schema={"x": {"dtype": "int16", "shape": [2, 3]}})
    assert np.array_equal(found["x"], [np.arange(6).reshape(2, 3)] * 4)


@pytest.mark.parametrize(
    ("rows", "schema", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((4, 3))], None, r"column 'x': its rows have the shape \(None, 3\)"),
        ([np.zeros(2), np.zeros((4, 3))], None, r"column 'x': its rows have several numbers of dimensions"),
        (
            [np.zeros(2), np.zeros(2, np.int8)],
            None,
            r"column 'x': its rows have several types \(float64, int8\)",
        ),
        ([np.zeros(2)], {"y": {"dtype": "int8"}}, r"schema: no column 'y'"),
        ([np.zeros(2)], {"x": {"type": "int8"}}, r"schema\.x: 'type' is not known"),
        ([np.zeros(2)], {"x": {"dtype": "integer"}}, r"schema\.x\.dtype: "),
    ],
)
def test_what_makes_no_batch_is_said_before_reading(tmp_path, rows, schema, message):
    folder = written(tmp_path / "set", x=[npy(row) for row in rows])
    with pytest.raises(ConfigError, match=message):
        all_rows(folder, schema=schema or {})


def test_a_later_row_group_of_other_shapes_is_named_and_read_where_the_user_says_so(tmp_path):
    folder = written(tmp_path / "set", x=[npy(np.ones(2))] * 3, more=[npy(np.ones(5))] * 3)
    with pytest.raises(
        IntegrityError,
        match=r"part\.parquet, row group 1: .*column 'x': its rows have shape \(5,\), others have \(2,\); if "
        r"lengths vary",
    ):
        all_rows(folder, schema={})
    found = all_rows(folder, schema={"x": {"shape": [None]}})
    assert [len(row) for row in found["x"]] == [2, 2, 2, 5, 5, 5]


def test_nulls_and_unknown_columns_are_named(tmp_path):
    folder = written(tmp_path / "set", x=[npy(np.ones(2)), None])
    with pytest.raises(IntegrityError, match="column 'x': it has 1 nulls; fill them"):
        all_rows(folder, schema={})
    with pytest.raises(ConfigError, match="there is no column 'xs'"):
        all_rows(folder, ["xs"], schema={})


@pytest.mark.parametrize("seed", range(2))
def test_damaged_values_are_never_more_than_an_error(tmp_path, seed):
    rng = np.random.default_rng(seed)
    whole = npy(np.arange(12, dtype=np.float32).reshape(3, 4)) if seed % 2 else npz(np.arange(12))
    rows = []
    for _ in range(40):
        row = bytearray(whole)
        for place in rng.integers(6, len(row), rng.integers(1, 4)):
            row[place] = rng.integers(0, 256)
        rows.append(bytes(row[: rng.integers(6, len(row) + 1)]) if rng.random() < 0.3 else bytes(row))
    for i, row in enumerate(rows):
        folder = written(tmp_path / str(i), x=[whole], more=[row])
        with contextlib.suppress(IntegrityError):
            found = all_rows(folder, schema={})
            assert found["x"][1].shape == found["x"][0].shape


def npz(array):
    file = io.BytesIO()
    np.savez_compressed(file, arr=array)
    return file.getvalue()


def test_an_npy_that_claims_more_values_than_it_has_is_refused_before_memory_is_taken(tmp_path):
    whole = npy(np.zeros(3))
    header = np.lib.format.header_data_from_array_1_0(np.zeros(3)) | {"shape": (10**12,)}
    claim = io.BytesIO()
    np.lib.format.write_array_header_1_0(claim, header)
    lying = claim.getvalue() + bytes(24)
    with pytest.raises((ConfigError, IntegrityError), match="column 'x'"):
        all_rows(written(tmp_path / "first", x=[lying] * 2), schema={})
    with pytest.raises((ConfigError, IntegrityError), match="column 'x'"):
        all_rows(written(tmp_path / "later", x=[whole] * 20 + [lying]), schema={})
