"""Petastorm's data sets through our reader: values as petastorm's own reader gives them."""

import numpy as np
import pytest

pytest.importorskip(
    "petastorm.reader",
    reason="petastorm needs pyarrow < 15: `make petastorm` runs these tests in its own environment",
)

import unischema_sets
from petastorm import make_reader
from test_unischema_values import all_rows

from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.spark.java import ensure_java

COLUMNS = list(unischema_sets.SCHEMA.fields)


@pytest.fixture(scope="module", params=["its codecs", "materialize_dataset"])
def data_set(request, tmp_path_factory):
    folder, rows = tmp_path_factory.mktemp("unischema") / "set", unischema_sets.rows_of(90)
    if request.param == "its codecs":
        return unischema_sets.write(folder, rows)
    try:
        ensure_java()
    except EnvironmentProblem as error:
        pytest.skip(f"materialize_dataset runs on Spark, which has no Java here: {error}")
    return unischema_sets.materialize(folder, rows)


@pytest.mark.parametrize(
    "schema", [None, unischema_sets.SCHEMA], ids=["seen from the values", "said by the user"]
)
@pytest.mark.parametrize("shuffle", ["none", "buffer"])
def test_every_value_is_the_one_that_petastorm_gives(data_set, schema, shuffle):
    found = all_rows(data_set, COLUMNS, shuffle, schema=schema)
    with make_reader(
        data_set.as_uri(), workers_count=1, reader_pool_type="dummy", shuffle_row_groups=False
    ) as reader:
        truth = {row.id: row for row in reader}
    assert sorted(found["id"]) == sorted(truth) == list(range(90))
    for place, key in enumerate(found["id"]):
        for name in COLUMNS:
            value, written = found[name][place], getattr(truth[int(key)], name)
            assert np.array_equal(value, written), name
            if schema is not None and name != "name":  # ids of labels are int64, as torch's losses take them
                assert value.dtype == (np.int64 if name == "label" else written.dtype), name


def test_all_that_can_be_a_tensor_is_read_where_no_columns_are_named(data_set):
    assert list(all_rows(data_set)) == [name for name in COLUMNS if name != "name"]
