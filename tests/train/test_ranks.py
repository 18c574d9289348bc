"""Real processes: any number of ranks gives one process's weights, an interrupted run the undisturbed one's;
errors are told.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_shards
from safetensors.numpy import load_file

from lsml_spark.core.config import validate
from lsml_spark.core.errors import IntegrityError, TrainingError
from lsml_spark.train.run import Config, run
from lsml_spark.train.survival import launch
from lsml_spark.train.worker import in_process

PROJECT = Path(__file__).parents[2]
SAMPLES = toy_shards.baskets(600, seed=4)


def config(**changes):
    model = {"use": "bag_mlp", "dim": 8, "hidden": [16], "dropout": 0.3}
    return validate(
        Config, {"model": model, "epochs": 3, "batch": 64, "workers": 1, "lane_sums": True} | changes, "test"
    )


def trained(folder, told, launch=None, samples=SAMPLES, **night):
    folder.mkdir()
    work = toy_shards.night(folder, samples, **night)
    return work, run(work, told, launch)


def alone(folder, **changes):
    return trained(folder, config(**changes), in_process)


def weights(work):
    return load_file(work.folder / "model.safetensors")


def furthest(one, other):
    return max(float(np.abs(one[name] - other[name]).max(initial=0.0)) for name in one)


def hashes(outcome):
    return {file.path: file.checksum for file in outcome.files}


@pytest.mark.dist
@pytest.mark.parametrize(
    ("ranks", "changes", "tolerance"),
    [
        (2, {"optimizer": "adamw"}, 1e-5),
        pytest.param(
            8, {"precision": {"parameters": "float64"}, "optimizer": "adagrad"}, 1e-12, marks=pytest.mark.slow
        ),
    ],
)
def test_any_number_of_ranks_gives_the_weights_of_one_process(tmp_path, ranks, changes, tolerance):
    one, first = alone(tmp_path / "one", **changes)
    many, second = trained(tmp_path / "many", config(workers=ranks, **changes))
    assert second.metrics["world"] == ranks
    assert furthest(weights(one), weights(many)) <= tolerance
    # More than was asked: the same bits, since lanes are summed in one order on any number of ranks.
    assert hashes(first)["model.safetensors"] == hashes(second)["model.safetensors"]
    assert first.metrics | {"world": ranks} == second.metrics
    assert not (tmp_path / "many" / ".train").exists()


@pytest.mark.dist
@pytest.mark.slow
def test_a_whole_night_on_two_ranks_equals_one_process(tmp_path):
    """10 000 rows, a vocabulary of thousands, the pipeline's own training section."""
    import yaml

    section = yaml.safe_load((PROJECT / "pipelines" / "retail.yaml").read_text())["train"]
    told = validate(Config, section, "retail.yaml: train")
    samples = toy_shards.baskets(10_000, items=2500, seed=9)
    one, _ = trained(
        tmp_path / "one", told.model_copy(update={"workers": 1}), in_process, samples, rows_per_group=1024
    )
    two, _ = trained(
        tmp_path / "two", told.model_copy(update={"workers": 2}), None, samples, rows_per_group=1024
    )
    assert furthest(weights(one), weights(two)) == 0.0


def test_the_same_night_twice_gives_the_same_files_and_a_balanced_ledger(tmp_path):
    _, first = alone(tmp_path / "a")
    _, second = alone(tmp_path / "b")
    assert hashes(first) == hashes(second)
    assert first.metrics == second.metrics
    assert first.ledger.rows_in == first.ledger.rows_out == 600
    first.ledger.check("train")
    assert set(hashes(first)) == {"model.safetensors", "model.json", "encoders.json", "curve.json"}


def test_the_curve_has_all_epochs_and_at_most_500_steps(tmp_path):
    # 560 steps
    work, outcome = trained(
        tmp_path / "a", config(epochs=80, batch=16, lanes=2), in_process, SAMPLES.slice(0, 100)
    )
    curve = json.loads((work.folder / "curve.json").read_text())
    assert [epoch["rows"] for epoch in curve["epochs"]] == [100] * 80
    assert 250 <= len(curve["steps"]) <= 500
    assert curve["start"] is None
    assert curve["world"] == 1
    assert outcome.metrics["loss"] == curve["epochs"][-1]["loss"] < curve["epochs"][0]["loss"]


