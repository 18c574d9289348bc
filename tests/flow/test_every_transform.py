"""A night whose network looks at every transform at once: however Spark cuts the rows, however many ranks
train, and after a kill -9 among features, it is the same night, and `verify` agrees."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml
from nights import plain_environment

from lsml_spark.core.components import component_names
from lsml_spark.core.manifest import read
from lsml_spark.core.stages import STAGES
from lsml_spark.transforms.transform import PACKAGE, Transform

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.dist, pytest.mark.timeout(1200)]
DAY = "2024-01-03"
WORDS = ["red", "green", "blue", "heavy", "light", "door", "lamp", "table"]
COLUMNS = {
    "label": "vocabulary",
    "city": {"use": "vocabulary", "min_count": 2},
    "tags": {"use": "vocabulary", "min_count": 2},
    "city_hash": {"use": "hashed", "of": "city", "size": 16},
    "city_signs": {"use": "hashed", "of": "city", "size": 8, "signed": True},
    "city_mean": {"use": "target_mean", "of": "city"},
    "city_vector": {"use": "embed", "of": "city", "file": "vectors.txt"},
    "text": {"use": "ngrams", "size": 64},
    "pieces": {"use": "tokens", "of": "text", "size": 300},
    "x": "standardize",
    "x_median": {"use": "standardize", "by": "median", "of": "x"},
    "x_rank": {"use": "quantile", "of": "x"},
    "x_normal": {"use": "quantile", "of": "x", "to": "normal"},
    "x_clip": {"use": "clip", "of": "x"},
    "x_width": {"use": "buckets", "by": "width", "size": 5, "of": "x"},
    "x_mass": {"use": "buckets", "by": "mass", "size": 5, "of": "x"},
    "no_x": {"use": "indicator", "of": "x"},
    "price": "log",
    "count": "number",
    "hour": {"use": "cyclic", "period": 24},
    "photo": {"use": "image", "resize": [4, 4]},
    "sound": {"use": "audio", "seconds": 0.05, "rate": 8000, "mels": 4, "window": 64, "hop": 50},
}
CONTRACT = {
    "id": "string",
    "kind": "string",
    "city": "string",
    "tags": "array<string>",
    "text": "string",
    "x": "double",
    "price": "double",
    "count": "bigint",
    "hour": "bigint",
    "photo": "binary",
    "sound": "binary",
}
NIGHT = {
    "name": "everything",
    "window": 3,
    "raw": {"folder": "raw", "files": "{{ date }}.parquet"},
    "quality": {"contract": CONTRACT},
    "prepare": {"sql": "SELECT id AS sample_id, city AS key, kind AS label, * EXCEPT (id, kind) FROM clean"},
    "task": {"use": "classify"},
    "zipf": {},
    "select": {"policy": "uniform", "budget": 0.8},
    "features": {"columns": COLUMNS},
    "shard": {"shards": 2},
    "train": {
        "model": {"use": "mlp", "dim": 4, "hidden": [16], "norm": "batch"},
        "epochs": 30,
        "batch": 32,
        "lanes": 2,
        "lane_sums": True,
        "workers": 2,
        "optimizer": {"use": "adamw", "lr": 0.01},
    },
    "evaluate": {"context": None, "k": 1},
    "report": {},
}


def picture(rng, bright: bool) -> bytes:
    file = io.BytesIO()
    pixels = rng.integers(120 * bright, 136 + 120 * bright, (5, 6, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def sound(rng) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, 0.1 * rng.standard_normal(rng.integers(60, 900)), 8000, format="WAV")
    return file.getvalue()


def day(number: int) -> pa.Table:
    """Every column but the label lacks a value somewhere; pictures tell the labels apart."""
    rng = np.random.default_rng(number)
    rows = 90

    def some(values):
        return [None if rng.random() < 0.1 else value for value in values]

    kind = rng.choice(["day", "night"], rows)
    columns = {
        "id": [f"{number}-{i}" for i in range(rows)],
        "kind": kind,
        "city": some(rng.zipf(1.5, rows).clip(1, 30).astype(str)),
        "tags": some(rng.choice(WORDS, rng.integers(0, 4)).tolist() for _ in range(rows)),
        "text": some(" ".join(rng.choice(WORDS, rng.integers(0, 6))) for _ in range(rows)),
        "x": some(rng.normal(50, 10, rows).tolist()),
        "price": some(rng.lognormal(3, 1, rows).tolist()),
        "count": some(rng.poisson(3, rows).tolist()),
        "hour": some(rng.integers(0, 24, rows).tolist()),
        "photo": some(picture(rng, one == "day") for one in kind),
        "sound": some(sound(rng) for _ in range(rows)),
    }
    return pa.table(columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("everything")
    (made / "night.yaml").write_text(yaml.safe_dump(NIGHT, sort_keys=False))
    (made / "raw").mkdir()
    for number in (1, 2, 3):
        pq.write_table(day(number), made / "raw" / f"2024-01-0{number}.parquet")
    rng = np.random.default_rng(0)
    vectors = [f"{word} {' '.join(f'{x:.4f}' for x in rng.normal(size=3))}" for word in range(1, 20)]
    (made / "vectors.txt").write_text("\n".join(["19 3", *vectors]) + "\n")
    return made


def words(root: str, *sets: str) -> list[str]:
    settings = [word for one in sets for word in ("--set", one)]
    command = [sys.executable, "-m", "lsml_spark", "run", "night.yaml", "--date", DAY, "--root", root]
    return [*command, *settings]


def lsml(folder: Path, command: list[str]) -> str:
    done = subprocess.run(command, cwd=folder, env=plain_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def identities(folder: Path, root: str) -> dict[str, str]:
    night = folder / root / "everything" / DAY
    # The report shows timings.
    return {stage: read(night / stage).identity for stage in STAGES[:-1] if (night / stage).is_dir()}


@pytest.fixture(scope="module")
def whole(folder):
    lsml(folder, words("whole"))
    return folder / "whole" / "everything" / DAY


def test_every_transform_is_in_the_night_and_the_model_learns_from_them(folder, whole):
    encoders = json.loads((whole / "features" / "encoders.json").read_text())["columns"]
    assert {own["use"] for own in encoders.values() if "use" in own} == set(
        component_names(Transform, PACKAGE)
    )
    systems = json.loads((whole / "evaluate" / "metrics.json").read_text())["systems"]
    assert systems["model"]["log_loss"] < 0.5 < systems["popularity"]["log_loss"]
    lsml(folder, [sys.executable, "-m", "lsml_spark", "verify", "night.yaml", "--root", "whole"])


def test_one_rank_and_other_partitions_give_the_same_night(folder, whole):
    cut = {
        "spark.master": "local[1]",
        "spark.sql.shuffle.partitions": 7,
        "spark.sql.files.maxPartitionBytes": 10_000,
        "spark.sql.files.openCostInBytes": 0,
        "spark.sql.adaptive.enabled": False,
    }
    lsml(folder, words("other", f"spark={json.dumps(cut)}", "train.workers=1"))
    for stage in ("features", "shard", "train"):
        one, other = (folder / root / "everything" / DAY / stage for root in ("whole", "other"))
        tables = read(one).tables, read(other).tables
        assert {n: t.rows_hash for n, t in tables[0].items()} == {
            n: t.rows_hash for n, t in tables[1].items()
        }
    for name in ("features/encoders.json", "train/model.safetensors"):
        assert (whole / name).read_bytes() == (folder / "other" / "everything" / DAY / name).read_bytes(), (
            name
        )


def test_killed_among_features_and_run_again_it_is_the_same_night(folder, whole):
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": plain_environment()}
    with subprocess.Popen(words("killed"), cwd=folder, **told) as process:
        for line in process.stdout:
            if "augment  done" in line:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    lsml(folder, words("killed"))
    assert identities(folder, "killed") == identities(folder, "whole")


def test_raw_rows_are_scored_as_in_the_evaluation(whole):
    """Its probabilities are those of the evaluation, which keeps a share of each for labels never seen."""
    from lsml_spark.models.scorer import Neural

    test = pq.read_table(whole / "prepare" / "test").sort_by("sample_id")
    (rows,) = test.combine_chunks().to_batches()
    scores = pq.read_table(whole / "evaluate" / "scores").to_pandas()
    of_model = scores[scores.system == "model"].sort_values("sample_id")
    model = Neural(whole / "train")
    place_N = [model.labels.index(label) for label in test["label"].to_pylist()]
    log_probs_N = model.log_probs(rows)[np.arange(len(place_N)), place_N]
    kept_N = of_model.log_prob.to_numpy() - log_probs_N
    assert -0.1 < kept_N.min() <= kept_N.max() < kept_N.min() + 1e-6
