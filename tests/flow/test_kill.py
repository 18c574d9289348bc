"""`kill -9` at any moment, the same command again: the night ends with the very data of an undisturbed one."""

import os
import random
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest
from nights import identities, lsml, lsml_process, plain_environment

from lsml_spark.flow.pipeline import STAGES

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = ("run", "--date", "2011-01-14")


def kill_when(root, said: str, seconds_later: float = 0.0, group: bool = True) -> None:
    """Start the night, and kill it (its process group, or the driver alone) some seconds after it has said something."""
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
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_moment(nights, finished, seed):
    shutil.rmtree(nights / "retail" / "2011-01-14")
    draw = random.Random(seed)
    kill_when(nights, f"{draw.choice(STAGES[:8]):<8} ", draw.uniform(0, 5), group=draw.random() < 0.5)
    finish_and_compare(nights, finished)
