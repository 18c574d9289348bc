"""Rates of their own for parts of a network, in real training runs: against another rate, against weights
that do not move.
"""

import numpy as np
import pytest
import torch
from test_exact import launched
from toy_runs import config, furthest, samples
from toy_shards import encoders_of

from lsml_spark.core import seeds
from lsml_spark.core.errors import ConfigError
from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.train.config import Layer
from lsml_spark.train.layers import grouped
from lsml_spark.transforms.schema import Schema

pytestmark = pytest.mark.dist

ADAMW = {"use": "adamw", "lr": 0.02}
SETTINGS = {
    "plain": {},
    "half": {"optimizer": {**ADAMW, "lr": 0.01}},
    "layers half": {"layers": {"*": {"rate": 0.5}}},
    "items frozen": {"layers": {"items.*": {"freeze": "2 epochs"}, "items.[[]label].weight": {"rate": 3.0}}},
    "thawed": {"layers": {"items.*": {"freeze": 1}}},
    "one epoch": {"epochs": 1, "layers": {"items.*": {"freeze": 1}}},
}


def every():
    schedule = {"use": "constant", "warmup": 0.0}
    usual = {"optimizer": ADAMW, "lane_sums": True, "clip": None, "schedule": schedule}
    return {name: config(**(usual | told)) for name, told in SETTINGS.items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return launched(tmp_path_factory.mktemp("one"), 1, every())


def test_a_rate_for_all_is_another_learning_rate(alone):
    assert furthest(alone["layers half"], alone["half"]) == 0.0
    assert furthest(alone["layers half"], alone["plain"]) > 1e-3


def test_what_is_frozen_does_not_move_and_the_rest_does(alone):
    frozen, plain = alone["items frozen"], alone["plain"]
    names = [name for name in plain if name.startswith("items.")]
    assert names
    for name in names:
        fresh = alone["one epoch"][name]  # frozen as well: as it was drawn
        np.testing.assert_array_equal(frozen[name], fresh)
        assert np.abs(alone["thawed"][name] - fresh).max() > 1e-3
        assert np.abs(plain[name] - fresh).max() > 1e-3
    assert np.abs(frozen["mlp.0.weight"] - alone["one epoch"]["mlp.0.weight"]).max() > 1e-3


def test_two_ranks_give_the_same_bits(tmp_path, alone):
    for name, weights in launched(tmp_path, 2, every()).items():
        assert furthest(weights, alone[name]) == 0.0, name


def test_the_first_pattern_that_fits_counts_and_one_that_fits_nothing_is_refused():
    torch.manual_seed(seeds.derive(1, "weights"))
    network = BagMlp(use="bag_mlp", dim=4).build(Schema.of(encoders_of(samples(50))))
    layers = {"items.*": Layer(rate=0.1), "*.weight": Layer(freeze=3)}
    groups = grouped(list(network.parameters()), network, layers)
    rates = {id(parameter): group["layer"] for group in groups for parameter in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        wanted = (
            layers["items.*"]
            if name.startswith("items.")
            else layers["*.weight"]
            if name.endswith(".weight")
            else None
        )
        assert rates[id(parameter)] == wanted, name
    with pytest.raises(
        ConfigError, match=r"no parameter of the network is called 'itms\.\*' \(did you mean 'items'"
    ):
        grouped(list(network.parameters()), network, {"itms.*": Layer()})
