"""Weights of somebody else's by name, against a plain dictionary; what does not fit is named with both
shapes.
"""

import pytest
import torch
from safetensors.torch import save_file

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.models.mlp import Mlp
from lsml_spark.models.pretrained import adopt, read
from lsml_spark.train.config import Config
from lsml_spark.transforms.schema import Schema

ENCODERS = {
    "label": "label",
    "columns": {
        "label": {"use": "vocabulary", "values": ["a", "b"], "counts": [1, 1]},
        "x": {"use": "standardize", "center": 0.0, "scale": 1.0, "width": 1},
        "city": {"use": "vocabulary", "values": ["p", "q"], "counts": [1, 1]},
    },
}


def network(seed=0):
    torch.manual_seed(seed)
    made = Mlp(use="mlp", dim=3, hidden=(4,), norm="batch").build(Schema.of(ENCODERS))
    made.set_prior(torch.tensor([0.3, 0.7]))
    return made


def test_all_of_the_same_name_and_shape_is_taken_running_statistics_too_and_the_prior_stays(tmp_path):
    own, other = network(), network(1)
    other.layers[0][1].running_mean.fill_(5.0)
    other.set_prior(torch.tensor([9.0, 9.0]))
    theirs = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    del theirs["head"]
    save_file(theirs, tmp_path / "theirs.safetensors")
    head, prior = own.head.detach().clone(), own.prior.clone()
    adopt(own, read(tmp_path / "theirs.safetensors"), {}, "here")
    for name, tensor in own.state_dict().items():
        wanted = {"head": head, "prior": prior}.get(name, theirs.get(name))
        assert torch.equal(tensor, wanted), name


def test_a_map_of_names_takes_what_it_says_and_nothing_else():
    own, theirs = (
        network(),
        {"bert.0.0.weight": torch.ones(4, 4), "bert.0.0.bias": torch.ones(4), "head": torch.ones(3, 4)},
    )
    before = own.head.detach().clone()
    assert adopt(own, theirs, {"layers.0.0.*": "bert.0.0.*"}, "here") == 2
    assert own.layers[0][0].weight.eq(1).all()
    assert torch.equal(own.head, before)


@pytest.mark.parametrize(
    ("theirs", "names", "said"),
    [
        (
            {"w": torch.ones(2, 4)},
            {"layers.0.0.weight": "w"},
            r"'layers.0.0.weight' is \(4, 4\), and 'w' has the shape \(2, 4\) there",
        ),
        ({"w": torch.ones(4, 4)}, {"layers.0.0.*": "bert.*"}, "and 'bert.weight' is not there"),
        ({"w": torch.ones(9)}, {}, "none of its 1 tensors has the name and shape of one of the network's"),
    ],
)
def test_what_does_not_fit_is_named(theirs, names, said):
    with pytest.raises(ConfigError, match=said):
        adopt(network(), theirs, names, "here")


def test_a_file_that_is_no_safetensors_is_named_and_nothing_in_it_runs(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\x80\x04 pickle")
    with pytest.raises(IntegrityError, match=r"x\.safetensors: cannot be read as safetensors"):
        read(tmp_path / "x.safetensors")


def test_from_is_written_as_people_write_it_and_says_one_place():
    config = validate(
        Config, {"model": "mlp", "from": {"file": "x.safetensors", "names": {"a.*": "b.*"}}}, "train"
    )
    told = config.model_dump(mode="json")
    assert told["from"]["file"] == "x.safetensors"
    assert validate(Config, told, "train") == config
    assert "from" not in validate(Config, {"model": "mlp"}, "train").model_dump(mode="json")
    with pytest.raises(ConfigError, match=r"train\.from: say one of folder, file, or pipeline and date"):
        validate(Config, {"model": "mlp", "from": {"file": "x", "folder": "y"}}, "train")
