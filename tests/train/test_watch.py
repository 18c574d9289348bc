"""Who stands still, by the pages of all ranks: the right one is blamed, and nobody who only waits or is
merely slow.
"""

import dataclasses
import os
import platform
import threading
import time

import pytest

from lsml_spark.train.survival import heartbeat, results, watch
from lsml_spark.train.survival.heartbeat import PHASES, Beat
from lsml_spark.train.survival.watch import Lookout, Seen, Watch, obituary, slowest, stalled

NOW = 1e9


def page(rank, phase, step=7, allowed=20.0, seconds=None, **told):
    spent = dict.fromkeys(PHASES, 0.0) | (seconds or {})
    return Beat(
        rank, "h", 100 + rank, phase, 0, step, NOW, allowed, spent, 5, NOW, 1 << 20, told.get("reading", "")
    )


def seen(*pages, quiet=(), standing=21.0):
    return {one.rank: Seen(one, 25.0 if one.rank in quiet else 0.5, standing) for one in pages}


@pytest.mark.parametrize("phase", ["start", "data", "compute", "all-reduce", "checkpoint"])
def test_a_rank_that_gives_no_beat_is_blamed_whatever_phase_it_was_in(phase):
    said = stalled(seen(page(0, "all-reduce"), page(1, phase), page(2, "compute"), quiet={1}), 20.0)
    assert said.startswith(
        f"rank 1 on h (process 101) has not answered for 25 s; it was in phase {phase}, epoch 0, step 7"
    )
    assert "rank 0" not in said


@pytest.mark.parametrize("phase", ["data", "checkpoint"])
def test_who_waits_for_a_file_is_blamed_before_those_who_wait_for_it(phase):
    said = stalled(
        seen(
            page(0, "all-reduce"), page(1, phase, reading="part-3.parquet, row group 2"), page(2, "compute")
        ),
        20.0,
    )
    assert said.startswith(
        f"rank 1 on h (process 101) has stood for 21 s in phase {phase}, epoch 0, step 7, reading "
        "part-3.parquet, row group 2"
    )
    assert "look at the disk" in said


def test_who_computes_is_blamed_where_the_others_wait():
    said = stalled(seen(page(0, "all-reduce"), page(1, "all-reduce"), page(2, "compute")), 20.0)
    assert said.startswith("rank 2 on h (process 102) has stood for 21 s in phase compute")
    assert "rank 1" not in said


def test_where_all_wait_the_network_is_blamed_even_if_one_is_a_step_ahead():
    for steps in ((7, 7), (8, 7)):
        said = stalled(seen(*(page(rank, "all-reduce", step) for rank, step in enumerate(steps))), 20.0)
        assert "rank 0 on h" in said
        assert "rank 1 on h" in said
        assert said.endswith("look at the network between them")


def test_a_rank_that_was_looked_at_for_a_shorter_time_is_no_less_at_a_loss():
    both = seen(page(0, "all-reduce"), page(1, "all-reduce"))
    said = stalled(both | {1: dataclasses.replace(both[1], standing=18.0)}, 20.0)
    assert "rank 0 on h" in said
    assert "rank 1 on h" in said
    assert said.endswith("look at the network between them")


def test_nobody_is_blamed_while_somebody_may_still_go_on():
    assert stalled(seen(page(0, "all-reduce"), page(1, "compute", allowed=200.0)), 20.0) is None
    assert stalled(seen(page(0, "all-reduce"), page(1, "data"), standing=19.0), 20.0) is None
    assert stalled(seen(page(0, "all-reduce", allowed=100.0), page(1, "done"), standing=50.0), 20.0) is None
    assert stalled(seen(page(0, "done"), page(1, "done"), quiet={0, 1}), 20.0) is None