def test_a_warm_start_continues_the_champion_and_another_architecture_starts_fresh(tmp_path):
    work, outcome = alone(tmp_path / "first")
    champion = toy_shards.finished(work, outcome)
    tomorrow = toy_shards.baskets(600, items=44, seed=5)  # four new items

    def second(name, **changes):
        return trained(
            tmp_path / name, config(**changes), in_process, tomorrow, champion=champion, date="2011-02-25"
        )[1].metrics

    warm = second("warm")
    assert warm["start"] == "2011-02-24"
    assert second("cold", warm_start=False)["start"] is None
    assert second("wider", model={"use": "bag_mlp", "dim": 9})["start"] is None
    assert warm["loss"] < second("cold again", warm_start=False)["loss"]


def test_fewer_rows_than_lanes_and_batches_larger_than_the_data_train(tmp_path):
    _, outcome = trained(tmp_path / "few", config(batch=512), in_process, toy_shards.baskets(5))
    assert outcome.metrics["steps"] == 3
    assert outcome.ledger.rows_out == 5


def test_no_rows_is_an_error_of_one_line(tmp_path):
    with pytest.raises(TrainingError, match="no training rows"):
        trained(
            tmp_path / "none",
            config(),
            in_process,
            toy_shards.baskets(0),
            encoders=toy_shards.encoders_of(SAMPLES),
            shards=1,
        )


# A rank that dies by SIGKILL in a given epoch and step, whatever launched it.
KILLED = """
import os, signal, sys
from lsml_spark.train import worker
from lsml_spark.train.step import Updates
plain, calls = Updates.step, iter(range(10**6))
def step(*arguments, **told):
    if os.environ.get("RANK", "0") == "{rank}" and next(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(*arguments, **told)
Updates.step = step
sys.exit(worker.main(sys.argv[1:]))
"""


def dying(rank, call):
    """A launcher whose `rank` kills itself at its `call`-th step (10 steps make an epoch)."""

    def start(spec_path, ranks, log_path):
        script = spec_path.parent / "killed.py"
        script.write_text(KILLED.format(rank=rank, call=call))
        torchrun = (
            ["-m", "lsml_spark.train.survival.agent", "--standalone", f"--nproc-per-node={ranks}"]
            if ranks > 1
            else []
        )
        environment = {**os.environ, **launch.environment()}
        done = subprocess.run(
            [sys.executable, *torchrun, str(script), str(spec_path)], env=environment, capture_output=True
        )
        if done.returncode:
            raise TrainingError("killed")

    return start


@pytest.mark.dist
@pytest.mark.parametrize(
    ("ranks", "rank", "call"), [(1, 0, 15), (2, 1, 24), pytest.param(2, 0, 3, marks=pytest.mark.slow)]
)
def test_a_run_killed_at_any_step_goes_on_to_the_undisturbed_result(tmp_path, ranks, rank, call):
    _, undisturbed = alone(tmp_path / "undisturbed")
    (tmp_path / "killed").mkdir()
    work = toy_shards.night(tmp_path / "killed", SAMPLES)
    with pytest.raises(TrainingError):
        run(work, config(workers=ranks), dying(rank, call))
    kept = sorted((tmp_path / "killed" / ".train").glob("checkpoint-*.json"))
    assert [path.stem for path in kept[-1:]] == [f"checkpoint-{call // 10:05d}-00000000"] * (call >= 10)
    resumed = run(work, config(), in_process)
    assert hashes(resumed) == hashes(undisturbed)
    assert resumed.metrics == undisturbed.metrics
    assert resumed.ledger == undisturbed.ledger


def test_a_checkpoint_of_another_config_is_not_continued(tmp_path):
    _, undisturbed = alone(tmp_path / "undisturbed", epochs=2)
    (tmp_path / "killed").mkdir()
    work = toy_shards.night(tmp_path / "killed", SAMPLES)
    with pytest.raises(TrainingError):
        run(work, config(), dying(0, 15))
    assert hashes(run(work, config(epochs=2), in_process)) == hashes(undisturbed)


