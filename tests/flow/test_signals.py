"""A signal stops `lsml`: exit code 143, 130 or 129, one line, no child left, whatever else goes wrong
meanwhile.
"""

import random
import shutil
import subprocess
import sys

import pytest
from nights import arguments, identities, lsml, plain_environment
from stops import CODES, Stop, stop

from lsml_spark.core.stages import SPARK_STAGES, STAGES

# Works in a child, in a thread and in C; talks to a child that the same signal has ended; raises over
# whatever comes.
CODE = """
import subprocess, sys, threading, time
from lsml_spark.core import stopping
stopping.install()
from lsml_spark.flow.guard import guarded
with guarded():
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = subprocess.Popen(sleep, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    def thread():
        child.wait()
        raise ConnectionRefusedError("of a thread that talks to Java")
    threading.Thread(target=thread, daemon=True).start()
    print("2011-02-01 quality  ready", flush=True)
    try:
        time.sleep(60)
    except BaseException:
        print("taken for an error of its own")
    finally:
        raise KeyError("p")
"""
NIGHT = ("run", "--date", "2011-01-14")


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
@pytest.mark.parametrize(("group", "twice"), [(False, False), (True, False), (True, True)])
def test_one_line_and_the_code_of_the_signal_whatever_a_finally_raises(number, group, twice):
    found = stop([sys.executable, "-c", CODE], Stop("ready", 0.05, number, group, twice))
    assert found.code == CODES[number]
    assert found.odd == [f"error: stopped by {number.name}; run the same command again to go on"]
    assert not found.children


def test_what_nohup_ignores_stays_ignored():
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom lsml_spark.core import "
        "stopping\n"
    )
    code += "stopping.install(); os.kill(os.getpid(), signal.SIGHUP); print('goes on')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "goes on\n"


def drawn(seed: int) -> tuple[str, Stop]:
    """A stage to begin with, and a stop that comes while Spark starts, in that stage or in one of the
    next.
    """
    chosen = random.Random(seed)
    first = chosen.choice(STAGES)
    longest = 16.0 if first in SPARK_STAGES else 8.0
    number = chosen.choice(list(CODES))
    return first, Stop(None, chosen.uniform(0.5, longest), number, seed % 2 == 0, chosen.random() < 0.25)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.timeout(1800)
def test_a_night_stopped_at_30_drawn_moments_says_so_and_goes_on(finished, tmp_path):
    """The stopped runs go on from one another, as a scheduler would have it, so that all of the night is
    hit.
    """
    root = shutil.copytree(finished, tmp_path / "runs")
    words = [sys.executable, "-m", "lsml_spark", *arguments(*NIGHT, root=root)]
    for seed in range(30):
        first, one = drawn(seed)
        for stage in STAGES[STAGES.index(first) :]:
            shutil.rmtree(root / "retail" / "2011-01-14" / stage, ignore_errors=True)
        found = stop(words, one, env=plain_environment())
        what = f"seed {seed}, from {first}, {one}: {found}"
        if found.code == 0:
            continue  # it was faster
        if found.lines or found.code > 0:  # else the interpreter had not begun to read us
            assert found.code == CODES[one.number], what
            assert [line for line in found.odd if not line.startswith("report: ")] == [
                f"error: stopped by {one.number.name}; run the same command again to go on"
            ], what
        assert not found.children, what
    result = lsml(*NIGHT, root=root)
    assert result.exit_code == 0, result.output
    assert identities(root, "2011-01-14") == identities(finished, "2011-01-14")
    assert lsml("verify", root=root).exit_code == 0
