"""The live line says what a person waits for, in a log and on a terminal."""

import io

import pytest

from lsml_spark.core import duration
from lsml_spark.core.process import PROGRESS
from lsml_spark.train.books.clock import COMPUTE, DATA, StepClock
from lsml_spark.train.books.progress import Progress, passing


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(out, until, seconds_a_step=0.5, data=0.1, **told):
    """Steps of 100 rows each up to `until`, by hand."""
    moment = [0.0]
    clock = StepClock(lambda: int(moment[0] * 1e9))
    progress = Progress(clock=clock, out=out, now=lambda: moment[0], epochs=3, **told)
    for step in range(told.get("first", 0), until):
        clock.to(DATA)
        moment[0] += data
        clock.to(COMPUTE)
        moment[0] += seconds_a_step - data
        clock.step_done()
        progress.show(step, step // 40, 100, 1 / (step + 1), 0.25)
    progress.close()


def test_a_line_every_two_seconds_with_rate_loss_position_and_time_left():
    out = io.StringIO()
    run(out, 9, steps=120)
    lines = out.getvalue().splitlines()
    assert lines == [
        f"{PROGRESS}epoch 1/3  step 4/120  200 rows/s  loss 0.2500  lr 0.25  data wait 20%  58 s left",
        f"{PROGRESS}epoch 1/3  step 8/120  200 rows/s  loss 0.1250  lr 0.25  data wait 20%  56 s left",
    ]


def test_the_time_left_is_what_the_budget_leaves_where_that_is_shorter():
    out = io.StringIO()
    run(out, 4, steps=120, ends=10.0)
    assert out.getvalue().rstrip().endswith("  8 s left")
    late = io.StringIO()
    run(late, 8, steps=120, ends=3.0)
    assert late.getvalue().rstrip().endswith("  0 s left")


def test_a_resumed_training_takes_its_speed_from_its_own_steps():
    out = io.StringIO()
    run(out, 84, steps=120, first=80)
    assert (
        out.getvalue()
        == f"{PROGRESS}epoch 3/3  step 84/120  200 rows/s  loss 0.0119  lr 0.25  data wait 20%  18 s left\n"
    )


def test_the_speed_follows_a_training_that_becomes_slower():
    moment = [0.0]
    out = io.StringIO()
    progress = Progress(clock=StepClock(), out=out, now=lambda: moment[0], epochs=1, steps=10_000)
    for step in range(200):
        moment[0] += 1.0 if step < 100 else 4.0
        progress.show(step, 0, 100, 1.0, 0.1)
    assert "  25 rows/s  " in out.getvalue().splitlines()[-1]


def test_on_a_terminal_the_line_is_redrawn_in_place_and_left_standing():
    out = Terminal()
    run(out, 9, steps=120)
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().endswith("56 s left\n")
    assert out.getvalue().count("\r") == 2
    assert PROGRESS not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds, words):
    assert duration.said(seconds) == words


def test_its_own_lines_pass_and_news_stay():
    """On a terminal the launcher draws the first over each other."""
    out = io.StringIO()
    clock, moments = StepClock(), iter([0.0, 10.0])
    Progress(steps=100, epochs=2, clock=clock, out=out, now=lambda: next(moments)).show(3, 0, 64, 1.5, 0.1)
    assert passing(out.getvalue().removeprefix(PROGRESS))
    assert not passing("rank 1 was killed: restart 1 of 3")
