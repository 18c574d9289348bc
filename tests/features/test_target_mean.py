"""Target means: of test rows scikit-learn's TargetEncoder, of training rows what is found without the row, to
the bit.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.preprocessing import TargetEncoder

from lsml_spark.core.config import validate
from lsml_spark.features import run as features
from lsml_spark.transforms.encode import encode, targets
from lsml_spark.transforms.target_mean import TargetMean
from lsml_spark.transforms.transform import Seen

SCHEMA = "sample_id string, key string, label string, date date, city string"
SMOOTHING = 3.0
LABELS = {
    "classes": ("vocabulary", lambda random, n: random.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])),
    "minutes": ("standardize", lambda random, n: random.lognormal(2, 1, n).round(3).astype(str)),
}


def rows(kind: str, n: int) -> pd.DataFrame:
    random = np.random.default_rng(n)
    cities = np.array([*(f"c{i}" for i in range(40)), None], object)[np.minimum(random.zipf(1.4, n), 41) - 1]
    names = [f"{n}-{i:04}" for i in range(n)]
    return pd.DataFrame(
        {"sample_id": names, "key": "k", "label": LABELS[kind][1](random, n), "date": None, "city": cities}
    )


def target_of(kind: str, train: pd.DataFrame, frame: pd.DataFrame) -> np.ndarray:
    """(N, T) as the task learns it."""
    if kind == "minutes":
        y = train.label.astype(float)
        return ((frame.label.astype(float) - y.mean()) / y.std(ddof=0)).to_numpy()[:, None]
    return np.stack([frame.label == value for value in train.label.value_counts().index], axis=1).astype(
        float
    )


@pytest.mark.spark
@pytest.mark.parametrize("kind", LABELS)
def test_training_rows_do_not_know_their_own_target_and_test_rows_get_the_full_mean(spark, night, kind):
    train, test = rows(kind, 300), rows(kind, 60)
    frame = (
        spark.createDataFrame(train, SCHEMA)
        .selectExpr("*", "double(1) AS weight", "double(1) AS keep_rate")
        .repartition(5)
    )
    inputs = {
        "augment": night.source("augment", train=frame),
        "prepare": night.source("prepare", test=spark.createDataFrame(test, SCHEMA)),
    }
    columns = {"city": {"use": "target_mean", "smoothing": SMOOTHING}, "label": LABELS[kind][0]}
    told = {"columns": columns, "targets": {"label": "numbers" if kind == "minutes" else "ids"}}
    work = night.work("features", inputs)
    source = night.finish(
        work, features.run(work, validate(features.Config, told, "night.yaml: features"), spark)
    )

    def found(table: str) -> np.ndarray:
        cells = (
            pa.concat_tables([pq.read_table(path) for path in source.files(table)])
            .sort_by("sample_id")["city"]
            .to_pylist()
        )
        return np.array(cells).reshape(len(cells), -1)

    y = target_of(kind, train, train)
    for k in range(y.shape[1]):
        sums, counts = (
            pd.Series(y[:, k]).groupby(train.city).agg(one).reindex(test.city) for one in ("sum", "count")
        )
        wanted = ((sums + SMOOTHING * y[:, k].mean()) / (counts + SMOOTHING)).fillna(y[:, k].mean())
        np.testing.assert_allclose(found("test")[:, k], wanted, atol=2e-6)
    for i in range(0, 300, 7):
        rest, same = np.arange(300) != i, (train.city == train.city[i]).to_numpy()
        mean = y[rest].mean(axis=0)
        wanted = (y[rest & same].sum(axis=0) + SMOOTHING * mean) / ((rest & same).sum() + SMOOTHING)
        np.testing.assert_allclose(found("train")[i], wanted, atol=2e-6)


def fitted(city: np.ndarray, target: np.ndarray) -> dict:
    """Of two labels, from their counts."""
    values, place, counts = np.unique(city, return_inverse=True, return_counts=True)
    sums = np.bincount(place, weights=target).astype(np.int64)[:, None]
    seen = Seen(
        rows=len(city), values_K=values.astype(object), counts_K=counts, sums_KT=sums, all_T=sums.sum(0)
    )
    return {"use": "target_mean", "width": 1, **TargetMean(smoothing=SMOOTHING).fit(seen)}


@pytest.mark.parametrize("seed", range(3))
def test_of_complete_rows_it_is_scikit_learns_and_another_label_of_its_own_changes_nothing(seed):
    random = np.random.default_rng(seed)
    city, target = random.choice(["x", "y", "z"], 50), random.random(50) < 0.4
    label = {"use": "vocabulary", "values": ["no", "yes"]}

    def trained(target: np.ndarray) -> np.ndarray:
        encoders = {"label": "label", "columns": {"city": fitted(city, target), "label": label}}
        batch = pa.record_batch({"city": city, "label": np.where(target, "yes", "no")})
        assert (targets(encoders, batch)[:, 0] == target).all()
        return encode(encoders, batch, training=True)["city"].to_numpy()

    peer = TargetEncoder(smooth=SMOOTHING, target_type="continuous").fit(city[:, None], target.astype(float))
    ours = TargetMean.apply(fitted(city, target), pa.array(["x", "y", "z", "new", None]))
    np.testing.assert_allclose(ours[:4], peer.transform([["x"], ["y"], ["z"], ["new"]])[:, 0], rtol=1e-12)
    assert ours[4] == ours[3]
    for i in range(50):
        flipped = target ^ (np.arange(50) == i)
        assert trained(flipped)[i] == trained(target)[i]
    assert (trained(target) != trained(~target)).any()
