"""logistic against scikit-learn on the same counts, through the train stage; and what the rest of the house
relies on.
"""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
import toy_shards
from safetensors.numpy import load_file
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from lsml_spark.core.config import validate
from lsml_spark.models import saved
from lsml_spark.models.logistic import Logistic
from lsml_spark.models.network import transplant
from lsml_spark.train.run import Config, run
from lsml_spark.train.worker import in_process
from lsml_spark.transforms.schema import Schema

LETTERS = "abcdefghij"
FLOAT64 = {"parameters": "float64"}


def words(rows, labels, seed=0):
    """Equal numbers of every label (so that the prior is uniform); the label draws the letters of the list
    and the country.
    """
    rng = np.random.default_rng(seed)
    label_N = rng.permutation(np.arange(rows) % labels)
    letter_VK, country_VK = rng.dirichlet(np.ones(len(LETTERS)), labels), rng.dirichlet(np.ones(3), labels)
    lists = [
        [LETTERS[i] for i in rng.choice(len(LETTERS), rng.integers(0, 9), p=letter_VK[label])]
        for label in label_N
    ]
    columns = {
        "sample_id": pa.array([f"s{i}" for i in range(rows)]),
        "key": pa.array(["".join(letters) for letters in lists]),
        "label": pa.array([f"L{label}" for label in label_N]),
        "letters": pa.array(lists, pa.list_(pa.string())),
        "country": pa.array([["UK", "FR", "DE"][rng.choice(3, p=country_VK[label])] for label in label_N]),
        "weight": pa.array(rng.choice([1.0, 2.5], rows)),
        "keep_rate": pa.array(np.ones(rows)),
    }
    return pa.table(columns)


def encoders_of(samples):
    encoders = {name: toy_shards.vocabulary(samples[name].to_pylist()) for name in ("label", "country")}
    letters = toy_shards.vocabulary([letter for row in samples["letters"].to_pylist() for letter in row])
    return {"label": "label", "columns": {**encoders, "letters": letters | {"list": True}}}


def trained(folder, samples, launch=in_process, **changes):
    told = {
        "model": "logistic",
        "workers": 1,
        "clip": None,
        "precision": FLOAT64,
        "data": {"weights": False},
    } | changes
    folder.mkdir()
    work = toy_shards.night(folder, samples, encoders=encoders_of(samples))
    return work.folder, run(work, validate(Config, told, "test"), launch)


def ids(encoders, samples):
    """Features of all rows by plain dictionaries."""
    letter, country = (
        {v: i for i, v in enumerate(encoders["columns"][name]["values"], 1)}
        for name in ("letters", "country")
    )
    lists = [[letter.get(x, 0) for x in row] for row in samples["letters"].to_pylist()]
    offsets = np.cumsum([0, *map(len, lists)])
    return {
        "letters": (
            torch.tensor([i for row in lists for i in row], dtype=torch.int64),
            torch.from_numpy(offsets),
        ),
        "country": torch.tensor(
            [country.get(x, 0) for x in samples["country"].to_pylist()], dtype=torch.int64
        ),
    }


def counts(samples):
    """Letters counted, countries as indicators, and a column of ones for the bias, which is shrunk like the
    rest.
    """
    lists, countries = samples["letters"].to_pylist(), samples["country"].to_pylist()
    letters = [[row.count(letter) for letter in LETTERS] for row in lists]
    return sparse.csr_array(
        np.column_stack(
            [letters, [[x == c for c in ("UK", "FR", "DE")] for x in countries], np.ones(len(lists))]
        )
    )


