"""Workers in a barrier stage: all seats or none, no failure silent, a lost worker started again, none left
behind.
"""

import os
import re
import subprocess
import sys
import threading

import pytest

from lsml_spark.core.errors import EnvironmentProblem, Stopped, TrainingError
from lsml_spark.spark import gang

pytestmark = [pytest.mark.spark, pytest.mark.dist]


def run(spark, tmp_path, code: str, ranks: int = 2, **told) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        f"import os, signal, sys\nfolder = {str(tmp_path)!r}\nrank = os.environ['RANK']\n{code}"
    )
    gang.launch(spark, [str(script)], {"GREETING": "good night"}, ranks, tmp_path, **told)


def test_every_rank_is_told_its_place_and_the_meeting_point_and_rank_0_is_heard(spark, tmp_path):
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "GREETING")
    heard = []
    code = (
        f"open(f'{{folder}}/{{rank}}', 'w').write(' '.join(os.environ[name] for name in {names}))\n"
        "print('I am', rank)"
    )
    run(spark, tmp_path, code, heard=heard.append)
    first, second = ((tmp_path / rank).read_text().split(" ", 3) for rank in "01")
    assert first[:3] == ["0", "2", "0"]
    assert second[:3] == ["1", "2", "1"]
    assert first[3] == second[3]
    assert first[3].endswith("good night")
    assert heard[0].startswith("attempt 1 on ")
    assert heard[1:] == ["I am 0"]
    assert (tmp_path / "worker-1.log").read_text().splitlines()[1:] == ["I am 1"]


def test_an_error_that_a_retry_cannot_mend_is_raised_once_with_its_last_line(spark, tmp_path):
    code = (
        "open(f'{folder}/tries-{rank}', 'a').write('x')\nprint('error: lines 3 and 4 hold NaN')\nsys.exit(4)"
    )
    with pytest.raises(TrainingError, match=r"^lines 3 and 4 hold NaN$"):
        run(spark, tmp_path, code)
    assert (tmp_path / "tries-0").read_text() == "x"


@pytest.mark.parametrize("how", ["sys.exit(143)", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_workers_that_were_asked_to_stop_are_not_started_again(spark, tmp_path, how):
    with pytest.raises(Stopped):
        run(spark, tmp_path, f"open(f'{{folder}}/tries-{{rank}}', 'a').write('x')\n{how}")
    assert (tmp_path / "tries-0").read_text() == "x"


KILLED_ONCE = """
tries = f'{folder}/tries-{rank}'
with open(tries, 'a') as file:
    file.write(os.environ['TORCHELASTIC_RESTART_COUNT'])
if rank == '1' and os.path.getsize(tries) == 1:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_that_is_killed_once_is_started_again_with_its_peers(spark, tmp_path):
    run(spark, tmp_path, KILLED_ONCE)
    assert (tmp_path / "tries-1").read_text() == "01"
    assert (tmp_path / "tries-0").read_text() == "01"


def test_a_job_without_restarts_ends_with_the_first_failure(spark, tmp_path):
    with pytest.raises(TrainingError, match="workers failed 1 times"):
        run(spark, tmp_path, KILLED_ONCE, restarts=0)
    assert (tmp_path / "tries-1").read_text() == "0"


def test_a_worker_that_fails_every_time_ends_the_job_with_its_own_words(spark, tmp_path):
    with pytest.raises(TrainingError, match=r"worker 0 on .* ended with code 1: the cat is on the keyboard"):
        run(spark, tmp_path, "print('the cat is on the keyboard')\nsys.exit(rank == '0')")


@pytest.mark.slow
def test_a_worker_that_hangs_while_its_peer_fails_is_killed_and_all_start_again(spark, tmp_path):
    code = """
from lsml_spark.core.process import die_with_parent
die_with_parent()
with open(f'{folder}/pids-{rank}', 'a') as file:
    file.write(f'{os.getpid()} ')
if os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':
    if rank == '0':
        sys.exit(1)
    os.kill(os.getpid(), signal.SIGSTOP)
"""
    run(spark, tmp_path, code)
    hung, _ = (tmp_path / "pids-1").read_text().split()
    assert not os.path.exists(f"/proc/{hung}")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_cancelled_job_leaves_no_worker(spark, tmp_path):
    fifo = tmp_path / "workers"
    os.mkfifo(fifo)
    code = f"""
from lsml_spark.core.process import die_with_parent
die_with_parent()
pipe = open({str(fifo)!r}, 'w')
pipe.write('ready ')
pipe.flush()
signal.pause()
"""
    errors = []

    def launch():
        try:
            run(spark, tmp_path, code)
        except TrainingError as error:
            errors.append(str(error))

    thread = threading.Thread(target=launch)
    thread.start()
    with fifo.open() as pipe:
        assert pipe.read(12) == "ready ready "
        spark.sparkContext.cancelAllJobs()
        assert pipe.read() == ""  # returns only when no worker holds the FIFO any more
    thread.join()
    assert re.match(r"Spark.s Job \d+ cancelled", errors[0])


def test_more_ranks_than_slots_are_refused_at_once(spark, tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"fewer free slots than train\.workers=64"):
        run(spark, tmp_path, "", ranks=64)


def test_a_host_that_does_not_see_the_folder_is_named(spark, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("")
    with pytest.raises(
        EnvironmentProblem,
        match=r"elsewhere is not to be seen on .*; --root must be a folder that all hosts share",
    ):
        gang.launch(spark, [str(script)], {}, 2, tmp_path / "elsewhere")


GPUS = """
import sys
from pathlib import Path
from lsml_spark.spark import gang
from lsml_spark.spark.session import session

folder = Path(sys.argv[1])
settings = {
    "spark.worker.resource.gpu.amount": "2",
    "spark.worker.resource.gpu.discoveryScript": str(folder / "cards"),
    "spark.executor.resource.gpu.amount": "2",
    "spark.ui.enabled": "false",
}
spark = session(settings, master="local-cluster[1,2,1024]")
gang.launch(spark, [str(folder / "worker.py")], {}, 2, folder)
"""


@pytest.mark.slow
def test_each_worker_sees_the_gpu_that_spark_gave_it(tmp_path):
    """The cards are a script's word: it is Spark's own scheduling that hands them out."""
    (tmp_path / "cards").write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["3", "7"]}'\n""")
    (tmp_path / "cards").chmod(0o755)
    (tmp_path / "worker.py").write_text(
        "import os\nseat = [os.environ[name] for name in ('CUDA_VISIBLE_DEVICES', 'LOCAL_RANK')]\n"
        f"open({str(tmp_path)!r} + '/seat-' + os.environ['RANK'], 'w').write(' '.join(seat))"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    done = subprocess.run(
        [sys.executable, "-c", GPUS, str(tmp_path)], env=plain, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted((tmp_path / f"seat-{rank}").read_text() for rank in (0, 1)) == ["3 0", "7 0"]
