"""Losses against plain formulas and torch's own, predictions against their inverse, and what does not fit is
told.
"""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional as F

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.tasks.classify import Classify
from lsml_spark.tasks.labels import Labels
from lsml_spark.tasks.masked import Masked
from lsml_spark.tasks.rank import Rank
from lsml_spark.tasks.regress import Regress
from lsml_spark.tasks.several import Several
from lsml_spark.tasks.task import Truth

ROWS = 40
WORDS = {"use": "vocabulary", "list": True, "values": ["x", "y", "z"], "counts": [5, 4, 1]}
ENCODERS = {
    "label": "kind",
    "columns": {
        "kind": {"use": "vocabulary", "values": ["a", "b", "c"], "counts": [6, 3, 1]},
        "sex": {"use": "vocabulary", "values": ["m", "f"], "counts": [6, 4]},
        "amount": {"use": "standardize", "center": 5.0, "scale": 2.0, "width": 1},
        "count": {"use": "number", "missing": 0.0, "width": 1},
        "words": WORDS,
    },
}


@pytest.fixture
def drawn():
    torch.manual_seed(0)
    return torch.randn(ROWS, 3, dtype=torch.float64)


def truth(label, **columns):
    return Truth(label, columns, ENCODERS)


def close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("class_weights", [None, "balanced", {"c": 7.0}])
def test_classify_is_torchs_cross_entropy_and_an_unknown_label_weighs_nothing(
    drawn, smoothing, class_weights
):
    ids = torch.arange(ROWS) % 4
    task = Classify(use="classify", target="kind", smoothing=smoothing, class_weights=class_weights)
    loss, share = task.criterion(drawn, truth(ids))
    known = ids > 0
    weights = (
        [10 / 18, 10 / 9, 10 / 3]
        if class_weights == "balanced"
        else [1.0, 1.0, 7.0 if class_weights else 1.0]
    )
    weight = torch.tensor(weights, dtype=torch.float64)
    close(
        loss[known],
        F.cross_entropy(drawn[known], ids[known] - 1, reduction="none", label_smoothing=smoothing),
    )
    assert not loss[~known].any()
    close(share.double(), torch.where(known, weight[(ids - 1).clamp(min=0)], 0.0))


def test_logits_are_adjusted_by_the_log_shares_in_training_alone(drawn):
    ids = torch.arange(ROWS) % 3 + 1
    task = Classify(use="classify", target="kind", adjust=1.0)
    shares = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    close(
        task.criterion(drawn, truth(ids))[0], F.cross_entropy(drawn + shares.log(), ids - 1, reduction="none")
    )
    close(torch.from_numpy(task.predict(drawn, ENCODERS)), drawn.log_softmax(dim=1))


@pytest.mark.parametrize(("positive", "column"), [("m", 0), ("f", 1)])
def test_one_logit_is_the_log_odds_of_the_positive_label(drawn, positive, column):
    ids = torch.arange(ROWS) % 2 + 1
    task = Classify(use="classify", target="sex", positive=positive)
    assert task.width(ENCODERS) == 1
    wanted = F.binary_cross_entropy_with_logits(drawn[:, 0], (ids - 1 == column).double(), reduction="none")
    close(task.criterion(drawn[:, :1], truth(ids))[0], wanted)
    close(torch.from_numpy(np.exp(task.predict(drawn[:, :1], ENCODERS)[:, column])), drawn[:, 0].sigmoid())


@pytest.mark.parametrize(
    ("settings", "formula"),
    [
        ({"loss": "squared"}, lambda z, y: F.mse_loss(z, y, reduction="none")),
        ({"loss": "absolute"}, lambda z, y: F.l1_loss(z, y, reduction="none")),
        ({"loss": "huber", "delta": 0.7}, lambda z, y: F.huber_loss(z, y, reduction="none", delta=0.7)),
        (
            {"loss": "quantile", "quantile": 0.9},
            lambda z, y: torch.where(y > z, 0.9 * (y - z), 0.1 * (z - y)),
        ),
    ],
)
def test_regression_losses_are_torchs_and_the_prediction_is_in_the_targets_unit(drawn, settings, formula):
    task = Regress(use="regress", target="amount", **settings)
    close(task.criterion(drawn[:, :1], truth(drawn[:, 1]))[0], formula(drawn[:, 0], drawn[:, 1]))
    np.testing.assert_allclose(
        task.predict(drawn[:, :1], ENCODERS), 5.0 + 2.0 * drawn[:, 0].numpy(), rtol=1e-12
    )


def test_poisson_is_half_the_deviance(drawn):
    y = torch.arange(ROWS).double() % 5
    task = Regress(use="regress", target="count", loss="poisson")
    full = F.poisson_nll_loss(drawn[:, 0], y, log_input=True, full=False, reduction="none")
    least = F.poisson_nll_loss(y.log(), y, log_input=True, reduction="none").nan_to_num(0.0)
    close(task.criterion(drawn[:, :1], truth(y))[0], full - least)
    predicted = task.predict(drawn[:, :1], ENCODERS)
    np.testing.assert_allclose(
        task.losses(y.numpy(), predicted) / 2, task.criterion(drawn[:, :1], truth(y))[0].numpy(), rtol=1e-9
    )


def lists(*rows):
    lengths = torch.tensor([0, *map(len, rows)]).cumsum(0)
    return torch.tensor([item for row in rows for item in row], dtype=torch.int64), lengths


