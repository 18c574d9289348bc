"""bag_mlp against a plain loop over rows, and the properties that the rest of the house relies on."""

import numpy as np
import pyarrow as pa
import pytest
import torch
import toy_shards

from lsml_spark.data.batch import Batch, Ragged, of_arrow
from lsml_spark.models import saved
from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.models.network import tensors, transplant
from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.schema import Schema

SAMPLES = toy_shards.baskets(60, seed=1)
ENCODERS = toy_shards.encoders_of(SAMPLES)
CONFIG = BagMlp(use="bag_mlp", dim=6, category_dim=3, hidden=(10, 5), bags=2, span=3, dropout=0.5)


def features_of(samples):
    (batch,) = samples.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], samples.schema)]
    rows = encode(ENCODERS, batch)
    scalars, ragged, _ = of_arrow(rows, ["context", "country"])
    zeros = np.zeros(len(rows), np.int32)
    return tensors(Batch(zeros, zeros, scalars, ragged))[0]


def built(seed=0, encoders=ENCODERS, config=CONFIG):
    torch.manual_seed(seed)
    network = config.build(Schema.of(encoders)).double().eval()
    for parameter in network.parameters():  # away from the special values of a fresh network
        torch.nn.init.normal_(parameter, std=0.5)
    return network


def plain_logits(network, lists, countries):
    """The formula, one row at a time, from the network's own parameters."""
    p = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    items, bag = p["items.[label].weight"], "bags.[context]"
    rows = []
    for ids, country in zip(lists, countries, strict=True):
        bags = []
        for h in range(2):
            weight = [np.exp(p[f"{bag}.log_weight"][h, min(len(ids) - 1 - i, 2)]) for i in range(len(ids))]
            bags.append(
                sum((w * items[x] for w, x in zip(weight, ids, strict=True)), np.zeros(6))
                / (sum(weight) or 1)
            )
        hidden = np.concatenate([*bags, p["category.[country].weight"][country]])
        for layer in (0, 3):
            hidden = np.maximum(p[f"mlp.{layer}.weight"] @ hidden + p[f"mlp.{layer}.bias"], 0)
        hidden = (
            p["mlp.6.weight"] @ hidden
            + p["mlp.6.bias"]
            + sum(g * b for g, b in zip(p[f"{bag}.gate"], bags, strict=True))
        )
        rows.append(items[1:] @ hidden + p["prior"][1:] + p["bias"][1:])
    return np.array(rows)


def test_logits_equal_the_plain_formula_row_by_row():
    known = {value: i for i, value in enumerate(ENCODERS["columns"]["label"]["values"], 1)}
    lists = [[known.get(x, 0) for x in row] for row in SAMPLES["context"].to_pylist()]
    countries = [
        ENCODERS["columns"]["country"]["values"].index(x) + 1 for x in SAMPLES["country"].to_pylist()
    ]
    network = built()
    network.set_prior(torch.randn(len(known), dtype=torch.float64))
    logits = network(features_of(SAMPLES)).detach().numpy()
    np.testing.assert_allclose(logits, plain_logits(network, lists, countries), rtol=1e-12, atol=1e-12)
    assert logits.shape == (60, len(known))


