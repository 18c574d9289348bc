"""`kill -9` at any moment, the same command again: the night ends with the very data of an undisturbed
one.
"""

import random
import shutil
import signal
import sys

import pytest
from nights import arguments, identities, lsml, lsml_process, plain_environment
from stops import Stop, stop

from lsml_spark.core.stages import STAGES

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = ("run", "--date", "2011-01-14")


def finish_and_compare(root, undisturbed):
    result = lsml(*NIGHT, root=root)
    assert result.exit_code == 0, result.output
    assert identities(root, "2011-01-14") == identities(undisturbed, "2011-01-14")
    assert lsml("verify", root=root).exit_code == 0


@pytest.mark.slow
def test_killed_after_a_stage(nights, finished):
    for stage in STAGES[1:]:
        shutil.rmtree(nights / "retail" / "2011-01-14" / stage)
    words = [sys.executable, "-m", "lsml_spark", *arguments(*NIGHT, root=nights)]
    moment = Stop("prepare  done", 0, signal.SIGKILL, group=True, twice=False)
    assert stop(words, moment, env=plain_environment()).code == -signal.SIGKILL
    finish_and_compare(nights, finished)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_ten_drawn_moments(nights, finished):
    """The killed runs go on from one another; each begins with a drawn stage, so that Spark's are hit as
    often as the others, and ends while Spark starts, in that stage or in one of the next.
    """
    words = [sys.executable, "-m", "lsml_spark", *arguments(*NIGHT, root=nights)]
    for seed in range(10):
        draw = random.Random(seed)
        for stage in STAGES[draw.randrange(len(STAGES) - 2) :]:
            shutil.rmtree(nights / "retail" / "2011-01-14" / stage, ignore_errors=True)
        moment = Stop(None, draw.uniform(1, 16), signal.SIGKILL, seed % 2 == 0, False)
        stop(words, moment, env=plain_environment())
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
