"""Each transform against scikit-learn, SciPy or NumPy, on numbers with ties, missing values and outliers."""

import json

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from lsml_spark.core.config import component_names, find_component
from lsml_spark.transforms.buckets import Buckets
from lsml_spark.transforms.clip import Clip
from lsml_spark.transforms.cyclic import Cyclic
from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.hashed import Hashed
from lsml_spark.transforms.indicator import Indicator
from lsml_spark.transforms.log import Log
from lsml_spark.transforms.quantile import Quantile
from lsml_spark.transforms.schema import Ids, Numbers, Tensor, column_of
from lsml_spark.transforms.standardize import Standardize
from lsml_spark.transforms.transform import PACKAGE, Seen, Transform

RANDOM = np.random.default_rng(0)
TRAIN = np.concatenate([RANDOM.lognormal(3, 1, 4000).round(), np.zeros(500), [1e6]])
TEST = np.concatenate([RANDOM.lognormal(3, 1.2, 500).round(), [-5.0, 0.0, 2e6]])


def seen(x: np.ndarray) -> Seen:
    """What the features stage would have seen of these values."""
    values, counts = np.unique(x.astype(str), return_counts=True)
    quantiles = np.quantile(x, np.linspace(0, 1, 1001))
    mad = scipy.stats.median_abs_deviation(x)
    return Seen(len(x), values.astype(object), counts, x.mean(), x.std(), x.min(), x.max(), quantiles, mad)


def applied(transform: Transform, values: pa.Array, train: np.ndarray = TRAIN) -> np.ndarray:
    """By way of encoders.json as text."""
    return type(transform).apply(json.loads(json.dumps(transform.fit(seen(train)))), values)


def test_standardize_is_scikit_learns():
    wanted = StandardScaler().fit(TRAIN[:, None]).transform(TEST[:, None])[:, 0]
    np.testing.assert_allclose(applied(Standardize(use="standardize"), pa.array(TEST)), wanted, rtol=1e-12)


def test_standardize_by_median_is_scipys_median_and_mad():
    wanted = (TEST - np.median(TRAIN)) / scipy.stats.median_abs_deviation(TRAIN)
    np.testing.assert_allclose(
        applied(Standardize(use="standardize", by="median"), pa.array(TEST)), wanted, rtol=1e-12
    )


@pytest.mark.parametrize("to", ["uniform", "normal"])
def test_quantile_is_scikit_learns(to):
    train = np.concatenate([np.random.default_rng(1).lognormal(3, 1, 4000), np.zeros(500)])
    peer = QuantileTransformer(n_quantiles=1001, output_distribution=to, subsample=None).fit(train[:, None])
    found = applied(Quantile(use="quantile", to=to), pa.array(TEST), train)
    np.testing.assert_allclose(found, peer.transform(TEST[:, None])[:, 0], atol=1e-6)


def test_log_and_clip_are_numpys():
    logs = np.sign(TEST) * np.log1p(np.abs(TEST))
    found = applied(Log(use="log"), pa.array(TEST))
    np.testing.assert_allclose(np.corrcoef(logs, found)[0, 1], 1.0)  # a straight line of the logarithm
    assert abs(applied(Log(use="log"), pa.array(TRAIN)).mean()) < 0.01
    low, high = np.quantile(TRAIN, [0.01, 0.99])
    np.testing.assert_allclose(
        applied(Clip(use="clip"), pa.array(TEST)), (TEST.clip(low, high) - low) / (high - low), rtol=1e-12
    )


@pytest.mark.parametrize("by", ["width", "mass"])
def test_buckets_are_numpys_intervals(by):
    train = TRAIN[TRAIN < 1000]
    edges = (
        np.linspace(train.min(), train.max(), 6)
        if by == "width"
        else np.quantile(train, np.linspace(0, 1, 6))
    )
    wanted = 1 + np.digitize(TEST, np.unique(edges[1:-1]))
    assert applied(Buckets(use="buckets", by=by, size=5), pa.array(TEST), train).tolist() == wanted.tolist()
    given = applied(Buckets(use="buckets", edges=[0, 10]), pa.array([None, -1, 0, 9, 10], pa.int32()))
    assert given.tolist() == [0, 1, 2, 2, 3]


def test_cyclic_puts_the_end_beside_the_beginning():
    hours = applied(Cyclic(use="cyclic", period=24), pa.array([0, 6, 24, None], pa.int64()))
    np.testing.assert_allclose(hours, [[0, 1], [1, 0], [0, 1], [0, 0]], atol=1e-12)


