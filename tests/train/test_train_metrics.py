"""Each step is there once, in metrics.jsonl and for TensorBoard, whatever was killed when."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lsml_spark.train.books import metrics
from lsml_spark.train.books.clock import PHASES
from lsml_spark.train.books.metrics import METRICS, Metrics, StepRecord, collect, keep_before


def record(step, loss=None, **more):
    seconds = {phase: 0.001 * (place + 1) for place, phase in enumerate(PHASES)}
    return StepRecord(
        step, step // 10, 1 / (step + 1) if loss is None else loss, 0.1, 64, 64.0, seconds, 4000.0, **more
    )


def write(folder, first, last, **told):
    with Metrics(folder, first, **{"tensorboard": False} | told) as log:
        for step in range(first, last):
            log.write(record(step))


def numbers(folder):
    return [line["step"] for line in metrics.read(folder / METRICS)]


def test_a_step_is_a_line_of_json_with_all_that_is_known_of_it(tmp_path):
    with Metrics(tmp_path, 0, tensorboard=False) as log:
        log.write(record(0, grad_norm=2.5, loss_scale=1024.0))
    (line,) = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert line == {
        "step": 0, "epoch": 0, "loss": 1.0, "lr": 0.1, "rows": 64, "weight": 64.0,
        "seconds": dict(record(0).seconds),
        "rows_per_second": 4000.0, "grad_norm": 2.5, "loss_scale": 1024.0,
    }  # fmt: skip


def test_what_is_not_a_number_in_json_is_null(tmp_path):
    with Metrics(tmp_path, 0, tensorboard=False) as log:
        log.write(record(0, grad_norm=float("inf"), loss=float("nan")))
    (line,) = metrics.read(tmp_path / METRICS)
    assert (line["grad_norm"], line["loss"]) == (None, None)


def test_a_resumed_run_goes_on_from_its_checkpoint_and_no_step_is_there_twice(tmp_path):
    write(tmp_path, 0, 37)  # the last checkpoint was at step 30
    assert keep_before(tmp_path / METRICS, 30) == 30
    write(tmp_path, 30, 50)
    assert numbers(tmp_path) == list(range(50))


def test_a_run_from_the_start_forgets_the_one_before(tmp_path):
    write(tmp_path, 0, 5)
    write(tmp_path, 0, 2)
    assert numbers(tmp_path) == [0, 1]


@pytest.mark.parametrize("torn", [b'{"step":12,"ep', b'{"step":12', b"\0" * 40, b"\0\0\n", b"{}\n"])
def test_half_a_line_is_not_read_and_cut_at_the_next_start(tmp_path, torn):
    write(tmp_path, 0, 12)
    with (tmp_path / METRICS).open("ab") as file:
        file.write(torn)
    write(tmp_path, 12, 14)
    assert numbers(tmp_path) == list(range(14))


def test_a_killed_process_loses_no_step_that_it_wrote(tmp_path):
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2]); import test_train_metrics as t\n"
        "log = t.Metrics(pathlib.Path(sys.argv[1]), 0, tensorboard=False); [log.write(t.record(s)) for s in "
        "range(100)]\n"
        "print('written', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path), os.path.dirname(__file__)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert numbers(tmp_path) == list(range(100))


def test_without_tensorboard_it_goes_on_and_says_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(metrics, "tensorboard_installed", lambda: False)
    write(tmp_path, 0, 3, tensorboard=True)
    assert capsys.readouterr().out == ""
    assert numbers(tmp_path) == [0, 1, 2]


def test_finished_files_are_copied_into_the_stage_folder(tmp_path):
    scratch, out = tmp_path / "scratch", tmp_path / "train"
    scratch.mkdir()
    out.mkdir()
    write(scratch, 0, 3)
    (scratch / "events").mkdir()
    (scratch / "events" / "events.out.tfevents.1.host").write_bytes(b"x")
    assert [path.relative_to(out).as_posix() for path in collect(scratch, out)] == [
        METRICS,
        "events/events.out.tfevents.1.host",
    ]
    assert numbers(out) == [0, 1, 2]
    assert (scratch / METRICS).exists()  # until the stage is finished


def test_a_line_takes_little_of_a_step(tmp_path):
    taken = []
    with Metrics(tmp_path, 0, tensorboard=False) as log:
        for step in range(300):
            start = time.perf_counter()
            log.write(record(step))
            taken.append(time.perf_counter() - start)
    assert min(taken) < 200e-6


@pytest.mark.filterwarnings("ignore")  # tensorboard's own
def test_tensorboard_reads_every_step_once_after_a_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "EVENT_SECONDS", 0.0)
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, 0, 37, tensorboard=True)
    write(tmp_path, 30, 50, tensorboard=True)
    read = accumulators.EventAccumulator(str(tmp_path / "events"), size_guidance={accumulators.SCALARS: 0})
    read.Reload()
    for tag in ("loss", "lr", "rows_per_second", *(f"seconds/{phase}" for phase in PHASES)):
        assert [event.step for event in read.Scalars(tag)] == list(range(50)), tag
    assert [event.value for event in read.Scalars("loss")] == pytest.approx(
        [1 / (step + 1) for step in range(50)]
    )
    assert "grad_norm" not in read.Tags()["scalars"]
