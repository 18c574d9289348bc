"""`kill -9` at any moment, the same command again: the night ends with the very data of an undisturbed
one.
"""

import os
import random
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest
from nights import identities, lsml, lsml_process, plain_environment

from lsml_spark.core.stages import STAGES

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = ("run", "--date", "2011-01-14")


def kill_when(root, said: str, seconds_later: float = 0.0, group: bool = True) -> None:
    """Start the night, and kill it (its process group, or the driver alone) some seconds after it has said
    something.
    """
    process = lsml_process(*NIGHT, root=root, env=plain_environment())
    with process.stdout:
        assert any(said in line for line in process.stdout), f"the night never said '{said}'"
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds_later)
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()


def finish_and_compare(root, undisturbed):
    result = lsml(*NIGHT, root=root)
    assert result.exit_code == 0, result.output
    assert identities(root, "2011-01-14") == identities(undisturbed, "2011-01-14")
    assert lsml("verify", root=root).exit_code == 0


@pytest.mark.parametrize(
    ("said", "group"),
    [("prepare  done", True), pytest.param("shard    done", False, marks=pytest.mark.slow)],
    ids=["group", "driver alone"],
)
def test_killed_after_a_stage(nights, finished, said, group):
    for stage in STAGES[1:]:
        shutil.rmtree(nights / "retail" / "2011-01-14" / stage)
    kill_when(nights, said, group=group)
    finish_and_compare(nights, finished)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_six_drawn_moments(nights, finished):
    """The killed runs go on from one another; each begins with a drawn stage, so that Spark's are hit as
    often as the others.
    """
    for seed in range(6):
        draw = random.Random(seed)
        first = draw.randrange(len(STAGES) - 2)
        for stage in STAGES[first:]:
            shutil.rmtree(nights / "retail" / "2011-01-14" / stage, ignore_errors=True)
        moments = [f" {stage:<8} " for stage in STAGES[max(first - 1, 0) : first + 3]]  # done, or up to date
        kill_when(nights, draw.choice(moments), draw.uniform(0, 5), group=draw.random() < 0.5)
    finish_and_compare(nights, finished)


@pytest.mark.slow
def test_the_runs_are_made_with_the_umask_and_hold_no_environment(tmp_path):
    words = ("run", "--date", "2011-01-14", "--until", "prepare")
    environment = plain_environment() | {"OF_THE_CALLER": "a value of its own"}
    process = lsml_process(
        *words, root=tmp_path / "runs", settings=("window=1",), env=environment, umask=0o077
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said
    for path in [tmp_path / "runs", *(tmp_path / "runs").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.is_dir() or b"a value of its own" not in path.read_bytes()
