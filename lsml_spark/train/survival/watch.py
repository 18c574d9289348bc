"""Nobody waits for ever: a thread of every rank sees who stands still, says who, where and since when, and
ends its rank.

gloo tells at once of a peer that died, but waits for its whole timeout on one that hangs, and never says
where that was. So each rank keeps a page (`heartbeat.py`), and reads the others' when it stands still itself.
Time is counted in ticks of the watching thread, so a process that was itself stopped for an hour accuses
nobody when it goes on.
"""

import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lsml_spark.core.stopping import acting as on_sigterm
from lsml_spark.train.survival import heartbeat, results
from lsml_spark.train.survival.heartbeat import NUMBER, PHASES, Beat, Page

STALL = 20.0  # seconds
PERIOD = 1.0  # seconds between two beats, at most
# times `stall` for the phases before the end of the first step: compilation, a device that wakes up
FIRST = 10
LONGER = 5  # times the longest so far of a phase are no stall
OWN = ("data", "checkpoint")  # phases in which a rank waits for no other
SLOW = 2.0  # times the median of the others
STOP = "stop"  # a file in scratch that asks all ranks to stop, as SIGTERM does

_asked = False


def stop_requested() -> bool:
    """Whether this rank was asked to stop, by SIGTERM or by the file `stop` in scratch. Others may not have
    been yet.
    """
    return _asked


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it SIGTERM, SIGINT and SIGHUP only set what `stop_requested` says, so that the step can be
    finished.
    """
    global _asked
    _asked = False
    with on_sigterm(_ask):
        yield


def _ask() -> None:
    global _asked
    _asked = True


@dataclass(frozen=True)
class Seen:
    """A rank's page, with seconds counted by who looks: since it last gave a beat, and since it is where it
    is.
    """

    beat: Beat
    quiet: float
    standing: float

    @property
    def overdue(self) -> bool:
        return self.standing > self.beat.allowed


def stalled(seen: Mapping[int, Seen], stall: float) -> str | None:
    """Who is at fault where nothing moves; None while somebody may still be expected to go on.

    First those that give no beat (stopped, or their host is cut off); then those that stand in a phase in
    which they wait for no one; then, where some wait for others, those that compute. Where all wait, each has
    its peers to wait for but the network between them: whose message was lost may be a step ahead of the
    other.
    """
    live = {rank: one for rank, one in seen.items() if one.beat.phase != "done"}
    silent = [one for one in live.values() if one.quiet > stall]
    if silent:
        return "; ".join(
            f"{one.beat.name} has not answered for {one.quiet:.0f} s; it was in {one.beat.place}"
            for one in silent
        )
    late = [one for one in live.values() if one.overdue]
    if not late or any(not one.overdue and one.beat.phase != "all-reduce" for one in live.values()):
        return None
    waiting = any(one.beat.phase == "all-reduce" for one in live.values())
    computing = [one for one in late if one.beat.phase not in ("all-reduce", *OWN)]
    culprits = (
        [one for one in late if one.beat.phase in OWN]
        or (computing if waiting else [])
        or list(live.values())
    )
    sentences = "; ".join(
        f"{one.beat.name} has stood for {one.standing:.0f} s in {one.beat.place}" for one in culprits
    )
    if len(culprits) == len(live) > 1:
        return f"no rank goes on, all of them answer: {sentences}; look at the network between them"
    return (
        f"{sentences}; look at the disk or file system that it uses"
        if culprits[0].beat.phase in OWN
        else sentences
    )


def slowest(before: Mapping[int, Beat], now: Mapping[int, Beat], seconds: float) -> str | None:
    """The rank whose data and compute took far longer than the median of the others, where that costs a tenth
    of the time.
    """
    busy = {
        rank: {phase: now[rank].seconds[phase] - before[rank].seconds[phase] for phase in ("data", "compute")}
        for rank in now
        if rank in before and now[rank].pid == before[rank].pid
    }
    if len(busy) < 2:
        return None
    rank = max(busy, key=lambda rank: sum(busy[rank].values()))
    others = statistics.median(sum(spent.values()) for other, spent in busy.items() if other != rank)
    own = sum(busy[rank].values())
    if own < SLOW * others or own - others < seconds / 10:
        return None
    phase = max(busy[rank], key=lambda phase: busy[rank][phase])
    times = f"{own / others:.1f} times as slow as" if others > 0.01 * own else "far slower than"
    return (
        f"{now[rank].name} is {times} the median of the others, which wait for it; most of it in phase "
        f"{phase}"
    )


class Lookout:
    """For how long pages have stood still, on a clock of ticks."""

    def __init__(self) -> None:
        self.clock, self.last = 0.0, time.monotonic()
        self.beaten: dict[int, tuple[tuple, float]] = {}  # by rank: its beats, and when they changed
        self.moved: dict[int, tuple[tuple, float]] = {}  # its place, and when that changed

    def tick(self, period: float) -> None:
        now = time.monotonic()
        self.clock += min(now - self.last, 2 * period)
        self.last = now

    def see(self, pages: Mapping[int, Beat]) -> dict[int, Seen]:
        seen = {}
        for rank, page in pages.items():
            quiet = self._since(self.beaten, rank, (page.pid, page.beats))
            seen[rank] = Seen(
                page,
                quiet,
                self._since(self.moved, rank, (page.pid, page.phase, page.epoch, page.step, page.since)),
            )
        return seen

    def forget(self, but: int) -> None:
        """Begin anew with the other ranks: nobody looks at them for a while."""
        for known in (self.beaten, self.moved):
            for rank in set(known) - {but}:
                del known[rank]

    def _since(self, known: dict[int, tuple[tuple, float]], rank: int, now: tuple) -> float:
        then, clock = known.get(rank, (None, self.clock))
        if then != now:
            known[rank] = (now, self.clock)
            return 0.0
        return self.clock - clock


class Watch:
    """What one rank says of itself, and the thread that looks after it and its peers. Use it in a `with`.

    `scratch`: the job's folder, seen by all hosts. `stall`: seconds in one phase that are too many (more
    where such phases were long before, and in the first step). `say` takes warnings. `code`: the exit code
    where the watch ends the process.
    """

    def __init__(
        self,
        scratch: Path,
        rank: int,
        stall: float = STALL,
        say: Callable[[str], None] = print,
        code: int = 1,
        several_hosts: bool = False,
    ):
        self.scratch, self.rank, self.stall, self.say, self.code, self.several_hosts = (
            scratch,
            rank,
            stall,
            say,
            code,
            several_hosts,
        )
        # asked at every beat: which shard and row group are being read
        self.reading: Callable[[], str] | None = None
        self.seconds = [0.0] * len(PHASES)  # spent in each phase
        self._longest = [0.0] * len(PHASES)
        self._phase, self._epoch, self._step, self._steps = "start", -1, -1, 0
        self._since = time.monotonic()
        self._text = ""
        self._page = Page(scratch, rank)
        self._write()
        self._page.alive(0, "")
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def at(
        self,
        phase: str,
        epoch: int | None = None,
        step: int | None = None,
        file: str | None = None,
        row_group: int | None = None,
    ) -> None:
        """This rank enters a phase: data | compute | all-reduce | checkpoint | done. What is not given stays
        as it was.

        all-reduce is any phase in which the rank may wait for others; a backward pass that talks to them is
        one.
        """
        now = time.monotonic()
        took, number = now - self._since, NUMBER[self._phase]
        self.seconds[number] += took
        if took > self._longest[number]:
            self._longest[number] = took
        self._phase, self._since = phase, now
        if epoch is not None:
            self._epoch = epoch
        if step is not None and step != self._step:
            self._step = step
            self._steps += 1
        if file is not None:
            self._text = file if row_group is None else f"{file}, row group {row_group}"
        self._write()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        self._page.close()

    def _write(self) -> None:
        least = self.stall if self._steps > 1 or self._phase in OWN else FIRST * self.stall
        allowed = max(least, LONGER * self._longest[NUMBER[self._phase]])
        self._page.where(self._phase, self._epoch, self._step, self._since, allowed, self.seconds)

    def _run(self) -> None:
        period = min(PERIOD, self.stall / 10)
        lookout, before, looked, beats = Lookout(), heartbeat.read(self.scratch), 0.0, 0
        while not self._left.wait(period):
            lookout.tick(period)
            beats += 1
            self._page.alive(beats, self.reading() if self.reading else self._text)
            own = lookout.see({self.rank: self._page.beat()})[self.rank]
            if own.overdue and own.beat.phase in OWN:  # before a look at any file: it may be files that stall
                self._end(stalled({self.rank: own}, self.stall))
            if self.several_hosts:
                self._page.publish()
            if own.standing > 2 * period:
                self._end(stalled(lookout.see(heartbeat.read(self.scratch)), self.stall))
            else:
                lookout.forget(but=self.rank)
            if self.rank == 0 and lookout.clock - looked > self.stall / 2:
                pages = heartbeat.read(self.scratch)
                if sentence := slowest(before, pages, lookout.clock - looked):
                    self.say(sentence)
                before, looked = pages, lookout.clock
            if not _asked and (self.scratch / STOP).exists():
                _ask()

    def _end(self, verdict: str | None) -> None:
        """Leave a result that says it, and end the process: the training thread waits in C++ or in the kernel
        for ever.
        """
        if verdict is None or self._left.is_set():
            return
        print(f"error: {verdict}", file=sys.stderr, flush=True)
        error = {"type": "TrainingError", "message": verdict, "lost_peers": False}
        writes = threading.Thread(
            target=results.write, args=(self.scratch, self.rank, {"error": error}), daemon=True
        )
        writes.start()
        writes.join(2.0)  # it may be that file system that stalls
        os._exit(self.code)


def lost(scratch: Path, rank: int, patience: float = 4.0) -> list[Beat]:
    """The other ranks that have ended, but for those that only lost their peers, as far as files tell within
    `patience` seconds.

    On this host a process is there or not; one of another host is taken for lost when it gives no beat for
    three seconds.
    """
    lookout = Lookout()
    end = time.monotonic() + patience
    while True:
        lookout.tick(1.0)
        victims = {
            of for of, result in results.read(scratch).items() if result.get("error", {}).get("lost_peers")
        }
        seen = lookout.see(heartbeat.read(scratch))
        others = [
            one for other, one in seen.items() if other not in (rank, *victims) and one.beat.phase != "done"
        ]
        gone = [
            one.beat
            for one in others
            if one.beat.ended() or (one.beat.ended() is None and one.quiet > 3 * PERIOD)
        ]
        if gone or time.monotonic() > end:
            return gone
        time.sleep(0.1)


def blame(scratch: Path, rank: int = -1) -> str | None:
    """Which other ranks have ended without a word and where they were; None where files tell of none."""
    gone = lost(scratch, rank)
    return "; ".join(f"{beat.name} is gone; it was in {beat.place}" for beat in gone) or None


def where(scratch: Path, rank: int) -> str:
    """A rank's name, and where it is."""
    beat = heartbeat.read(scratch).get(rank)
    return f"{beat.name}, in {beat.place}," if beat else f"rank {rank}"


def obituary(scratch: Path, rank: int, code: int) -> str:
    """What to say of a rank whose process ended with `code` (negative: a signal), which becomes its result
    where it left none.
    """
    result = results.read(scratch).get(rank)
    if result and "error" in result:
        return str(result["error"]["message"])
    if result and code == 0:
        return f"rank {rank} was done"
    beat = heartbeat.read(scratch).get(rank)
    how = f"ended with exit code {code}"
    if code == 0:
        how += " and no result"
    if code < 0:
        how = f"was killed by signal {-code}"
        if -code == signal.SIGKILL:
            how += ", often the memory limit of its host or container"
            how += (
                f" (resident memory was {beat.resident / 2**20:,.0f} MiB)" if beat and beat.resident else ""
            )
    message = (
        f"{beat.name} {how}; it was in {beat.place}"
        if beat
        else f"rank {rank} {how} before it joined the others"
    )
    results.write(
        scratch, rank, {"error": {"type": "TrainingError", "message": message, "lost_peers": False}}
    )
    return message
