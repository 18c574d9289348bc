"""The other ways to train, as far as one process shows them; several ranks: tests/dist."""

import pytest
import torch
import toy_shards

from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.models.logistic import Logistic
from lsml_spark.train.exchange.local_sgd import LocalSgd
from lsml_spark.train.exchange.world import World
from lsml_spark.train.survival import full_state
from lsml_spark.transforms.schema import Schema

ENCODERS = toy_shards.encoders_of(toy_shards.baskets(50, seed=1))
ALONE = World(0, 1, torch.device("cpu"))


def network(hidden=(6,), seed=0):
    torch.manual_seed(seed)
    return BagMlp(use="bag_mlp", dim=4, hidden=hidden, dropout=0.2).build(Schema.of(ENCODERS))


@pytest.mark.parametrize(
    ("hidden", "plan"),
    [
        ((), {}),
        ((6,), {"mlp.0": "colwise", "mlp.2": "dropout", "mlp.3": "rowwise"}),
        ((6, 5), {"mlp.0": "colwise", "mlp.2": "dropout", "mlp.3": "rowwise"}),
        (
            (6, 5, 4),
            {
                "mlp.0": "colwise",
                "mlp.2": "dropout",
                "mlp.3": "rowwise",
                "mlp.6": "colwise",
                "mlp.8": "dropout",
                "mlp.9": "rowwise",
            },
        ),
    ],
)
def test_linear_layers_are_computed_together_in_pairs(hidden, plan):
    model = network(hidden)
    assert model.tensor_plan() == plan
    kinds = {"colwise": torch.nn.Linear, "rowwise": torch.nn.Linear, "dropout": torch.nn.Dropout}
    assert all(isinstance(model.get_submodule(name), kinds[style]) for name, style in plan.items())


def test_a_model_without_wide_layers_has_no_plan():
    assert Logistic(use="logistic").build(Schema.of(ENCODERS)).tensor_plan() == {}


OPTIMIZERS = {
    "plain": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
}


def steps(model, optimizer, seed):
    torch.manual_seed(seed)
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_whole_state_of_one_process_comes_back_exactly(name):
    model, other = network(seed=1), network(seed=2)
    optimizer, fresh = OPTIMIZERS[name](model.parameters()), OPTIMIZERS[name](other.parameters())
    steps(model, optimizer, 3)
    tensors = {key: value.clone() for key, value in full_state.tensors_of(model, optimizer).items()}
    assert {key.removeprefix("network.") for key in tensors if key.startswith("network.")} == set(
        model.state_dict()
    )
    full_state.load(other, fresh, tensors)
    for both in ((model, optimizer), (other, fresh)):
        steps(*both, 4)
    assert all(
        torch.equal(mine, yours) for mine, yours in zip(model.parameters(), other.parameters(), strict=True)
    )


def test_a_state_without_a_tensor_that_is_wanted_is_refused():
    model = network()
    optimizer = OPTIMIZERS["adamw"](model.parameters())
    steps(model, optimizer, 1)
    tensors = full_state.tensors_of(model, optimizer)
    del tensors["optimizer.bias.exp_avg"]
    with pytest.raises(KeyError, match=r"optimizer\.bias\.exp_avg"):
        full_state.load(model, optimizer, tensors)


def test_local_sgd_tells_and_averages_every_so_many_updates_and_at_the_end_of_an_epoch():
    exchange = LocalSgd(network(), ALONE, every=3)
    optimizer = OPTIMIZERS["sgd"](exchange.parameters)
    before = [parameter.detach().clone() for parameter in exchange.parameters]
    heard = []
    for update in range(8):
        exchange.begin(0, last=update == 6)
        own, told = exchange.merge(torch.full((9, 3), update, dtype=torch.float64))()
        assert own[0, 0] == update
        # a sum of rows, and rank 0's clock as it is now
        heard.append(None if told is None else told[[0, 8], 0].tolist())
        exchange.stepped(optimizer)
    assert heard == [None, None, [3, 2], None, None, [12, 5], [6, 6], None]
    assert all(torch.equal(mine, other) for mine, other in zip(exchange.parameters, before, strict=True))
