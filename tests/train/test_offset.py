"""The offset of local case-control sampling: logits fitted on a biased subsample are those of all rows
(Fithian & Hastie 2014).
"""

import datetime

import numpy as np
import pyarrow as pa
import pytest
import torch
import toy_shards
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from lsml_spark.core.config import validate
from lsml_spark.data.batch import Batch
from lsml_spark.models import saved
from lsml_spark.models.network import Network
from lsml_spark.train.config import Config
from lsml_spark.train.exchange.lanes import LaneParallel
from lsml_spark.train.exchange.world import World
from lsml_spark.train.run import run
from lsml_spark.train.step import Part, Updates
from lsml_spark.train.worker import in_process

ROWS, LEVELS = 60_000, 4
CELLS = np.array([(a, b) for a in range(LEVELS) for b in range(LEVELS)])


def one_hot(levels_N2):
    """Intercept, then levels 1 … of each of the two features; shape (N, 1 + 2 · (LEVELS − 1))."""
    return np.concatenate(
        [np.ones((len(levels_N2), 1)), *(np.eye(LEVELS)[column][:, 1:] for column in levels_N2.T)], axis=1
    )


def population():
    """Levels of two features, and a rare label; shapes (ROWS, 2) and (ROWS,)."""
    rng = np.random.default_rng(11)
    levels = rng.choice(LEVELS, size=(ROWS, 2), p=[0.4, 0.3, 0.2, 0.1])
    truth = one_hot(levels) @ [-3.5, 0.8, 1.6, 2.2, -0.7, 0.4, 1.0]
    return levels, rng.random(ROWS) < expit(truth)


def case_control(levels, label):
    """Kept rows and their offsets, by a pilot that knows one feature and is off by a constant."""
    pilot = expit(-3.0 + 0.7 * levels[:, 0])
    chance, other = np.where(label, 1 - pilot, pilot), np.where(label, pilot, 1 - pilot)
    kept = np.random.default_rng(12).random(ROWS) < chance
    return kept, np.log(chance / other)


def samples_of(levels, label, **columns):
    names = {
        name: pa.array([f"{name}{x}" for x in column]) for name, column in zip("ab", levels.T, strict=True)
    }
    rows, labels = len(label), pa.array(["yes" if x else "no" for x in label])
    day = pa.array([datetime.date(2011, 2, 24)] * rows)
    ids = pa.array([f"s{i}" for i in range(rows)])
    return pa.table(
        {
            "sample_id": ids,
            "key": labels,
            "label": labels,
            "date": day,
            **names,
            "weight": np.ones(rows),
            **columns,
        }
    )


def encoders_of(samples):
    return {
        "label": "label",
        "columns": {name: toy_shards.vocabulary(samples[name].to_pylist()) for name in ("label", "a", "b")},
    }


def trained_logits(folder, samples):
    """Log odds of "yes" in each cell, from a night that trained on these samples, scored without any
    offset.
    """
    folder.mkdir()
    told = {
        "model": "toy_logit.ToyLogit", "epochs": 20, "batch": 1024, "lanes": 1, "workers": 1, "clip": None,
        "precision": {"parameters": "float64"}, "optimizer": {"use": "adamw", "lr": 0.1},
    }  # fmt: skip
    work = toy_shards.night(folder, samples, rows_per_group=4096, encoders=encoders_of(samples))
    run(work, validate(Config, told, "test"), in_process)
    model = saved.load(work.folder)
    ids = {
        name: [model.encoders["columns"][name]["values"].index(f"{name}{x}") + 1 for x in CELLS[:, i]]
        for i, name in enumerate("ab")
    }
    with torch.no_grad():
        logits = model.network({name: torch.tensor(column) for name, column in ids.items()}).numpy()
    yes = model.encoders["columns"]["label"]["values"].index("yes")
    return logits[:, yes] - logits[:, 1 - yes]


def test_training_on_a_case_control_sample_with_its_offset_recovers_the_logits_of_all_rows(tmp_path):
    levels, label = population()
    full = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8, max_iter=1000).fit(
        one_hot(levels), label
    )
    by_all_rows = one_hot(CELLS) @ full.coef_[0]
    kept, offset = case_control(levels, label)
    assert kept.sum() < 0.3 * ROWS
    levels, label, offset = levels[kept], label[kept], offset[kept]

    # the same sample with the same offset, by SciPy: the shift of the log odds is that of "yes"
    def loss(coefficients):
        odds = one_hot(levels) @ coefficients + np.where(label, offset, -offset)
        return np.logaddexp(0, np.where(label, -odds, odds)).mean()

    by_scipy = one_hot(CELLS) @ minimize(loss, np.zeros(7), tol=1e-9).x
    with_offset = trained_logits(tmp_path / "with", samples_of(levels, label, offset=offset))
    without = trained_logits(tmp_path / "without", samples_of(levels, label))
    assert with_offset == pytest.approx(by_scipy, abs=0.02)
    assert np.abs(with_offset - by_all_rows).max() < 0.2
    assert np.abs(without - by_all_rows).min() > 0.8


class Constant(Network):
    """The same logits for every row."""

    def __init__(self, logits_V):
        super().__init__()
        self.logits_V = torch.nn.Parameter(torch.tensor(logits_V, dtype=torch.float64))

    def forward(self, features):
        return self.logits_V.expand(len(features["x"]), -1)


def test_an_offset_moves_the_logit_of_a_rows_own_label_and_of_no_unknown_one():
    logits = np.array([0.3, -0.2, 1.1])
    # an unknown label has no logit
    label, offset = np.array([1, 3, 0, 2]), np.array([0.7, -1.5, np.nan, 0.0], np.float32)
    batch = Batch(label, np.ones(4), {"x": np.zeros(4)}, {}, offset=offset)
    model = LaneParallel(Constant(logits), World(0, 1, torch.device("cpu")))
    optimizer = torch.optim.SGD(model.parameters, lr=1.0)
    config = validate(Config, {"model": "logistic", "clip": None}, "test")
    stats = Updates(model, optimizer, config, 1).step([Part(0, [batch], [1])])

    losses, gradient = [], np.zeros(3)
    for own, shift in zip(label - 1, offset, strict=True):
        if own >= 0:
            raised = logits + shift * np.eye(3)[own]
            share = np.exp(raised) / np.exp(raised).sum()
            losses.append(-np.log(share[own]))
            gradient += (share - np.eye(3)[own]) / 3
    assert stats.loss == pytest.approx(np.mean(losses), rel=1e-7)
    assert model.network.logits_V.detach().numpy() == pytest.approx(logits - gradient, rel=1e-7)
