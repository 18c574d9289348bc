"""L1 by proximal steps against scikit-learn's optimum, for every optimiser, with exact zeros."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, LogisticRegression
from torch import nn

from lsml_spark.core.errors import ConfigError
from lsml_spark.train.optimizers.adagrad import Adagrad
from lsml_spark.train.optimizers.adamw import Adamw
from lsml_spark.train.optimizers.lamb import Lamb
from lsml_spark.train.optimizers.optimizer import Optimizer
from lsml_spark.train.optimizers.sgd import Sgd
from lsml_spark.train.penalty import soft_threshold_

L1 = 0.05
CASES = [
    (Sgd(use="sgd", lr=0.1, momentum=0.0), 3000, 1e-8),
    (Sgd(use="sgd", lr=0.02), 2000, 1e-8),
    (Sgd(use="sgd", lr=0.02, nesterov=False), 2000, 1e-8),
    (Adagrad(use="adagrad", lr=0.3), 3000, 1e-6),
    (Adamw(use="adamw", lr=0.03), 2000, 1e-5),
]


def regression(rows=200, columns=12):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    truth = np.where(np.arange(columns) % 3 == 0, rng.normal(size=columns), 0.0)
    return x, x @ truth + 0.7 + 0.3 * rng.normal(size=rows)


def fitted(config, loss_of, outputs, columns, steps, l1=L1):
    linear = nn.Linear(columns, outputs).double()
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = config.build(linear.parameters(), 0.0)
    for step in range(steps):
        for group in optimizer.param_groups:  # Adam needs a rate that falls to come to rest
            group["lr"] = config.lr * (1 - step / steps)
        optimizer.zero_grad()
        loss_of(linear).backward()
        optimizer.step()
        soft_threshold_(optimizer, config, l1)
    return linear.weight.detach().numpy(), linear.bias.detach().numpy()


@pytest.mark.parametrize(("config", "steps", "tolerance"), CASES, ids=repr)
def test_least_squares_come_to_rest_at_the_lasso(config, steps, tolerance):
    x, y = regression()
    features, wanted = torch.from_numpy(x), torch.from_numpy(y)[:, None]
    weight, bias = fitted(
        config, lambda linear: 0.5 * ((linear(features) - wanted) ** 2).mean(), 1, x.shape[1], steps
    )
    truth = Lasso(alpha=L1, tol=1e-14, max_iter=100_000).fit(x, y)
    np.testing.assert_allclose(weight[0], truth.coef_, atol=tolerance)
    np.testing.assert_allclose(bias[0], truth.intercept_, atol=tolerance)
    assert (weight[0] == 0).tolist() == (truth.coef_ == 0).tolist()
    assert 0 < (weight == 0).sum() < weight.size
    assert not np.signbit(weight[weight == 0]).any()


def test_softmax_regression_comes_to_rest_at_sagas_optimum():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 8))
    label = (x[:, :3] + rng.gumbel(size=(300, 3))).argmax(axis=1)
    features, labels = torch.from_numpy(x), torch.from_numpy(label)
    loss = nn.CrossEntropyLoss()
    weight, _ = fitted(
        Sgd(use="sgd", lr=0.2), lambda linear: loss(linear(features), labels), 3, 8, 4000, l1=0.02
    )
    saga = LogisticRegression(
        l1_ratio=1.0, solver="saga", C=1 / (0.02 * 300), tol=1e-12, max_iter=100_000
    ).fit(x, label)
    np.testing.assert_allclose(weight, saga.coef_, atol=1e-5)
    assert (weight == 0).tolist() == (saga.coef_ == 0).tolist()


def test_lamb_too_finds_the_lassos_zeros():
    """Its relative steps never come to rest, but the zeros are those of the optimum."""
    x, y = regression()
    features, wanted = torch.from_numpy(x), torch.from_numpy(y)[:, None]
    weight, _ = fitted(
        Lamb(use="lamb", lr=0.03), lambda linear: 0.5 * ((linear(features) - wanted) ** 2).mean(), 1, 12, 2000
    )
    truth = Lasso(alpha=L1, tol=1e-14).fit(x, y).coef_
    np.testing.assert_allclose(weight[0], truth, atol=1e-3)
    assert (weight[0] == 0).tolist() == (truth == 0).tolist()


@pytest.mark.parametrize("config", [Adagrad(use="adagrad"), Adamw(use="adamw"), Lamb(use="lamb")], ids=repr)
def test_items_that_no_batch_held_keep_their_weights(config):
    table = nn.Parameter(torch.ones(5, 2))
    # the other one has no gradient at all
    optimizer = config.build([table, nn.Parameter(torch.ones(2, 2))], 0.0)
    table.grad = torch.zeros(5, 2)
    table.grad[1] = 1.0
    optimizer.step()
    soft_threshold_(optimizer, config, 1e3)
    assert torch.equal(table[1], torch.zeros(2))
    assert torch.equal(table[[0, 2, 3, 4]], torch.ones(4, 2))


def test_biases_are_free_and_no_penalty_changes_nothing():
    weight, bias = nn.Parameter(torch.full((2, 2), 0.5)), nn.Parameter(torch.full((2,), 0.5))
    optimizer = Sgd(use="sgd", lr=1.0, momentum=0.0).build([weight, bias], 0.0)
    soft_threshold_(optimizer, Sgd(use="sgd"), 0.0)
    assert torch.equal(weight, torch.full((2, 2), 0.5))
    soft_threshold_(optimizer, Sgd(use="sgd"), 0.1)
    assert torch.equal(weight, torch.full((2, 2), 0.4))
    assert torch.equal(bias, torch.full((2,), 0.5))


def test_an_optimiser_without_a_proximal_step_says_so():
    class Mine(Optimizer):
        lr: float = 1.0

        def build(self, parameters, l2):
            return torch.optim.SGD(parameters, lr=self.lr)

    mine = Mine(use="my.Own")
    with pytest.raises(ConfigError, match=r"train\.l1: the optimizer 'my\.Own' has no proximal step"):
        soft_threshold_(mine.build([nn.Parameter(torch.ones(2, 2))], 0.0), mine, 0.1)