@pytest.mark.dist
def test_a_row_that_makes_the_loss_not_finite_stops_all_ranks_and_is_named(tmp_path):
    weight = SAMPLES["weight"].to_numpy().copy()
    weight[123] = np.nan
    samples = SAMPLES.set_column(SAMPLES.schema.get_field_index("weight"), "weight", [weight])
    with pytest.raises(
        TrainingError,
        match=r"epoch 0, step \d: the loss .*; sample ids: s4-123 \(part-00000\.parquet, row group 1\);",
    ):
        trained(tmp_path / "nan", config(workers=2), None, samples)
    results = [
        json.loads(path.read_text())["error"]
        for path in sorted((tmp_path / "nan" / ".train").glob("rank-*.json"))
    ]
    assert len(results) == 2
    assert results[0] == results[1]
    assert not list((tmp_path / "nan" / "train").iterdir())


def test_a_diverging_run_blames_the_learning_rate(tmp_path):
    with pytest.raises(TrainingError, match=r"it diverged; lower train\.optimizer\.lr"):
        alone(tmp_path / "wild", optimizer={"use": "sgd", "lr": 1e30}, clip=None)


@pytest.mark.dist
def test_a_damaged_shard_is_named_and_ends_the_worker_with_its_exit_code(tmp_path):
    work = toy_shards.night(tmp_path, SAMPLES, shards=1)
    path = work.inputs["shard"].files("train")[0]
    seen = {}

    def damage(spec_path, ranks, log_path):  # after the stage has read the labels for its prior
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        try:
            launch.local(spec_path, ranks, log_path)
        finally:
            one = subprocess.run(
                launch.command(spec_path),
                env={**os.environ, **launch.environment()},
                capture_output=True,
                text=True,
            )
            seen["code"], seen["lines"] = one.returncode, one.stderr.strip().splitlines()

    with pytest.raises(IntegrityError, match=r"part-00000\.parquet, row group \d"):
        run(work, config(workers=2), damage)
    assert seen["code"] == 4  # to launchers: a retry cannot mend this
    assert len(seen["lines"]) == 1
    assert seen["lines"][0].startswith("error: ")


def test_a_rank_without_a_result_is_an_error_even_if_the_launcher_saw_none(tmp_path):
    with pytest.raises(TrainingError, match="rank 0 of 2 ended without a result"):
        trained(tmp_path / "silent", config(workers=2), lambda *_: None)


@pytest.mark.dist
def test_training_needs_no_pyspark_and_the_stage_itself_no_torch(tmp_path):
    """Where `import pyspark` fails, in the stage and in its ranks; the process of the stage does not even
    import torch.
    """
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pyspark'] = None\n")
    (tmp_path / "night").mkdir()
    code = f"""
import sys
sys.path.insert(0, {str(PROJECT / "tests" / "data")!r})
import toy_shards
try:
    import pyspark
except ImportError:
    pass
else:
    raise AssertionError("pyspark is there")
from pathlib import Path
from lsml_spark.core.config import validate
from lsml_spark.train.run import Config, run
config = validate(Config, {{"model": "bag_mlp", "workers": 2, "epochs": 1}}, "test")
run(toy_shards.night(Path({str(tmp_path / "night")!r}), toy_shards.baskets(100)), config)
assert "torch" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT)])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "night" / "train" / "model.safetensors").exists()


@pytest.mark.dist
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_no_rank_outlives_a_killed_launcher(tmp_path):
    """The ranks hold a FIFO open for writing; when the last of them is dead, reading it ends."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    hanging = tmp_path / "hanging.py"
    hanging.write_text(
        "import os, signal, sys\nfrom lsml_spark.core.process import die_with_parent\ndie_with_parent()\n"
        f"pipe = open({str(fifo)!r}, 'w')\npipe.write('ready ')\npipe.flush()\nsignal.pause()\n"
    )
    torchrun = [
        sys.executable,
        "-m",
        "lsml_spark.train.survival.agent",
        "--standalone",
        "--nproc-per-node=2",
        str(hanging),
    ]
    code = f"import subprocess; subprocess.run({torchrun!r})"
    with (tmp_path / "log").open("w") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **launch.environment()}, stdout=log, stderr=log
        )
    with fifo.open() as pipe:
        assert pipe.read(12) == "ready ready "
        parent.kill()
        parent.wait()
        assert pipe.read() == ""  # returns only when no rank holds the FIFO any more
