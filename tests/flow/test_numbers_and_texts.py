"""pipelines/taxi.yaml and pipelines/sms.yaml on the shipped files: a number as the target, and texts; each
against scikit-learn on the same rows and split."""

import json

import numpy as np
import pandas as pd
import pytest
from nights import REPO
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_absolute_error, ndcg_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from test_bank import rows
from typer.testing import CliRunner

from lsml_spark.cli.main import app

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.dist, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def folder(spark, tmp_path_factory):
    """One root: the two nights of trips share their days and samples."""
    return tmp_path_factory.mktemp("runs")


def night(folder, name, date, *sets):
    """(training samples, test samples, metrics) of a night."""
    words = [str(REPO / "pipelines" / f"{name}.yaml"), "--date", date, "--root", str(folder)]
    lsml("run", *words, *[word for told in sets for word in ("--set", told)])
    made = folder / name / date
    lsml("verify", words[0], "--root", str(folder))
    return *(rows(made / "prepare", table) for table in ("train", "test")), json.loads(
        (made / "evaluate" / "metrics.json").read_text()
    )


def lsml(*words):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


def clock(period):
    return FunctionTransformer(
        lambda x: np.c_[np.sin(2 * np.pi * x / period), np.cos(2 * np.pi * x / period)]
    )


def test_minutes_are_guessed_as_well_as_by_scikit_learns_perceptron(folder):
    train, test, metrics = night(folder, "taxi", "2019-03-15", "window=14")
    columns = ColumnTransformer(
        [
            ("distance", make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), ["distance"]),
            ("hour", clock(24), ["hour"]),
            ("weekday", clock(7), ["weekday"]),
            ("places", OneHotEncoder(handle_unknown="ignore"), ["weekday", "pickup", "dropoff", "tariff"]),
            ("passengers", StandardScaler(), ["passengers"]),
        ]
    )
    network = MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=20, random_state=0)
    peer = TransformedTargetRegressor(make_pipeline(columns, network), func=np.log1p, inverse_func=np.expm1)
    with pytest.warns(UserWarning, match="iterations"):
        peer.fit(train, train["label"].astype(float))
    wanted = mean_absolute_error(test["label"].astype(float), peer.predict(test))
    systems = metrics["systems"]
    assert systems["model"]["mae"] <= 1.03 * wanted, wanted
    assert systems["model"]["mae"] < 0.6 * systems["key_mean"]["mae"]
    median = np.abs(test["label"].astype(float) - np.median(train["label"].astype(float))).mean()
    assert systems["constant"]["mae"] == pytest.approx(median, rel=1e-9)
    short = metrics["systems"]["model"]["slices"]["hour < 6"]
    assert short["rows"] == int((test["hour"] < 6).sum())


def test_spam_is_found_as_well_as_by_scikit_learns_counts(folder):
    train, test, metrics = night(folder, "sms", "2012-01-28")
    words, letters = (
        CountVectorizer(ngram_range=(1, 2)),
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
    )
    peer = make_pipeline(make_union(words, letters), LogisticRegression(max_iter=2000)).fit(
        train["text"], train["label"]
    )
    wanted = log_loss(test["label"], peer.predict_proba(test["text"]))
    model = metrics["systems"]["model"]
    assert model["log_loss"] <= wanted + 0.01, wanted
    assert model["auc_roc"] > 0.99
    assert pd.Series(test["text"]).is_unique


def test_trips_from_a_place_are_put_in_order(folder):
    """The pairs that a lane sees are enough to learn from; the figures are scikit-learn's over the rows of a
    place.
    """
    task = "task={use: rank, group: pickup, at: 5}"
    _, test, metrics = night(
        folder, "taxi", "2019-03-15", "window=14", "train.epochs=4", task, "features.columns.label=number"
    )
    systems = metrics["systems"]
    assert systems["constant"]["in_order"] == 0.5
    assert systems["constant"]["ndcg"] + 0.1 < systems["key_mean"]["ndcg"] < systems["model"]["ndcg"]
    scores = rows(folder / "taxi/2019-03-15/evaluate", "scores")
    scores = scores[scores.system == "model"].merge(test[["sample_id", "pickup"]], on="sample_id")
    by_place = [(place.label.astype(float), place.predicted) for _, place in scores.groupby("pickup")]
    # scikit-learn refuses a group of one, whose order is right.
    found = [ndcg_score([gain], [score], k=5) if len(gain) > 1 else 1.0 for gain, score in by_place]
    assert systems["model"]["ndcg"] == pytest.approx(np.mean(found), abs=1e-9)