@pytest.mark.parametrize(("labels", "weights"), [(2, False), (3, True)])
def test_the_train_stage_ends_at_the_optimum_of_scikit_learn(tmp_path, labels, weights):
    """Whole batches until it stands still. Two labels have two columns here and one there, whose square is
    twice theirs.
    """
    samples, l2 = words(240, labels), 0.1
    if weights:  # the same for all labels, or the prior would not be uniform
        rows = np.random.default_rng(1).permutation(240 // labels) % 3 + 1.0
        order = np.argsort(samples["label"].to_numpy().astype(str), kind="stable")
        weight = np.empty(240)
        weight[order] = np.tile(rows, labels)
        samples = samples.set_column(samples.schema.get_field_index("weight"), "weight", [weight])
    weight_N = samples["weight"].to_numpy() if weights else np.ones(240)
    sgd = {"optimizer": {"use": "sgd", "lr": 0.1}, "schedule": {"use": "constant", "warmup": 0.0}, "l2": l2}
    folder, _ = trained(
        tmp_path / "night", samples, epochs=250, batch=240, lanes=1, data={"weights": weights}, **sgd
    )

    strength = (2 if labels == 2 else 1) / (weight_N.sum() * l2)
    peer = LogisticRegression(C=strength, fit_intercept=False, tol=1e-10, max_iter=5000)
    peer.fit(counts(samples), samples["label"].to_numpy().astype(str), weight_N)
    model = saved.load(folder)
    found = torch.softmax(model.network(ids(model.encoders, samples)), 1).detach().numpy()
    order = [list(peer.classes_).index(label) for label in model.encoders["columns"]["label"]["values"]]
    np.testing.assert_allclose(found, peer.predict_proba(counts(samples))[:, order], atol=1e-5)


@pytest.mark.dist
def test_two_ranks_give_the_weights_of_one_process_to_the_bit(tmp_path):
    samples = words(500, 2, seed=3)
    told = {
        "epochs": 3,
        "batch": 64,
        "lanes": 2,
        "lane_sums": True,
        "optimizer": {"use": "adagrad", "lr": 0.3},
        "precision": {},
        "data": {},
    }
    one, first = trained(tmp_path / "one", samples, **told)
    two, second = trained(tmp_path / "two", samples, None, workers=2, **told)
    assert second.metrics["world"] == 2
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    assert first.metrics["loss"] == second.metrics["loss"]


def test_the_logits_are_sums_of_the_weights_of_what_the_row_holds():
    encoders = encoders_of(words(50, 3))
    network = Logistic(use="logistic").build(Schema.of(encoders)).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    network.set_prior(torch.tensor([-1.0, -2.0, -0.5]))
    table = {
        name.split(".")[1]: value.detach().numpy()
        for name, value in network.named_parameters()
        if "." in name
    }
    start = (network.prior + network.bias).detach().numpy()[1:]
    features = {
        "letters": (torch.tensor([1, 1, 4, 0]), torch.tensor([0, 3, 3, 4])),
        "country": torch.tensor([2, 0, 3]),
    }
    letters, country = table["[letters]"], table["[country]"]
    expected = [
        start + 2 * letters[1] + letters[4] + country[2],
        start + country[0],
        start + letters[0] + country[3],
    ]
    np.testing.assert_allclose(network(features).detach().numpy(), expected, atol=1e-12)


def test_a_fresh_network_is_the_prior_whatever_the_row_and_an_empty_batch_is_no_error():
    samples = words(30, 3)
    encoders = encoders_of(samples)
    network = Logistic(use="logistic").build(Schema.of(encoders))
    network.set_prior(torch.tensor([0.2, 0.3, 0.5]).log())
    assert torch.allclose(torch.softmax(network(ids(encoders, samples)), 1), torch.tensor([0.2, 0.3, 0.5]))
    logits = network(ids(encoders, samples.slice(0, 0)))
    assert logits.shape == (0, 3)
    logits.sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in network.parameters())


def test_a_warm_start_moves_weights_by_value_and_never_takes_one_labels_for_anothers_whatever_their_order():
    def built(labels, letters):
        encoders = {
            "label": "label",
            "columns": {"label": {"values": labels}, "letters": {"values": letters, "list": True}},
        }
        network = Logistic(use="logistic").build(Schema.of(encoders))
        return encoders, network, next(name for name, _ in network.named_parameters() if "." in name)

    old, trained_, table = built(["F", "M"], ["a", "b", "c"])
    for parameter in trained_.parameters():
        torch.nn.init.normal_(parameter)
    weights = trained_.state_dict()

    new, fresh, _ = built(["F", "M"], ["d", "c", "a"])
    assert transplant(fresh, new, weights, old)
    moved = fresh.state_dict()[table]
    assert torch.equal(
        moved, torch.stack([weights[table][0], torch.zeros(2), weights[table][3], weights[table][1]])
    )

    of_label = {"F": weights[table][:, 0], "M": weights[table][:, 1], "X": torch.zeros(4)}
    bias = {"F": weights["bias"][1], "M": weights["bias"][2], "X": torch.tensor(0.0)}
    for labels in (["M", "F"], ["F", "M", "X"], ["X", "F"], ["X"]):
        other, fresh, name = built(labels, ["a", "b", "c"])
        assert transplant(fresh, other, weights, old)
        expected = torch.stack([of_label[label] for label in labels], dim=1)
        assert torch.equal(fresh.state_dict()[name], expected)
        assert torch.equal(fresh.state_dict()["bias"][1:], torch.stack([bias[label] for label in labels]))

    other, fresh, _ = built(["F", "M"], ["a", "b", "c"])
    assert not transplant(fresh, other, {"bias": weights["bias"]}, old), (
        "a table is missing: another architecture"
    )
    assert not any(parameter.any() for parameter in fresh.parameters())


def test_a_saved_model_scores_as_before(tmp_path):
    samples = words(100, 3, seed=5)
    folder, outcome = trained(tmp_path / "night", samples, epochs=2, batch=50, lanes=2)
    assert json.loads((folder / "model.json").read_text())["model"] == {"use": "logistic"}
    assert outcome.metrics["parameters"] == sum(
        value.size for name, value in load_file(folder / "model.safetensors").items() if name != "prior"
    )
    one, two = saved.load(folder), saved.load(folder)
    assert torch.equal(one.network(ids(one.encoders, samples)), two.network(ids(two.encoders, samples)))