@given(values=st.lists(st.none() | st.text(max_size=4), max_size=30), size=st.integers(1, 50))
def test_hashed_needs_no_table_and_tells_its_collisions(values, size):
    there = [value for value in values if value is not None]
    names, counts = (
        np.unique(np.array(there, dtype=object), return_counts=True)
        if there
        else (np.empty(0, object), np.empty(0, int))
    )
    encoder = Hashed(use="hashed", size=size).fit(Seen(values_K=names, counts_K=counts))
    ids = Hashed.apply(encoder, pa.array(values, pa.string()))
    assert [one == 0 for one in ids] == [value is None for value in values]
    assert not len(ids) or ids.max() <= size
    by_id = {}
    for value, one in zip(values, ids.tolist(), strict=True):
        by_id.setdefault(one, []).append(value)
    alone = sum(max(map(of_id.count, of_id)) for one, of_id in by_id.items() if one)
    assert encoder["collisions"] == pytest.approx(1 - alone / len(there) if there else 0.0, abs=1e-6)


@given(
    bags=st.lists(st.none() | st.lists(st.none() | st.text(max_size=2), max_size=5), max_size=9),
    size=st.integers(1, 9),
)
def test_signed_hashes_add_up_over_a_list(bags, size):
    encoder = Hashed(use="hashed", size=size, signed=True).fit(Seen())
    encoders = {"label": "y", "columns": {"x": {"use": "hashed", **encoder}}}
    found = (
        encode(encoders, pa.record_batch({"x": pa.array(bags, pa.list_(pa.string()))}))
        .column("x")
        .to_pylist()
    )
    wanted = np.zeros((len(bags), size))
    for row, bag in enumerate(bags):
        for code in (xxhash.xxh64_intdigest(value.encode()) for value in bag or [] if value is not None):
            wanted[row, code % size] += -1 if code >= 2**63 else 1
    assert np.array(found).reshape(-1, size).tolist() == wanted.tolist()


def test_values_that_share_a_place_cancel_on_average():
    vectors = Hashed.apply(
        Hashed(size=8, signed=True).fit(Seen()), pa.array([f"value {i}" for i in range(4000)])
    )
    assert (np.abs(vectors).sum(axis=1) == 1).all()
    assert (np.abs(vectors.sum(axis=0)) < 4 * np.sqrt(500)).all()  # four deviations of a fair coin


@pytest.mark.parametrize("name", component_names(Transform, PACKAGE))
def test_every_transform_takes_a_column_of_nothing_and_says_what_it_becomes(name, tmp_path):
    (tmp_path / "vectors.txt").write_text("word 1 2")
    parameters = {
        "hashed": {"size": 8},
        "ngrams": {"size": 8},
        "cyclic": {"period": 7},
        "image": {"resize": [2, 3]},
        "audio": {"seconds": 0.1},
        "embed": {"file": str(tmp_path / "vectors.txt")},
    }.get(name, {})
    transform = find_component(Transform, PACKAGE, name).model_validate({"use": name, **parameters})
    told = {"ids": {}, "numbers": {"width": 1}, "lists": {"list": True}, "tensors": {}}[transform.becomes]
    encoder = {"use": name, **told, **transform.fit(Seen())}
    batch = pa.record_batch({"x": pa.array([None, None], pa.float64())})
    array = encode({"label": "y", "columns": {"x": encoder}}, batch).column("x")
    column = column_of({"label": "y", "columns": {"x": encoder}}, "x")
    assert array.null_count == 0
    assert isinstance(column, {"numbers": Numbers, "tensors": Tensor}.get(transform.becomes, Ids))
    assert pa.types.is_list(array.type) == (transform.becomes == "lists" or getattr(column, "width", 1) > 1)
    if isinstance(column, Numbers) and column.width > 1:
        assert {len(row) for row in array.to_pylist()} == {column.width}


def test_a_feature_of_another_column_stands_beside_it():
    encoders = {
        "label": "y",
        "columns": {
            "pdays": {"use": "standardize", "width": 1, "center": 2.0, "scale": 2.0},
            "never": {"use": "indicator", "width": 1, "of": "pdays"},
        },
    }
    found = encode(encoders, pa.record_batch({"pdays": pa.array([6, None], pa.int32()), "other": ["a", "b"]}))
    assert found.to_pydict() == {"pdays": [2.0, 0.0], "other": ["a", "b"], "never": [0.0, 1.0]}
    assert Indicator.apply({}, pa.array([1.0, None, float("nan")])).tolist() == [0, 1, 1]
