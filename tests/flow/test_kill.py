"""`kill -9` at any moment, the same command again: the night ends with the very data of an undisturbed one."""

import os
import random
import signal
import subprocess

import pytest
from nights import identities, lsml, lsml_process, plain_environment

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = ("run", "--date", "2011-01-14")


def kill_when(root, said: str | None = None, after: float | None = None, group: bool = True) -> bool:
    """Start the night; kill it once it has said something, or after some seconds. False where it ended before."""
    process = lsml_process(*NIGHT, root=root, env=plain_environment())
    if said is not None:
        for line in process.stdout:
            if said in line:
                break
    else:
        try:
            process.wait(timeout=after)
            return False
        except subprocess.TimeoutExpired:
            pass
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return True


def finish_and_compare(root, undisturbed):
    result = lsml(*NIGHT, root=root)
    assert result.exit_code == 0, result.output
    assert identities(root, "2011-01-14") == identities(undisturbed, "2011-01-14")
    assert lsml("verify", root=root).exit_code == 0


@pytest.mark.parametrize(("said", "group"), [("prepare  done", True), ("shard    done", False)], ids=["group", "driver alone"])
def test_killed_after_a_stage(nights, finished, said, group):
    import shutil

    for stage in (
        "prepare",
        "zipf",
        "select",
        "augment",
        "features",
        "shard",
        "train",
        "evaluate",
        "promote",
        "report",
    ):
        shutil.rmtree(nights / "retail" / "2011-01-14" / stage)
    assert kill_when(nights, said=said, group=group)
    finish_and_compare(nights, finished)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_a_random_moment(nights, finished, seed):
    import shutil

    shutil.rmtree(nights / "retail" / "2011-01-14")
    draw = random.Random(seed)
    kill_when(nights, after=draw.uniform(3, 40), group=draw.random() < 0.5)
    finish_and_compare(nights, finished)
