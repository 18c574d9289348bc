"""Every injected fault ends in the undisturbed weights, or in an error that names the rank, the host and the
place.
"""

import platform
import re
import time

import pytest
from toy_jobs import Job

from lsml_spark.core.errors import Stopped, TrainingError
from lsml_spark.train.survival import launch
from lsml_spark.train.survival.heartbeat import read
from lsml_spark.train.worker import in_process

pytestmark = pytest.mark.dist
HOST = re.escape(platform.node())


def test_a_killed_rank_is_named_and_the_run_goes_on_to_the_undisturbed_weights(job, undisturbed):
    said = []

    def local(spec_path, ranks, log_path):
        launch.local(spec_path, ranks, log_path, said.append)

    job.run(job.config("kill"), local)
    assert job.weights() == undisturbed
    restart = next(line for line in said if "restart" in line)
    assert re.search(
        rf"rank 1 on {HOST} \(process \d+\) was killed by signal 9, often the memory limit .*resident memory "
        r"was [\d,]+ MiB\); "
        r"it was in phase compute, epoch 1, step 5.*: restart 1 of 3",
        restart,
    )


def failure(job, *arguments, launch=None, **changes):
    """The error of a run that may not start again, and for how many seconds the one that came to a halt first
    stood before its result.
    """
    with pytest.raises(TrainingError) as caught:
        job.run(job.config(*arguments, restarts=0, **changes), launch)
    halted = min(beat.since for beat in read(job.scratch).values())
    return str(caught.value), max(path.stat().st_mtime for path in job.scratch.glob("rank-*.json")) - halted


@pytest.mark.slow
def test_a_stopped_rank_is_named_and_the_run_goes_on(job, undisturbed):
    said = []
    job.run(job.config("stop"), lambda spec, ranks, log: launch.local(spec, ranks, log, said.append))
    assert job.weights() == undisturbed
    blamed = (
        rf"rank 1 on {HOST} \(process \d+\) has not answered for \d s; it was in phase compute, epoch "
        r"1, step 5.*: restart 1 of 3"
    )
    assert any(re.search(blamed, line) for line in said), said


def test_a_rank_that_hangs_is_told_from_those_that_wait_for_it(job):
    message, seconds = failure(job, "hang")
    assert re.search(
        rf"^rank 1 on {HOST} \(process \d+\) has stood for \d s in phase compute, epoch 1, step 5", message
    )
    assert seconds < 30


@pytest.mark.slow
def test_with_the_default_patience_a_stopped_rank_ends_the_run_within_30_seconds_of_its_stop(job):
    def local(spec_path, ranks, log_path):
        launch.local(spec_path, ranks, log_path, restarts=0)

    message, _ = failure(job, "stop", launch=local, stall=20.0)
    assert re.search(
        rf"^rank 1 on {HOST} .* has not answered for 2\d s; it was in phase compute, epoch 1, step 5", message
    )
    assert time.time() - job.marker.stat().st_mtime < 30


def test_a_rank_out_of_memory_says_so_and_is_not_tried_again(job):
    with pytest.raises(
        TrainingError,
        match=rf"^rank 1 on {HOST} .*epoch 1, step 5.*, ran out of memory: .*lower train\.batch",
    ):
        job.run(job.config("memory", once=False))
    assert "restart" not in job.log()


@pytest.mark.slow
def test_a_rank_that_leaves_without_a_result_is_an_error_that_names_it(job):
    message, _ = failure(job, "exit")
    assert re.search(
        rf"^rank 1 on {HOST} .* ended with exit code 0 and no result; it was in phase compute, epoch 1, step "
        r"5",
        message,
    )


@pytest.mark.slow
def test_a_bug_of_a_rank_is_told_with_its_line_and_what_is_always_fatal_is_not_tried_for_ever(job):
    with pytest.raises(
        TrainingError, match=rf"^rank 1 on {HOST} .* failed: KeyError: 'colour' \(.*toy_fault\.py, line \d+\)"
    ):
        job.run(job.config("bug", once=False, call=0, restarts=1))
    assert job.log().count("restart 1 of 1") == 1


def test_sigterm_to_one_rank_stops_all_and_the_same_command_goes_on(job, undisturbed):
    with pytest.raises(Stopped):
        job.run(job.config("term"))
    assert "restart" not in job.log()
    job.run(job.config("term"))
    assert job.weights() == undisturbed


@pytest.mark.slow
def test_one_rank_alone_is_started_again_too(job, tmp_path):
    alone = Job(tmp_path / "alone")
    alone.run(alone.config(workers=1), in_process)
    said = []
    told = job.config("kill", workers=1, rank=0)
    job.run(told, lambda spec, ranks, log: launch.local(spec, ranks, log, said.append))
    assert job.weights() == alone.weights()
    assert any(
        re.search(
            r"rank 0 .* was killed by signal 9, .*phase compute, epoch \d, step \d.*: restart 1 of 3", line
        )
        for line in said
    )


@pytest.mark.slow
def test_a_slow_rank_is_named_and_not_ended(job):
    said = []
    job.run(job.config("slow", call=0), lambda spec, ranks, log: launch.local(spec, ranks, log, said.append))
    slow = (
        rf"rank 1 on {HOST} .* is .* the median of the others, which wait for it; most of it in phase compute"
    )
    assert any(re.search(slow, line) for line in said), said


def test_a_file_system_that_stalls_is_named_by_file_and_rank(job):
    """Reading waits for ever, as on a network file system whose server is gone."""
    message, seconds = failure(job, "stall")
    assert re.search(
        rf"rank [01] on {HOST} .* has stood for \d s in phase data, epoch 0, step 0, reading "
        r".*part-0000\d\.parquet, row group \d",
        message,
    )
    assert "look at the disk" in message
    assert seconds < 30
