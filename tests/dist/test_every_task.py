"""Every task and every network on 1, 2 and 4 ranks: the same bits, running statistics of batch norm and what
a task learns itself among them."""

import numpy as np
import pyarrow as pa
import pytest
import toy_shards
from test_exact import launched_specs
from toy_runs import config, furthest, samples

from lsml_spark.data.read import GROUP
from lsml_spark.shard.layout import to_shard
from lsml_spark.train import spec
from lsml_spark.train.run import _tell

pytestmark = pytest.mark.dist

MLP = {"use": "mlp", "dim": 4, "hidden": [8, 8], "norm": "batch", "dropout": 0.2, "residual": True}
TASKS = {
    "classify": {"use": "classify", "smoothing": 0.1, "class_weights": "balanced", "adjust": 0.5},
    "binary": {"use": "classify", "target": "sex", "positive": "b"},
    **{
        loss: {"use": "regress", "target": "amount", "loss": loss}
        for loss in ("squared", "absolute", "huber", "quantile")
    },
    "poisson": {"use": "regress", "target": "count", "loss": "poisson"},
    "labels": {"use": "labels", "target": "context"},
    "masked": {"use": "masked", "target": "context"},
    "rank": {"use": "rank", "target": "amount"},
}
SEVERAL = {
    "amount": {"use": "regress", "target": "amount"},
    "sex": TASKS["binary"],
    "context": TASKS["labels"],
}
ORDER = {"order": {"use": "rank", "target": "amount"}, "count": TASKS["poisson"]}
TASKS["several"] = {"use": "several", "tasks": SEVERAL, "weights": {"sex": 2.0}}
TASKS["order"] = {"use": "several", "tasks": ORDER}
TASKS["uncertain"] = {"use": "several", "tasks": SEVERAL, "weights": "uncertainty"}
MODELS = {
    "mlp": MLP,
    "layer": {**MLP, "norm": "layer", "activation": "silu"},
    "linear": {"use": "linear"},
    "bag_mlp": {"use": "bag_mlp", "dim": 4},
}


def columns():
    """(encoders without a label, table) of 300 rows with a column of every kind."""
    table, rng = samples(), np.random.default_rng(3)
    encoders = toy_shards.encoders_of(table)
    encoders["columns"]["context"] = {
        "list": True,
        **toy_shards.vocabulary([x for row in table["context"].to_pylist() for x in row]),
    }
    sex = rng.choice(["a", "b"], size=table.num_rows, p=[0.7, 0.3]).tolist()
    encoders["columns"] |= {
        "sex": toy_shards.vocabulary(sex),
        "amount": {"use": "standardize", "center": 0.0, "scale": 1.0, "width": 1},
        "count": {"use": "number", "missing": 0.0, "width": 1},
    }
    known = {name: encoders["columns"][name] for name in ("label", "context", "country")}
    coded = toy_shards.encoded(table, {"label": "label", "columns": known})
    more = {
        "sex": pa.array([encoders["columns"]["sex"]["values"].index(x) + 1 for x in sex], pa.int32()),
        "amount": pa.array(rng.normal(size=table.num_rows).astype(np.float32)),
        GROUP: pa.array(np.repeat(rng.integers(2**62, size=50), 6)),
        "count": pa.array(rng.poisson(2.0, size=table.num_rows).astype(np.float32)),
    }
    for name, column in to_shard(pa.table(more)).to_pydict().items():
        coded = coded.append_column(
            pa.field(name, more[name].type, nullable=False), [pa.array(column, more[name].type)]
        )
    return encoders["columns"], coded


def runs(root):
    """The spec of every task with the mlp, and of every network with two tasks that are most unlike."""
    encoders, table = columns()
    jobs = {f"{task}-mlp": (task, "mlp") for task in TASKS}
    jobs |= {f"{task}-{model}": (task, model) for task in ("several", "masked") for model in MODELS}
    paths = {}
    for name, (task, model) in jobs.items():
        parts = TASKS[task].get("tasks")
        target = next(iter(parts.values()))["target"] if parts else TASKS[task].get("target", "label")
        inputs = {
            "features": toy_shards.stage(
                root / name / "features",
                "features",
                files={"encoders.json": {"label": target, "columns": encoders}},
            ),
            "shard": toy_shards.stage(root / name / "shard", "shard", {"train": (table, 3, 100)}),
        }
        night = toy_shards.night(root / name / "night", samples(20))
        work = type(night)("toy", "train", night.date, 7, root / name / "train", inputs)
        work.folder.mkdir(exist_ok=True)
        told = config(
            model=MODELS[model],
            task=TASKS[task],
            lane_sums=True,
            epochs=2,
            optimizer={"use": "adamw", "lr": 0.01},
        )
        paths[name] = root / name / "spec.json"
        spec.write(paths[name], _tell(work, told))
    return paths


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    root = tmp_path_factory.mktemp("one")
    return launched_specs(root, 1, runs(root))


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_equal_one_process_for_every_task_and_network(tmp_path, alone, ranks):
    many = launched_specs(tmp_path, ranks, runs(tmp_path))
    for name, weights in many.items():
        assert weights.keys() == alone[name].keys(), name
        assert furthest(weights, alone[name]) == 0.0, name


def test_running_statistics_have_moved_and_count_the_updates(alone):
    for name, weights in alone.items():
        norms = [key for key in weights if key.endswith("running_mean")]
        assert bool(norms) == name.endswith("-mlp"), name
        for key in norms:
            assert np.abs(weights[key]).max() > 0, name
            # two epochs of five updates
            assert weights[key.replace("running_mean", "num_batches_tracked")] == 10, name


def test_what_several_tasks_learn_of_their_noise_moves(alone):
    assert np.abs(alone["uncertain-mlp"]["log_variance"]).min() > 0
