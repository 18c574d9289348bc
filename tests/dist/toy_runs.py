"""Small training runs as the train stage hands them to its ranks: a spec file each, over the same shards."""

import numpy as np
import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.train import spec
from lsml_spark.train.run import Config, _tell


def config(**changes):
    model = {"use": "bag_mlp", "dim": 6, "hidden": [8], "dropout": 0.0}
    told = {
        "model": model,
        "epochs": 2,
        "batch": 64,
        "precision": {"parameters": "float64"},
        "l2": 0.001,
        "workers": 1,
    }
    return validate(Config, told | changes, "test")


def samples(rows=300):
    """Every fifth row weighs nothing; 300 rows leave lanes short and empty in the last step."""
    table = toy_shards.baskets(rows, seed=6)
    weight = table["weight"].to_numpy().copy()
    weight[::5] = 0.0
    return table.set_column(table.schema.get_field_index("weight"), "weight", [weight])


def prepared(root, configs):
    """A spec's path for each config, all over the same shards."""
    first = toy_shards.night(root / "data", samples())
    paths = {}
    for name, told in configs.items():
        out = root / name / "train"
        out.mkdir(parents=True)
        work = type(first)(first.pipeline, first.stage, first.date, first.seed, out, first.inputs)
        paths[name] = out.parent / "spec.json"
        spec.write(paths[name], _tell(work, told))
    return paths


def furthest(one, other):
    return max(float(np.abs(one[name] - other[name]).max(initial=0.0)) for name in one)
