"""Optimisers against NumPy and torch's own; their state is tensors and comes back exactly."""

import numpy as np
import pytest
import torch
from torch import nn

from lsml_spark.core.config import validate
from lsml_spark.train.config import Config
from lsml_spark.train.optimizers.adagrad import Adagrad
from lsml_spark.train.optimizers.adamw import Adamw
from lsml_spark.train.optimizers.lamb import Lamb
from lsml_spark.train.optimizers.sgd import Sgd

ALL = [
    Sgd(use="sgd", lr=0.1),
    Sgd(use="sgd", lr=0.1, momentum=0.0),
    Sgd(use="sgd", lr=0.1, nesterov=False),
    Adagrad(use="adagrad"),
    Adamw(use="adamw"),
    Lamb(use="lamb"),
]


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        nn.Parameter(torch.randn(*shape, dtype=torch.float64, generator=generator))
        for shape in ((4, 3), (3,), (2, 5))
    ]


def train(optimizer, held, steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in held:
            parameter.grad = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
        optimizer.step()


def same(held, others, **tolerance):
    for mine, other in zip(held, others, strict=True):
        torch.testing.assert_close(mine, other, **tolerance or {"rtol": 0, "atol": 0})


def lamb_by_hand(x, gradients, lr, beta1, beta2, eps, decay):
    """You et al. 2020, Algorithm 2, for one layer, with the identity as φ."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        r = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        step = r + decay * x
        x = x - lr * np.sqrt((x**2).sum()) / np.sqrt((step**2).sum()) * step
    return x


def test_lamb_is_algorithm_2_of_the_paper():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(6, 4)), rng.normal(size=(20, 6, 4))
    weight = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = Lamb(use="lamb", lr=0.02, beta1=0.8, beta2=0.95, eps=1e-3).build([weight], 0.1)
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient)
        optimizer.step()
    np.testing.assert_allclose(
        weight.detach(), lamb_by_hand(start, gradients, 0.02, 0.8, 0.95, 1e-3, 0.1), rtol=1e-12
    )


def test_lamb_is_adam_where_the_trust_ratio_is_one():
    """Vectors are not adapted, and neither is a layer's first step away from zero."""
    ours, theirs = parameters(), parameters()
    train(Lamb(use="lamb", lr=0.01).build([ours[1]], 0.3), [ours[1]], 9)
    train(torch.optim.AdamW([theirs[1]], lr=0.01, eps=1e-6, weight_decay=0.0), [theirs[1]], 9)
    same([ours[1]], [theirs[1]], rtol=1e-12, atol=1e-14)
    zeros = [nn.Parameter(torch.zeros(4, 3)) for _ in range(2)]
    for weight, optimizer in zip(
        zeros,
        (Lamb(use="lamb").build([zeros[0]], 0.1), torch.optim.AdamW([zeros[1]], 0.005, eps=1e-6)),
        strict=True,
    ):
        weight.grad = torch.ones(4, 3)
        optimizer.step()
    same(zeros[:1], zeros[1:], rtol=1e-6, atol=0)


def test_lambs_step_is_as_long_as_the_weights_and_adapts_vectors_when_asked():
    for vectors, adapted in ((False, {0, 2}), (True, {0, 1, 2})):
        held = parameters()
        before = [parameter.detach().clone() for parameter in held]
        train(Lamb(use="lamb", lr=0.01, vectors=vectors).build(held, 0.1), held, 1)
        lengths = [((now - old).norm() / old.norm()).item() for now, old in zip(held, before, strict=True)]
        assert {i for i, length in enumerate(lengths) if length == pytest.approx(0.01, rel=1e-9)} == adapted


def test_lamb_and_a_layer_without_gradient_do_not_divide_by_zero():
    weight = nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.zeros(2, 2)
    Lamb(use="lamb").build([weight], 0.0).step()
    assert torch.equal(weight, torch.ones(2, 2))


@pytest.mark.parametrize(
    ("config", "make"),
    [
        (
            Sgd(use="sgd", lr=0.1),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        (
            Sgd(use="sgd", lr=0.1, nesterov=False),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
        ),
        (Sgd(use="sgd", lr=0.1, momentum=0), lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01)),
        (Adagrad(use="adagrad"), lambda p: torch.optim.Adagrad(p, lr=0.05, eps=1e-8, weight_decay=0.01)),
        (Adamw(use="adamw"), lambda p: torch.optim.AdamW(p, lr=0.005, weight_decay=0.01)),
    ],
)
def test_the_others_are_torchs(config, make):
    ours, theirs = parameters(), parameters()
    train(config.build(ours, 0.01), ours, 5)
    train(make(theirs), theirs, 5)
    same(ours, theirs)


@pytest.mark.parametrize("config", ALL, ids=repr)
def test_state_is_tensors_and_training_goes_on_from_it_exactly(config):
    """Tensors alone are kept, in a fresh optimiser: that is what a checkpoint does."""
    held, others = parameters(), parameters()
    optimizer = config.build(held, 0.01)
    train(optimizer, held, 3)
    states = optimizer.state_dict()["state"]
    assert all(isinstance(value, torch.Tensor) for state in states.values() for value in state.values())

    with torch.no_grad():
        for mine, other in zip(held, others, strict=True):
            other.copy_(mine)
    again = config.build(others, 0.01)
    kept = {index: {name: value.clone() for name, value in state.items()} for index, state in states.items()}
    again.load_state_dict({**again.state_dict(), "state": kept})
    train(optimizer, held, 3, seed=2)
    train(again, others, 3, seed=2)
    same(held, others)


@pytest.mark.parametrize("config", ALL, ids=repr)
def test_groups_of_parameters_keep_their_own_options(config):
    held, others = parameters(), parameters()
    train(
        config.build([{"params": held[:1]}, {"params": held[1:], "lr": 0.0, "weight_decay": 0.0}], 0.01),
        held,
        3,
    )
    same(held[1:], others[1:])
    assert not torch.equal(held[0], others[0])


@pytest.mark.parametrize("config", [config for config in ALL if config.same_if_sparse(0.0)], ids=repr)
def test_sparse_gradients_give_the_dense_update_where_we_say_so(config):
    tables = [
        nn.Parameter(torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
        for _ in range(2)
    ]
    optimizers = [config.build([table], 0.0) for table in tables]
    for seed in range(5):
        ids = torch.randint(0, 20, (9,), generator=torch.Generator().manual_seed(seed))
        for table, optimizer, sparse in zip(tables, optimizers, (True, False), strict=True):
            optimizer.zero_grad()
            (nn.functional.embedding(ids, table, sparse=sparse) ** 2).sum().backward()
            assert table.grad.is_sparse == sparse
            # torch warns once where a program does not say whether to check
            with torch.sparse.check_sparse_tensor_invariants():
                optimizer.step()
    same(tables[:1], tables[1:], rtol=0, atol=1e-12)


def test_only_plain_sgd_and_adagrad_without_decay_claim_that():
    assert [config.same_if_sparse(0.0) for config in ALL] == [False, True, False, True, False, False]
    assert not any(config.same_if_sparse(0.1) for config in ALL)


def test_a_pipeline_names_them():
    for name in ("sgd", "adagrad", "adamw", "lamb"):
        config = validate(Config, {"model": "bag_mlp", "optimizer": name}, "test").optimizer
        assert config.build([nn.Parameter(torch.zeros(2, 2))], 0.1).defaults["weight_decay"] == 0.1