def test_labels_are_binary_cross_entropies_and_an_unknown_one_is_left_out(drawn):
    task = Labels(use="labels", target="words")
    has = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=torch.float64)
    loss, share = task.criterion(drawn[:3], truth(lists([1, 0], [2, 3, 2], [])))
    close(loss, F.binary_cross_entropy_with_logits(drawn[:3], has, reduction="none").sum(dim=1))
    assert share.all()
    rows = pa.table({"words": [["x", "new"], ["y", "z", "y"], None]})
    np.testing.assert_array_equal(task.truth(rows, ENCODERS), has.bool().numpy())


def test_a_masked_item_is_gone_from_what_the_network_sees_and_is_the_label():
    task, given = Masked(use="masked", target="words"), [[1, 2, 3], [], [2], [3, 3]]
    torch.manual_seed(1)
    for _ in range(20):
        columns, label = task.view({"words": lists(*given), "other": 7}, None)
        values, offsets = columns["words"]
        for i, row in enumerate(given):
            left = values[offsets[i] : offsets[i + 1]].tolist()
            assert sorted([*left, int(label[i])]) == sorted(row or [0])
        assert columns["other"] == 7


def test_the_items_that_are_judged_are_drawn_once_by_the_samples_id():
    rows = pa.table(
        {"sample_id": [f"s{i}" for i in range(50)], "label": ["?"] * 50, "words": [["x", "y", "z"], []] * 25}
    )
    task = Masked(use="masked", target="words")
    found = task.samples(rows)
    assert found.num_rows == 25
    assert found.equals(task.samples(rows))
    assert set(found["label"].to_pylist()) == {"x", "y", "z"}
    for row in found.to_pylist():
        assert sorted([*row["words"], row["label"]]) == ["x", "y", "z"]


def test_several_is_the_weighted_sum_of_its_parts(drawn):
    parts = {"amount": {"use": "regress", "target": "amount"}, "sex": {"use": "classify", "target": "sex"}}
    ids = torch.arange(ROWS) % 3
    told = truth(drawn[:, 2], sex=ids)
    each = [
        Regress(use="regress", target="amount").criterion(drawn[:, :1], told)[0],
        Classify(use="classify", target="sex").criterion(drawn[:, 1:3], told)[0],
    ]
    fixed = Several(use="several", tasks=parts, weights={"sex": 0.3})
    close(fixed.criterion(drawn, told)[0], each[0] + 0.3 * each[1])
    noise = torch.tensor([0.5, -1.0], dtype=torch.float64)
    learned = Several(use="several", tasks=parts, weights="uncertainty")
    wanted = sum(torch.exp(-s) * loss + s / 2 for s, loss in zip(noise, each, strict=True))
    close(learned.criterion(torch.cat([drawn, noise.expand(ROWS, 2)], dim=1), told)[0], wanted)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            Classify(use="classify", target="amount"),
            "learns one id a row; give 'amount' the transform `vocabulary`",
        ),
        (
            Classify(use="classify", target="kind", positive="a"),
            "'a' must be one of two labels; training rows have 3",
        ),
        (
            Classify(use="classify", target="kind", class_weights={"d": 1.0}),
            "no training row has the label 'd'",
        ),
        (Regress(use="regress", target="kind"), "learns a number; give 'kind' the transform `standardize`"),
        (Regress(use="regress", target="amount", loss="poisson"), "give 'amount' the transform `number`"),
        (Labels(use="labels", target="kind"), "learns a list of ids a row"),
    ],
)
def test_a_target_that_does_not_fit_is_named_with_what_would(task, said):
    with pytest.raises(ValueError, match=said):
        task.width(ENCODERS)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"one": {"use": "regress"}}, "takes two tasks or more"),
        ({"one": {"use": "regress"}, "two": {"use": "classify"}}, "'label' is the target of two tasks"),
        (
            {"one": {"use": "regress"}, "two": {"use": "masked", "target": "words"}},
            "`masked` cannot be one of several",
        ),
    ],
)
def test_tasks_that_do_not_go_together_are_refused(tasks, said):
    with pytest.raises(ConfigError, match=said):
        validate(Several, {"use": "several", "tasks": tasks}, "task")


def test_rank_is_the_mean_loss_over_the_rows_of_the_group_with_a_smaller_gain(drawn):
    gain, group = (torch.arange(ROWS) % 5).double(), torch.arange(ROWS) // 6
    loss, share = Rank(use="rank", target="amount").criterion(drawn, truth(gain, group_hash=group))
    for i in range(ROWS):
        peers = [j for j in range(ROWS) if group[i] == group[j] and gain[j] < gain[i]]
        assert bool(share[i]) == bool(peers)
        close(
            loss[i],
            F.softplus(drawn[peers, 0] - drawn[i, 0]).mean()
            if peers
            else torch.zeros((), dtype=torch.float64),
        )


def test_rows_without_a_group_have_no_peers_and_gains_below_zero_are_refused():
    rows = pa.table({"amount": ["3", "1", "2", "0"], "key": ["a", None, "a", None]})
    task = Rank(use="rank", target="amount")
    found = task.truth(rows, ENCODERS)
    assert len(set(found["group"].tolist())) == 3
    assert np.isnan(task.losses(found, np.zeros(4))).tolist() == [False, True, True, True]
    with pytest.raises(ConfigError, match="'amount' holds -1; gains to rank by are at least 0"):
        task.truth(rows.set_column(0, "amount", [["-1", "0", "0", "0"]]), ENCODERS)
