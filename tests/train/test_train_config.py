"""The section `train:`: keys that have moved say where to, and each of them is where it is said to be."""

import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.train.config import MOVED, Config
from lsml_spark.train.run import INDIFFERENT

FLAT = {"dtype": "float64", "precision": "bf16", "checkpoint": {"steps": 4}, "lr_scaling": {"use": "sqrt"}}


def config(**section):
    return validate(Config, {"model": "logistic", "workers": 1} | section, "shop.yaml: train")


@pytest.mark.parametrize("key", MOVED)
def test_a_key_that_has_moved_is_an_error_that_names_its_new_place(key):
    with pytest.raises(ConfigError, match=rf"^shop\.yaml: train\.{key} is now train\.{MOVED[key]}$"):
        config(**{key: FLAT.get(key, 1)})
    place = config()
    for part in MOVED[key].split("."):
        place = getattr(place, part)  # and there is such a place


def test_the_weights_are_those_of_another_config_but_not_where_only_survival_and_reader_differ():
    def named(**section):
        return config(**section).model_dump(mode="json", exclude=INDIFFERENT)

    assert named(
        survival={"stall": 5.0}, data={"reader": "petastorm"}, launcher="local", workers=2, lanes=2
    ) == named(lanes=2)
    assert named(data={"on_bad_shard": "skip"}) != named()
    assert named(exchange={"hook": "bf16"}) != named()


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"exchange": {"use": "local"}, "lane_sums": True}, r"exchange\.use: local is not exact"),
        ({"exchange": {"use": "async"}}, r"exchange\.use: async takes two workers at least"),
        (
            {"parallel": {"shard": 2}, "workers": 2, "precision": {"compute": "fp16"}},
            r"parallel: a network cut over ranks takes",
        ),
        ({"parallel": {"shard": 2}}, r"parallel: data 1 × shard 2 × tensor 1 do not make workers: 1"),
    ],
)
def test_ways_that_do_not_go_together_are_refused(section, problem):
    with pytest.raises(ConfigError, match=problem):
        config(**section)
