"""Workers in a barrier stage: all seats or none, no failure silent, a lost worker started again."""

import pytest

from lsml_spark.core.errors import EnvironmentProblem, TrainingError
from lsml_spark.spark import gang

pytestmark = [pytest.mark.spark, pytest.mark.dist]


def run(spark, tmp_path, code: str, ranks: int = 2) -> None:
    script = tmp_path / "worker.py"
    script.write_text(f"import os, signal, sys\nfolder = {str(tmp_path)!r}\nrank = os.environ['RANK']\n{code}")
    gang.launch(spark, [str(script)], {"GREETING": "good night"}, ranks)


def test_every_rank_is_told_its_place_and_the_meeting_point(spark, tmp_path):
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "GREETING")
    run(spark, tmp_path, f"open(f'{{folder}}/{{rank}}', 'w').write(' '.join(os.environ[name] for name in {names}))")
    first, second = ((tmp_path / rank).read_text().split(" ", 3) for rank in "01")
    assert first[:3] == ["0", "2", "0"]
    assert second[:3] == ["1", "2", "1"]
    assert first[3] == second[3]
    assert first[3].endswith("good night")


def test_an_error_that_a_retry_cannot_mend_is_raised_once_with_its_last_line(spark, tmp_path):
    code = "open(f'{folder}/tries-{rank}', 'a').write('x')\nprint('error: lines 3 and 4 hold NaN')\nsys.exit(4)"
    with pytest.raises(TrainingError, match="lines 3 and 4 hold NaN"):
        run(spark, tmp_path, code)
    assert (tmp_path / "tries-0").read_text() == "x"


def test_a_worker_that_is_killed_once_is_started_again_with_its_peers(spark, tmp_path):
    code = """
tries = f'{folder}/tries-{rank}'
with open(tries, 'a') as file:
    file.write('x')
if rank == '1' and os.path.getsize(tries) == 1:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    run(spark, tmp_path, code)
    assert (tmp_path / "tries-1").read_text() == "xx"
    assert (tmp_path / "tries-0").read_text() == "xx"


def test_a_worker_that_fails_every_time_ends_the_job_with_its_own_words(spark, tmp_path):
    with pytest.raises(TrainingError, match=r"worker 0 on .* ended with code 1: the cat is on the keyboard"):
        run(spark, tmp_path, "print('the cat is on the keyboard')\nsys.exit(rank == '0')")


def test_more_ranks_than_slots_are_refused_at_once(spark, tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"fewer free slots than train\.workers=64"):
        run(spark, tmp_path, "", ranks=64)
