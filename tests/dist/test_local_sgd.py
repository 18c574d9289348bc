"""Local SGD on four ranks against plain torch in one process; one launch for all."""

import many
import pytest
import torch
from safetensors.torch import load_file, save_file

from lsml_spark.train.exchange.local_sgd import LocalSgd
from lsml_spark.train.survival import full_state

pytestmark = pytest.mark.dist

RANKS, EVERY, UPDATES = 4, 3, 7
OPTIMIZERS = {
    "plain": lambda parameters: torch.optim.SGD(parameters, lr=0.5),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9, nesterov=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.01),
}


def made(world, optimizer, every=EVERY):
    exchange = LocalSgd(many.network(), world, every)
    return exchange, OPTIMIZERS[optimizer](exchange.parameters)


def train(exchange, optimizer, updates, weightless=(), last=False):
    """The loop in short. `weightless`: (rank, update) whose rows all weigh nothing; `last`: an epoch ends
    with these updates.

    What all ranks were told, as (update, total weight).
    """
    heard = []
    share = many.LANES // exchange.lanes_world
    lanes = range(exchange.lanes_rank * share, (exchange.lanes_rank + 1) * share)
    for update in updates:
        optimizer.zero_grad(set_to_none=True)
        exchange.begin(0, last and update == updates[-1])
        books = torch.zeros(many.LANES + 1, 3, dtype=torch.float64)
        scale = 0.0 if (exchange.lanes_rank, update) in weightless else 1.0
        for lane in lanes:
            with exchange.lane(lane == lanes[-1]):
                loss, weight = many.loss_of(exchange, update, lane)
                (loss * scale).backward()
            exchange.lane_done(lane == lanes[-1])
            books[lane, 1] = weight * scale
        own, told = exchange.merge(books)()
        total = float(own[:, 1].sum())
        if told is not None:
            heard.append((update, float(told[:-1, 1].sum())))
        if total:
            for parameter in exchange.parameters:
                parameter.grad.mul_(1.0 / total)
            optimizer.step()
        exchange.stepped(optimizer)
    return heard


def ranks_of_four(world, folder):
    def keep(name, exchange, optimizer, everybody=False):
        tensors = full_state.tensors_of(exchange.network, optimizer)
        if everybody:  # what each rank holds by itself, not what the first one tells
            tensors = {
                f"{i}": value for i, value in enumerate([*exchange.parameters, *exchange._state(optimizer)])
            }
        if everybody or world.rank == 0:
            kept = {key: value.detach().clone() for key, value in tensors.items()}
            save_file(kept, folder / f"{name}{world.rank if everybody else ''}.safetensors")

    exchange, optimizer = made(world, "plain", every=1)
    heard = train(exchange, optimizer, range(UPDATES), weightless={(1, 0), (1, 1), (2, 3)})
    assert [update for update, _ in heard] == list(range(UPDATES))
    keep("every-update", exchange, optimizer)

    for name in ("sgd", "adamw"):
        for run in ("", "-again"):
            exchange, optimizer = made(world, name)
            train(exchange, optimizer, range(EVERY))
            assert exchange.books is None
            halfway = {
                key: value.clone()
                for key, value in full_state.tensors_of(exchange.network, optimizer).items()
            }
            if not run:
                if world.rank == 0:
                    save_file(halfway, folder / f"{name}-halfway.safetensors")
                first = [parameter.detach().clone() for parameter in exchange.parameters]
                train(exchange, optimizer, range(EVERY, EVERY + 1))
                assert exchange.books is not None
                stayed = all(
                    torch.equal(mine, other) for mine, other in zip(exchange.parameters, first, strict=True)
                )
                # nothing of rank 2 weighs in this update
                assert world.gather(stayed) == [False, False, True, False]
                train(exchange, optimizer, range(EVERY + 1, UPDATES), last=True)
            else:
                heard = train(exchange, optimizer, range(EVERY, UPDATES), last=True)
                weights = [
                    sum(float(many.lane_of(update, lane)[2].sum()) for lane in range(many.LANES))
                    for update in range(UPDATES)
                ]
                assert heard == [(5, sum(weights[3:6])), (6, weights[6])]
            keep(f"{name}{run}-", exchange, optimizer, everybody=True)
        exchange, optimizer = made(world, name)
        full_state.load(exchange.network, optimizer, load_file(folder / f"{name}-halfway.safetensors"))
        train(exchange, optimizer, range(EVERY, UPDATES), last=True)
        keep(f"{name}-resumed-", exchange, optimizer, everybody=True)

        exchange, optimizer = made(world, name)
        train(exchange, optimizer, range(2 * EVERY), weightless={(1, update) for update in range(EVERY)})
        keep(f"{name}-late-", exchange, optimizer, everybody=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    many.launch(ranks_of_four, RANKS, folder)
    return folder


def of_ranks(folder, name):
    return [load_file(folder / f"{name}-{rank}.safetensors") for rank in range(RANKS)]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_an_average_after_every_update_of_plain_sgd_is_the_update_on_all_rows(folder):
    model = many.network()
    optimizer = OPTIMIZERS["plain"](model.parameters())
    share = many.LANES // RANKS
    without = {0: 1, 1: 1, 3: 2}  # update → the rank whose rows weigh nothing
    for update in range(UPDATES):
        lanes = [lane for lane in range(many.LANES) if lane // share != without.get(update)]
        many.alone(model, optimizer, [update], lanes)
    found = load_file(folder / "every-update.safetensors")
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[f"network.{name}"], parameter.detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_after_an_average_all_ranks_hold_the_same_bits(folder, optimizer):
    first, *others = of_ranks(folder, optimizer)
    assert all(same(first, other) for other in others)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("what", ["again", "resumed"])
def test_the_same_run_and_a_resumed_one_give_the_same_bits(folder, optimizer, what):
    assert same(of_ranks(folder, optimizer)[0], of_ranks(folder, f"{optimizer}-{what}")[0])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_rank_that_had_nothing_to_step_on_joins_the_others_state(folder, optimizer):
    first, *others = of_ranks(folder, f"{optimizer}-late")
    assert len(first) == len(of_ranks(folder, optimizer)[0])
    assert all(same(first, other) for other in others)


def test_between_averages_each_rank_is_one_process_on_its_own_lanes(folder):
    """The first average of momentum SGD, from four separate processes of plain torch."""
    share, models, weights = many.LANES // RANKS, [], []
    for rank in range(RANKS):
        model, lanes = many.network(), range(rank * share, (rank + 1) * share)
        many.alone(model, OPTIMIZERS["sgd"](model.parameters()), range(EVERY), lanes)
        models.append(dict(model.named_parameters()))
        weights.append(
            sum(float(many.lane_of(update, lane)[2].sum()) for update in range(EVERY) for lane in lanes)
        )
    found = load_file(folder / "sgd-halfway.safetensors")
    for name in models[0]:
        mean = sum(
            weight * model[name].detach() for weight, model in zip(weights, models, strict=True)
        ) / sum(weights)
        torch.testing.assert_close(found[f"network.{name}"], mean, rtol=0, atol=1e-12)