def test_a_row_does_not_depend_on_the_rows_beside_it():
    network = built()
    together = network(features_of(SAMPLES))
    alone = torch.cat([network(features_of(SAMPLES.slice(i, 1))) for i in range(60)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_an_empty_batch_is_no_error_and_gives_zero_gradients():
    network = built().train()
    logits = network(features_of(SAMPLES.slice(0, 0)))
    assert logits.shape == (0, len(ENCODERS["columns"]["label"]["values"]))
    logits.sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in network.parameters())


def test_a_fresh_network_is_nearly_the_popularity_of_its_prior():
    torch.manual_seed(0)
    network = BagMlp(use="bag_mlp").build(Schema.of(ENCODERS)).eval()
    share = np.array(ENCODERS["columns"]["label"]["counts"], dtype=float)
    share /= share.sum()
    network.set_prior(torch.from_numpy(np.log(share)))
    predicted = torch.softmax(network(features_of(SAMPLES)), dim=1).detach().numpy()
    divergence = (predicted * np.log(predicted / share)).sum(axis=1)
    assert divergence.mean() < 0.05  # nats; the entropy of the labels is about 3


def test_gelu_and_no_hidden_layer_and_columns_named_like_module_attributes_work():
    encoders = {
        "label": "label",
        "columns": {"label": {"values": ["a", "b"]}, "type": {"values": ["x"]}, "a.b": {"values": ["y"]}},
    }
    torch.manual_seed(0)
    network = BagMlp(use="bag_mlp", hidden=(), activation="gelu").build(Schema.of(encoders))
    ids = torch.tensor([0, 1])
    assert network({"type": ids, "a.b": ids}).shape == (2, 2)


def test_a_list_with_a_vocabulary_of_its_own_has_its_own_embeddings():
    encoders = {
        "label": "label",
        "columns": {"label": {"values": ["a", "b"]}, "words": {"values": ["x", "y", "z"], "list": True}},
    }
    network = BagMlp(use="bag_mlp").build(Schema.of(encoders))
    assert network.state_dict()["items.[words].weight"].shape[0] == 4
    assert network.state_dict()["items.[label].weight"].shape[0] == 3
    values, offsets = torch.tensor([1, 3, 0]), torch.tensor([0, 0, 3])
    assert network({"words": (values, offsets)}).shape == (2, 2)


def test_transplant_moves_rows_by_value_keeps_fresh_rows_for_new_values_and_leaves_the_prior():
    def encoders(labels, countries):
        columns = {
            "label": {"values": labels},
            "context": {"like": "label", "list": True},
            "country": {"values": countries},
        }
        return {"label": "label", "columns": columns}

    old, new = encoders(["a", "b", "c"], ["UK", "FR"]), encoders(["d", "c", "a"], ["DE", "UK"])
    trained, fresh = built(1, old), built(2, new)
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    assert transplant(fresh, new, trained.state_dict(), old)
    after, source = fresh.state_dict(), trained.state_dict()
    for name in ("items.[label].weight", "bias"):  # new ids: 0 unknown, 1 d (new), 2 c, 3 a
        assert torch.equal(
            after[name], torch.stack([source[name][0], before[name][1], source[name][3], source[name][1]])
        )
    name = "category.[country].weight"
    assert torch.equal(after[name], torch.stack([source[name][0], before[name][1], source[name][1]]))
    assert torch.equal(after["prior"], before["prior"])
    for name in ("mlp.0.weight", "mlp.6.bias", "bags.[context].log_weight", "bags.[context].gate"):
        assert torch.equal(after[name], source[name])


def test_transplant_with_the_same_vocabulary_is_a_copy():
    trained, fresh = built(1), built(2)
    assert transplant(fresh, ENCODERS, trained.state_dict(), ENCODERS)
    assert all(
        torch.equal(parameter, trained.state_dict()[name]) for name, parameter in fresh.named_parameters()
    )


@pytest.mark.parametrize("change", [{"dim": 7}, {"hidden": (10, 6)}, {"bags": 3}, {"hidden": (10,)}])
def test_transplant_refuses_another_architecture_and_changes_nothing(change):
    fresh = built(2, config=CONFIG.model_copy(update=change))
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    assert not transplant(fresh, ENCODERS, built(1).state_dict(), ENCODERS)
    assert all(torch.equal(before[name], tensor) for name, tensor in fresh.state_dict().items())


def test_a_saved_model_scores_as_before_and_equal_weights_give_equal_bytes(tmp_path):
    network = built()
    description = {"model": CONFIG.model_dump(mode="json"), "dtype": "float64"}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        saved.save(tmp_path / folder, network.state_dict(), ENCODERS, description)
    again = saved.load(tmp_path / "a")
    assert torch.equal(again.network(features_of(SAMPLES)), network(features_of(SAMPLES)))
    for name in (saved.WEIGHTS, saved.DESCRIPTION, saved.ENCODERS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_unknown_ids_and_nulls_become_zero_and_pass_through_the_network():
    ragged = Ragged(np.array([0, 0], np.int32), np.array([0, 2]))
    batch = Batch(
        np.zeros(1, np.int32), np.ones(1, np.float32), {"country": np.zeros(1, np.int32)}, {"context": ragged}
    )
    assert torch.isfinite(built()(tensors(batch)[0])).all()
