"""Sparse gradients of tables in one process: which tables, and the same numbers as dense ones. Ranks:
tests/dist/test_hooks.py.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.models.network import Network
from lsml_spark.train.config import Config
from lsml_spark.train.exchange import sparse
from lsml_spark.train.exchange.world import World
from lsml_spark.train.optimizers.adagrad import Adagrad
from lsml_spark.train.optimizers.adamw import Adamw
from lsml_spark.train.optimizers.lamb import Lamb
from lsml_spark.train.optimizers.sgd import Sgd
from lsml_spark.transforms.schema import Schema

ALONE = World(0, 1, torch.device("cpu"))
ADAGRAD = Adagrad(use="adagrad")
COLUMNS = {
    "context": {"values": [f"c{i}" for i in range(400)], "list": True},
    "country": {"values": ["be", "nl"]},
}
ENCODERS = {"label": "label", "columns": {"label": {"values": ["a", "b", "c"]}, **COLUMNS}}
FEATURES = {
    "context": (torch.tensor([5, 5, 399, 7, 5]), torch.tensor([0, 3, 3, 5])),
    "country": torch.tensor([1, 0, 1]),
}


def network(name):
    torch.manual_seed(0)
    model = {
        "bag_mlp": {"use": "bag_mlp", "dim": 8, "hidden": [12], "dropout": 0.0},
        "logistic": {"use": "logistic"},
    }[name]
    return validate(Config, {"model": model}, "test").model.build(Schema.of(ENCODERS)).double()


def tables(net, column):
    return [name for name in net.lookups if column in name]


@pytest.mark.parametrize("name", ["bag_mlp", "logistic"])
def test_gradients_are_the_same_numbers_sparse_or_dense(name):
    dense, lean = network(name), network(name)
    assert sorted(sparse.choose(lean, True, ADAGRAD, 0.0, 10)) == sorted(lean.lookups)
    assert tables(lean, "context")
    assert tables(lean, "country")
    for net in (dense, lean):
        (net(FEATURES) ** 2 / 7).sum().backward()
    sparse.all_reduce_sparse(sparse.sparse_parameters(lean), ALONE)
    for key, parameter in lean.named_parameters():
        assert parameter.grad.is_sparse == (key in lean.lookups)
        expected = dense.get_parameter(key).grad
        torch.testing.assert_close(parameter.grad.to_dense(), expected, rtol=0, atol=1e-14)


def test_the_labels_own_table_stays_dense():
    """The softmax needs all of its rows; a list that is `like` the label shares it."""
    like = {**ENCODERS, "columns": {**ENCODERS["columns"], "context": {"like": "label", "list": True}}}
    net = validate(Config, {"model": "bag_mlp"}, "test").model.build(Schema.of(like))
    assert net.lookups == frozenset(tables(net, "country"))


def test_only_tables_much_larger_than_an_updates_lookups_are_sparse():
    net = network("bag_mlp")
    (context,) = tables(net, "context")
    assert sparse.choose(net, "auto", ADAGRAD, 0.0, 401 // sparse.WORTH) == [context]
    assert net.sparse == {context}
    assert sparse.choose(net, "auto", ADAGRAD, 0.0, 401 // sparse.WORTH + 1) == []
    assert sparse.choose(net, False, ADAGRAD, 0.0, 1) == []
    net(FEATURES).sum().backward()
    assert not any(parameter.grad.is_sparse for parameter in net.parameters())


@pytest.mark.parametrize(
    ("optimizer", "l2"),
    [
        (Sgd(use="sgd"), 0.0),
        (Adamw(use="adamw"), 0.0),
        (Lamb(use="lamb"), 0.0),
        (ADAGRAD, 0.1),
        (Sgd(use="sgd", momentum=0), 0.1),
    ],
)
def test_what_would_not_equal_the_dense_update_is_refused_or_left_dense(optimizer, l2):
    assert sparse.choose(network("logistic"), "auto", optimizer, l2, 1) == []
    with pytest.raises(
        ConfigError,
        match=rf"train\.exchange\.sparse: the optimizer '{optimizer.use}' with l2: {l2:g} also moves rows",
    ):
        sparse.choose(network("logistic"), True, optimizer, l2, 1)


def test_a_network_without_tables_says_so():
    class Plain(Network):
        def forward(self, features):
            raise NotImplementedError

    with pytest.raises(ConfigError, match="Plain has no table that is only looked up"):
        sparse.choose(Plain(), True, ADAGRAD, 0.0, 1)


def gradient(rows, values, length=12):
    return torch.sparse_coo_tensor(
        torch.tensor([rows], dtype=torch.int64),
        torch.tensor(values).reshape(-1, 1),
        (length, 1),
        check_invariants=True,
    )


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 11), st.floats(-1e6, 1e6, width=32)), max_size=20),
        min_size=2,
        max_size=4,
    )
)
@settings(deadline=None)
def test_plus_has_the_bits_of_the_dense_sum_in_any_order(lanes):
    """float32, so that the order would show."""
    coalesced = [
        gradient([row for row, _ in lane], [value for _, value in lane]).coalesce() for lane in lanes
    ]
    dense = [lane.to_dense() for lane in coalesced]
    for left, right in ((0, 1), (1, 0)):
        assert torch.equal(
            sparse.plus(coalesced[left], coalesced[right]).to_dense(), dense[left] + dense[right]
        )
    total, wanted = coalesced[0], dense[0]
    for lane, values in zip(coalesced[1:], dense[1:], strict=True):
        total, wanted = sparse.plus(total, lane), wanted + values
    assert torch.equal(total.to_dense(), wanted)


def test_plus_adds_dense_gradients_in_place():
    left = torch.ones(3)
    assert sparse.plus(left, torch.ones(3)) is left
    assert left.tolist() == [2, 2, 2]


@pytest.mark.parametrize("longest", [0.5, 1e6])
def test_clipping_is_torchs(longest):
    both = []
    for kind in (True, False):
        table, other = nn.Parameter(torch.arange(12.0).reshape(6, 2)), nn.Parameter(torch.ones(3))
        (
            nn.functional.embedding(torch.tensor([1, 1, 4]), table, sparse=kind).square().sum() + other.sum()
        ).backward()
        if kind:
            sparse.all_reduce_sparse([table], ALONE)
            norm = sparse.clip_([table, other], longest)
        else:
            norm = nn.utils.clip_grad_norm_([table, other], longest)
        both.append((norm, table.grad.to_dense(), other.grad))
    for ours, theirs in zip(*both, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


def test_no_gradient_counts_as_no_rows():
    table = nn.Parameter(torch.ones(4, 2))
    sparse.all_reduce_sparse([table], ALONE)
    assert table.grad.is_sparse
    assert table.grad.values().shape == (0, 2)
    ADAGRAD.build([table], 0.0).step()
    assert torch.equal(table, torch.ones(4, 2))