def test_a_slow_rank_is_named_with_how_slow_it_is_and_where():
    before = {rank: page(rank, "compute") for rank in range(4)}
    fast = {"data": 0.5, "compute": 1.5}
    now = {rank: page(rank, "compute", seconds=fast) for rank in range(4)}
    assert slowest(before, now, 10.0) is None
    now[2] = page(2, "compute", seconds={"data": 6.0, "compute": 1.5})
    said = slowest(before, now, 10.0)
    assert (
        said
        == "rank 2 on h (process 102) is 3.8 times as slow as the median of the others, which wait for it; "
        "most of it in phase data"
    )
    assert slowest(before, now, 100.0) is None  # four seconds of a hundred are not worth a word
    now[2] = dataclasses.replace(now[2], pid=999)  # another attempt's
    assert slowest(before, now, 10.0) is None


def test_a_process_that_was_stopped_itself_accuses_nobody_when_it_goes_on(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 3602.0, 3603.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    lookout, peer = Lookout(), page(1, "compute")
    quiet = []
    for _ in range(4):
        lookout.tick(1.0)
        quiet.append(lookout.see({1: peer})[1].quiet)
    assert quiet == [0.0, 1.0, 3.0, 4.0]


def test_the_page_holds_where_the_rank_is_the_time_in_phases_and_its_pid(tmp_path):
    with Watch(tmp_path, 3, stall=0.5) as watched:
        watched.reading = lambda: "part-0.parquet, row group 4"
        watched.at("data", 0, 0)
        watched.at("compute", 1, 2)
        beat = heartbeat.read(tmp_path)[3]
        assert (beat.phase, beat.epoch, beat.step, beat.pid, beat.host) == (
            "compute",
            1,
            2,
            os.getpid(),
            platform.node(),
        )
        assert abs(beat.since - time.time()) < 5
        assert beat.seconds["data"] > 0.0
        first = beat.beats
        while heartbeat.read(tmp_path)[3].beats < first + 2:
            threading.Event().wait(0.01)
        beat = heartbeat.read(tmp_path)[3]
        assert beat.reading == "part-0.parquet, row group 4"
        assert beat.resident > 1 << 20
        assert beat.ended() is False
        watched.at("done")
    assert dataclasses.replace(beat, pid=2**22 + 1).ended() is True
    assert dataclasses.replace(beat, host="elsewhere").ended() is None


def test_a_half_written_page_is_none(tmp_path):
    (tmp_path / "heartbeat-0").write_bytes(b"\1" * 100)
    (tmp_path / "heartbeat-1").write_bytes(b"")
    assert heartbeat.read(tmp_path) == {}


def test_an_obituary_becomes_the_result_of_a_rank_that_left_none_and_hides_no_other(tmp_path):
    assert (
        obituary(tmp_path, 1, -9)
        == "rank 1 was killed by signal 9, often the memory limit of its host or container before it joined "
        "the others"
    )
    assert "killed by signal 9" in str(results.failure(tmp_path))
    results.write(
        tmp_path,
        0,
        {"error": {"type": "IntegrityError", "message": "part-0 is damaged", "lost_peers": False}},
    )
    assert obituary(tmp_path, 0, 4) == "part-0 is damaged"
    results.write(tmp_path, 2, {"world": 3})
    assert obituary(tmp_path, 2, 0) == "rank 2 was done"
    assert results.read(tmp_path)[2] == {"world": 3}


def test_a_file_in_scratch_asks_to_stop_as_sigterm_does(tmp_path):
    with watch.stoppable(), Watch(tmp_path, 0, stall=0.5):
        assert not watch.stop_requested()
        (tmp_path / watch.STOP).touch()
        while not watch.stop_requested():
            threading.Event().wait(0.01)


def test_a_phase_change_costs_microseconds(tmp_path):
    with Watch(tmp_path, 0) as watched:
        clock = time.perf_counter()
        for step in range(2000):
            watched.at("data", 0, step)
            watched.at("compute")
        assert (time.perf_counter() - clock) / 4000 < 50e-6
        watched.at("done")
