"""A network, a transform and a task of the user's own, each in a module beside the YAML, from raw rows to the
score: the proof that nothing of the library has to be touched. The digits are scikit-learn's, 8 × 8 pixels
each as a text of 64 numbers."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow.parquet as pq
import pytest
from nights import plain_environment
from sklearn.datasets import load_digits

TRANSFORM = """
    import numpy as np
    from lsml_spark.transforms.transform import Transform

    class Pixels(Transform):
        becomes = "tensors"

        def fit(self, seen):
            return {"shape": [1, 8, 8], "dtype": "uint8"}

        @staticmethod
        def apply(encoder, values):
            rows = [np.array((value or "0 " * 64).split(), np.uint8) for value in values.to_pylist()]
            return np.stack(rows).reshape(-1, 1, 8, 8)
"""
NETWORK = """
    from lsml_spark.models.model import Model

    class Cnn(Model):
        channels: int = 16

        def build(self, schema):
            from torch import nn
            from lsml_spark.models.network import Network

            class CnnNetwork(Network):
                def __init__(self, channels):
                    super().__init__()
                    self.layers = nn.Sequential(
                        nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Flatten(), nn.Linear(9 * channels, schema.width),
                    )

                def forward(self, features):
                    return self.layers(features["image"].to(self.layers[0].weight.dtype) / 16)

            return CnnNetwork(self.channels)
"""
TASK = """
    import numpy as np
    from lsml_spark.core.scoreboard import Figure
    from lsml_spark.tasks.regress import Regress

    class Expectile(Regress):
        share: float = 0.8

        @property
        def shown(self):
            return {"expectile": Figure("expectile loss", "lower"), "mae": Figure("MAE", "lower")}

        def criterion(self, outputs, truth):
            above = truth.of(self.target).to(outputs) - outputs[:, 0]
            return above.square() * (self.share - (above < 0).to(outputs)).abs(), above == above

        def figures(self, truth, predicted):
            loss = (truth - predicted) ** 2 * np.abs(self.share - (truth < predicted))
            return {"expectile": float(loss.mean()), "mae": float(np.abs(truth - predicted).mean())}
"""
YAML = """
    name: digits
    window: 4
    raw: {folder: raw, files: "{{ date }}.csv"}
    quality: {contract: {digit: int, pixels: string}}
    prepare:
      sql: SELECT concat(date, ':', _line) AS sample_id, digit AS key, digit AS label, date, pixels FROM clean
    task: {use: mine_task.Expectile}
    zipf: {}
    select: {policy: uniform, budget: 1.0}
    features: {columns: {label: standardize, image: {use: mine_pixels.Pixels, of: pixels}}}
    shard: {shards: 2}
    train: {model: {use: mine_cnn.Cnn, channels: 24}, epochs: 12, batch: 64, lanes: 2, lane_sums: true,
            workers: 2, optimizer: {use: adamw, lr: 0.01}}
    evaluate: {k: 1, context: null}
    report: {}
"""


def lsml(folder, *words, code=0):
    command = [sys.executable, "-m", "lsml_spark", *words]
    done = subprocess.run(command, cwd=folder, env=plain_environment(), capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def beside(tmp_path):
    """A folder with the three modules and the raw days."""
    for name, code in (("mine_pixels", TRANSFORM), ("mine_cnn", NETWORK), ("mine_task", TASK)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
    digits = load_digits()
    (tmp_path / "raw").mkdir()
    for day, rows in enumerate(np.array_split(np.arange(len(digits.target)), 4)):
        lines = [f"{digits.target[i]},{' '.join(str(int(x)) for x in digits.data[i])}" for i in rows]
        (tmp_path / "raw" / f"2024-01-0{day + 1}.csv").write_text("\n".join(["digit,pixels", *lines]) + "\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.timeout(900)
def test_a_network_a_transform_and_a_task_of_ones_own_go_from_raw_rows_to_the_score(beside):
    (beside / "digits.yaml").write_text(textwrap.dedent(YAML))
    lsml(beside, "run", "digits.yaml", "--date", "2024-01-04", "--root", "runs")
    night = beside / "runs" / "digits" / "2024-01-04"
    metrics = json.loads((night / "evaluate" / "metrics.json").read_text())
    assert metrics["systems"]["model"]["mae"] < 1.6
    assert [one["name"] for one in metrics["figures"]] == ["expectile", "mae"]
    shard = pq.read_schema(next((night / "shard" / "train").glob("*.parquet")))
    assert json.loads(shard.field("image").metadata[b"lsml"])["shape"] == [1, 8, 8]
    page = (beside / "runs" / "digits" / "site" / "2024-01-04.html").read_text()
    assert "Expectile loss" in page
    lsml(beside, "verify", "digits.yaml", "--root", "runs")
    said = lsml(beside, "pilot", "digits.yaml", "--date", "2024-01-04", "--root", "runs", code=2)
    assert "a pilot compares log losses of a choice among labels, and `mine_task.Expectile` has none" in said
