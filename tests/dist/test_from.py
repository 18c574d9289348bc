"""`train.from`: a run that begins with the weights of another, of a folder of ours, of a pipeline's night and
of a file.
"""

import shutil

import pytest
from safetensors.numpy import load_file
from test_exact import launched
from toy_runs import config, furthest

from lsml_spark.core.errors import ConfigError

pytestmark = pytest.mark.dist

STILL = {"epochs": 1, "optimizer": {"use": "sgd", "lr": 1e-30, "momentum": 0.0}}


@pytest.mark.slow
def test_a_run_begins_with_the_weights_that_it_is_told(tmp_path):
    (tmp_path / "a").mkdir()
    first = launched(tmp_path / "a", 1, {"first": config()})["first"]
    folder = tmp_path / "a" / "first" / "train"
    file = shutil.copyfile(folder / "model.safetensors", tmp_path / "theirs.safetensors")
    runs = tmp_path / "b" / "runs"
    shutil.copytree(folder, runs / "other" / "2011-02-20" / "train")
    places = {
        "folder": {"folder": str(folder)},
        "file": {"file": str(file)},
        "some": {"file": str(file), "names": {"mlp.*": "mlp.*"}},
        "pipeline": {"pipeline": "other", "date": "2011-02-20"},
    }
    told = {f"toy/{name}": config(**STILL, **{"from": place}) for name, place in places.items()}
    found = launched(runs, 1, told | {"toy/fresh": config(**STILL)})
    fresh = found.pop("toy/fresh")
    for name, weights in found.items():
        wanted = (
            first
            if name != "toy/some"
            else {key: (first if key.startswith("mlp.") else fresh)[key] for key in first}
        )
        assert furthest(weights, {**wanted, "prior": fresh["prior"]}) < 1e-12, name
    assert furthest(fresh, first) > 1e-3
    assert load_file(file).keys() == first.keys()


def test_a_place_without_weights_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"train\.from\.file: no such file: .*gone\.safetensors"):
        launched(tmp_path, 1, {"gone": config(**{"from": {"file": str(tmp_path / "gone.safetensors")}})})
