"""What a person sees while a night runs: one line that is drawn over, and how much history is still to be
checked.
"""

import datetime
import io
import logging
import re

import pytest

from lsml_spark.flow import log, night
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.log import say
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.flow.produce import Night

DAY = datetime.date(2024, 3, 10)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    """A console of our own, so that no other test's is touched."""

    def show(stream: io.StringIO) -> io.StringIO:
        monkeypatch.setattr("sys.stderr", stream)
        return stream

    before = log.LOG.handlers[:]
    log.LOG.handlers[:] = [log._Console()]
    log.LOG.setLevel(logging.DEBUG)
    yield show
    log.LOG.handlers[:] = before


def test_on_a_terminal_passing_lines_are_drawn_over_each_other(screen):
    seen = screen(Terminal())
    for line in ("epoch 1", "epoch 2"):
        say(DAY, "train", line, passing=True)
    say(DAY, "train", "done")
    lines = seen.getvalue().split("\n")
    assert lines[0].split("\r\x1b[2K")[1:] == ["2024-03-10 train    epoch 1", "2024-03-10 train    epoch 2"]
    assert lines[1:] == ["2024-03-10 train    done", ""]


def test_a_passing_line_is_cut_at_the_width_of_the_terminal(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    seen = screen(Terminal())
    say(DAY, "train", "x" * 100, passing=True)
    assert len(seen.getvalue().removeprefix("\r\x1b[2K")) == 39
    log.end_line()
    log.end_line()
    assert seen.getvalue().count("\n") == 1


def test_elsewhere_every_line_is_one_of_its_own(screen):
    seen = screen(io.StringIO())
    for line in ("epoch 1", "epoch 2"):
        say(DAY, "train", line, passing=True)
    log.end_line()
    assert seen.getvalue() == "2024-03-10 train    epoch 1\n2024-03-10 train    epoch 2\n"


def test_history_is_counted_and_says_how_long_still(screen, tmp_path, monkeypatch):
    """Four of the seven days before have files; the clock is made up."""
    (tmp_path / "days").mkdir()
    for date in ("2024-03-05", "2024-03-06", "2024-03-08", "2024-03-09"):
        (tmp_path / "days" / f"{date}.csv").write_text("a\n1\n")
    path = tmp_path / "toy.yaml"
    path.write_text(
        'name: toy\nwindow: 7\nraw: {folder: days, files: "{{ date }}.csv"}\nquality: {contract: {a: int}}\n'
    )
    moments, notes = iter(range(0, 6000, 60)), []

    class Made:
        metrics: dict = {}

    class Source:
        manifest = Made()

    def run_stage(one, stage, forced=False, note=""):
        notes.append((one.date.isoformat(), note))
        return Source(), True

    monkeypatch.setattr(night, "run_stage", run_stage)
    monkeypatch.setattr(night.time, "monotonic", lambda: next(moments))
    seen = screen(io.StringIO())
    night.catch_up(Night(Pipeline(path), Runs(tmp_path / "runs", "toy"), DAY))
    assert "4 days of the window are checked first, 2024-03-05 to 2024-03-09" in seen.getvalue()
    assert [date for date, _ in notes] == ["2024-03-05", "2024-03-06", "2024-03-08", "2024-03-09"]
    assert notes[0][1] == "day 1 of 4, history of the window"
    # nothing is known before a day that did not start Spark
    assert notes[1][1] == "day 2 of 4, history of the window"
    assert re.fullmatch(r"day 3 of 4, history of the window, \d min 00 s left", notes[2][1])
    assert notes[3][1] == "day 4 of 4, history of the window"
