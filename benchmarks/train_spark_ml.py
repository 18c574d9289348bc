"""Goal: the held-out loss that Spark ML's LogisticRegression and MultilayerPerceptronClassifier end at, in a
fifth of their time.

    python benchmarks/train_spark_ml.py [--rounds 3] [--scale 1] [--scratch DIR]

Rows are drawn from a model of the same family, so both can learn them; a tenth is held out. Spark trains on
all cores with its default JIT, on cached rows: only `fit` is timed, not the session's start or the reading.
Of several `maxIter` the first is taken whose loss is within 0.1 % of the best; the time to reach it is what
is to be beaten. Ours is the whole train stage, two ranks: starting the processes, reading shards,
checkpoints, saving; the fewest epochs whose model is at least as good, at a batch and a learning rate that
were tried out on these rows. Rounds are interleaved.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from torch.nn.functional import cross_entropy
from training import ours
from training.rows import SHAPES, Shape, encoders, write

from lsml_spark.data.batch import Batch, Ragged, span
from lsml_spark.models import saved
from lsml_spark.models.network import tensors
from lsml_spark.spark.session import session
from lsml_spark.transforms.schema import Schema

GRAMS, PER_ROW = 5_000, 12
CATEGORIES, VALUES, CLASSES = 10, 10, 5
NEAR = 1.001  # of the best loss
ITERATIONS = (5, 10, 20, 40, 80, 160)
EPOCHS = (1, 2, 3, 5, 8, 12)


def grams(rows: int) -> tuple[Shape, dict[str, Any], np.ndarray]:
    """Bags of n-grams whose labels are drawn from a logistic regression."""
    rng = np.random.default_rng(1)
    ids_NP = np.minimum(GRAMS * rng.random((rows, PER_ROW)) ** 3, GRAMS - 1).astype(np.int32)
    logit_N = rng.normal(size=GRAMS)[ids_NP].sum(axis=1)
    label_N = (rng.random(rows) < 1 / (1 + np.exp(-logit_N))).astype(np.int32) + 1
    train = {"model": {"use": "logistic"}, "optimizer": {"use": "adagrad", "lr": 0.3}, "clip": None}
    shape = Shape(rows, 1, 1024, 2, {"grams": (GRAMS, PER_ROW)}, {}, {}, train)
    return shape, {"grams": Ragged(ids_NP.ravel() + 1, np.arange(rows + 1) * PER_ROW)}, label_N


def table(rows: int) -> tuple[Shape, dict[str, Any], np.ndarray]:
    """Categories whose labels are drawn from a network with one hidden layer."""
    rng = np.random.default_rng(2)
    ids_NC = rng.integers(0, VALUES, (rows, CATEGORIES)).astype(np.int32)
    hidden_NH = np.tanh(
        rng.normal(size=(CATEGORIES, VALUES, 16))[np.arange(CATEGORIES), ids_NC].sum(axis=1) / 2
    )
    logits_NK = hidden_NH @ rng.normal(size=(16, CLASSES)) * 1.5
    label_N = (logits_NK + rng.gumbel(size=logits_NK.shape)).argmax(axis=1).astype(np.int32) + 1
    model = {"use": "bag_mlp", "dim": 32, "hidden": [64], "dropout": 0.0}
    train = {"model": model, "optimizer": {"use": "adamw", "lr": 0.02}}
    scalars = {f"c{i}": VALUES for i in range(CATEGORIES)}
    return (
        Shape(rows, 1, 2048, CLASSES, {}, scalars, {}, train),
        {f"c{i}": ids_NC[:, i] + 1 for i in range(CATEGORIES)},
        label_N,
    )


TASKS = {"logistic": grams, "mlp": table}


def libsvm(path: Path, shape: Shape, columns: dict[str, Any], label: np.ndarray) -> None:
    """What Spark reads: labels from 0, counts of n-grams or categories one-hot."""
    with path.open("w") as file:
        for row, name in enumerate(label):
            if shape.lists:
                bag = columns["grams"]
                ids, counts = np.unique(
                    bag.values_T[bag.offsets_N1[row] : bag.offsets_N1[row + 1]], return_counts=True
                )
            else:
                ids = np.array([place * VALUES + columns[f"c{place}"][row] for place in range(CATEGORIES)])
                counts = np.ones(CATEGORIES, int)
            file.write(f"{name - 1} {' '.join(f'{i}:{n}' for i, n in zip(ids, counts, strict=True))}\n")


class Spark:
    """Spark ML on cached rows."""

    def __init__(self, task: str, shape: Shape, root: Path):
        self.task, self.shape = task, shape
        # The nights' session runs C1 alone; a training of minutes wants the whole JIT.
        self.spark = session(
            {"spark.driver.extraJavaOptions": "-XX:+UseParallelGC", "spark.driver.memory": "6g"}
        )
        features = GRAMS if task == "logistic" else CATEGORIES * VALUES
        self.train, self.test = (
            self.spark.read.format("libsvm")
            .option("numFeatures", features)
            .load(str(root / name))
            .repartition(2)
            .cache()
            for name in ("train.svm", "test.svm")
        )
        self.features = features
        for frame in (self.train, self.test):
            frame.count()

    def fit(self, iterations: int) -> tuple[float, float]:
        """(seconds of the fit, held-out log loss)."""
        from pyspark.ml.classification import LogisticRegression, MultilayerPerceptronClassifier
        from pyspark.ml.functions import vector_to_array
        from pyspark.sql import functions as F

        if self.task == "logistic":
            model = LogisticRegression(maxIter=iterations, tol=0.0)
        else:
            model = MultilayerPerceptronClassifier(
                maxIter=iterations, layers=[self.features, 64, CLASSES], seed=1, tol=0.0, blockSize=128
            )
        clock = time.perf_counter()
        fitted = model.fit(self.train)
        seconds = time.perf_counter() - clock
        chance = F.element_at(vector_to_array("probability"), (F.col("label") + 1).cast("int"))
        loss = fitted.transform(self.test).select(F.avg(-F.log(F.greatest(chance, F.lit(1e-15))))).first()[0]
        return seconds, float(loss)


def train(shape: Shape, root: Path, epochs: int, test: Batch) -> tuple[float, float, float]:
    """(seconds of the whole stage, held-out log loss, seconds of its steps, reading and checkpoints
    alone).
    """
    for left in ("train", ".train"):
        shutil.rmtree(root / left, ignore_errors=True)
    SHAPES["spark_ml"] = shape
    clock = time.perf_counter()
    outcome = ours.stage("spark_ml", 2, 2, root, epochs)
    seconds = time.perf_counter() - clock
    network = saved.build(shape.train["model"], Schema.of(encoders(shape)))
    network.load_state_dict(saved.weights(root / "train"))
    features, label_B, _ = tensors(test)
    with torch.no_grad():
        loss = float(cross_entropy(network.eval()(features), label_B - 1))
    return seconds, loss, ours.training(outcome)


def measure(task: str, told: argparse.Namespace, root: Path) -> dict[str, Any]:
    shape, columns, label = TASKS[task](int(200_000 * told.scale))
    cut = len(label) * 9 // 10
    parts = [
        ({name: span(column, *edge) for name, column in columns.items()}, label[slice(*edge)])
        for edge in ((0, cut), (cut, len(label)))
    ]
    root.mkdir()
    for name, (some, names) in zip(("train.svm", "test.svm"), parts, strict=True):
        libsvm(root / name, shape, some, names)
    shape = Shape(**{**vars(shape), "rows": cut})
    write(shape, *parts[0], root)
    held, names = parts[1]
    lists = {name: column for name, column in held.items() if isinstance(column, Ragged)}
    test = Batch(
        names,
        np.ones(len(names)),
        {name: column for name, column in held.items() if name not in lists},
        lists,
    )

    spark = Spark(task, shape, root)
    curve = [(iterations, *spark.fit(iterations)) for iterations in ITERATIONS]
    best = min(loss for _, _, loss in curve)
    iterations, _, target = next(row for row in curve if row[2] <= NEAR * best)
    tried = []
    for epochs in EPOCHS:
        tried.append((epochs, *train(shape, root, epochs, test)))
        print(
            f"{task}: {epochs} epochs: {tried[-1][1]:.1f} s, loss {tried[-1][2]:.4f}; Spark ends at "
            f"{target:.4f}",
            flush=True,
        )
        if tried[-1][2] <= target:
            break
    rounds = []
    for _ in range(told.rounds if tried[-1][2] <= target else 0):
        theirs, (mine, _, steps) = spark.fit(iterations)[0], train(shape, root, epochs, test)
        rounds.append([theirs, mine, steps])
        print(f"{task}: Spark {theirs:.1f} s, ours {mine:.1f} s, of which training {steps:.1f} s", flush=True)
    found = {
        "rows": cut,
        "spark": curve,
        "target": target,
        "iterations": iterations,
        "ours": tried,
        "rounds": rounds,
    }
    return found | {
        name: statistics.median(row[0] / row[place] for row in rounds)
        for place, name in ((1, "ratio"), (2, "ratio_of_steps"))
        if rounds
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train_spark_ml.json")
    told = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="spark-ml-", dir=told.scratch))
    result: dict[str, Any] = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/train_spark_ml.py", *sys.argv[1:]]),
    }
    try:
        for task in told.tasks:
            result[task] = measure(task, told, scratch / task)
            told.out.write_text(json.dumps(result, indent=1) + "\n")
        for task in told.tasks:
            ratio = result[task].get("ratio")
            said = (
                f"{ratio:.1f} × faster than Spark ML, goal 5: {'reached' if ratio >= 5 else 'missed'}"
                if ratio
                else "never as good as Spark ML"
            )
            print(f"{task}: {said}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
