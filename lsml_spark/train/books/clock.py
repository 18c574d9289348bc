"""Where the time of a step goes: data | compute | all_reduce | checkpoint | other, by rank; and which of them
bounds the training.

All-reduce is what the exchange costs *beside* the backward pass: DDP sends a bucket of gradients while the
ones before it are still computed, and that costs a step nothing. So the phase begins when the local backward
pass has handed over its last bucket (the comm hook of the bucket that `is_last()`) and ends when `backward()`
returns, which waits for the buckets' futures. That includes copying the sums back, and a hook that itself
blocks is booked as it blocks. It is the host's time: on a GPU, whose kernels run behind the host's back, give
`event` and the exchange is timed on its stream (`gradients_ready`, `exchanged`).

A rank that waits in all-reduce mostly waits for another rank. Of every step only the rank that waited least
is looked at: it came last, the others were there already, so its own phases are the step's critical path and
its all-reduce is what the network took.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

DATA, COMPUTE, ALL_REDUCE, CHECKPOINT, OTHER = PHASES = (
    "data",
    "compute",
    "all_reduce",
    "checkpoint",
    "other",
)
# The share of the time from which on a phase is what bounds the training; the largest of those that reach
# theirs.
BOUND_FROM = {DATA: 0.2, ALL_REDUCE: 0.2, CHECKPOINT: 0.05}
WORDS = {
    DATA: "data-bound",
    ALL_REDUCE: "network-bound",
    CHECKPOINT: "checkpoint-bound",
    COMPUTE: "compute-bound",
}


class Event(Protocol):
    """A moment on the device's stream, such as `torch.cuda.Event(enable_timing=True)`."""

    def record(self) -> None: ...
    def elapsed_time(self, end: Any) -> float: ...  # milliseconds


class StepClock:
    """Books one rank's time. Exactly one phase runs at any moment, so the phases of a step add up to its time
    to the nanosecond.

    `to` ends the phase that runs and begins another; `on` does so for a block. A step's record goes from one
    `step_done` to the next, so what lies between two steps (reading, saving) belongs to the later one; ranks
    must call it at the same place.
    """

    def __init__(self, now: Callable[[], int] = time.monotonic_ns, event: Callable[[], Event] | None = None):
        self._now, self._event = now, event
        self._phase, self._mark = OTHER, now()
        self._step = dict.fromkeys(PHASES, 0)
        self._events: tuple[Event, Event] | None = None
        self.totals = dict.fromkeys(PHASES, 0)  # ns, of the steps that are done
        self.steps: list[tuple[int, ...]] = []  # ns by phase of each step since the last `take`

    def to(self, phase: str) -> None:
        """The time since the last mark belongs to the phase that ran; `phase` runs from now on."""
        now = self._now()
        self._step[self._phase] += now - self._mark
        self._mark, self._phase = now, phase

    def on(self, phase: str) -> "_On":
        """`with clock.on("checkpoint"):` the block is that phase, and after it the one before goes on."""
        return _On(self, phase)

    def gradients_ready(self) -> None:
        """The local backward pass has handed over its last bucket; to be called in the comm hook where
        `bucket.is_last()`.
        """
        if self._event is None:
            self.to(ALL_REDUCE)
        else:
            self._events = self._event(), self._event()
            self._events[0].record()

    def exchanged(self) -> None:
        """`backward()` has returned, so the stream waits for (or the host has) the sums; to be called right
        after it.
        """
        if self._events is not None:
            self._events[1].record()
        self.to(COMPUTE)

    def step_done(self) -> dict[str, float]:
        """Closes the step; its seconds by phase. With events, the device must have finished them: read the
        loss before.
        """
        self.to(self._phase)
        step, self._step = self._step, dict.fromkeys(PHASES, 0)
        if self._events is not None:
            first, last = self._events
            # the host waited for it where it read the loss
            exchange = min(int(first.elapsed_time(last) * 1e6), step[COMPUTE])
            step[ALL_REDUCE], step[COMPUTE], self._events = (
                step[ALL_REDUCE] + exchange,
                step[COMPUTE] - exchange,
                None,
            )
        for phase, taken in step.items():
            self.totals[phase] += taken
        self.steps.append(tuple(step.values()))
        return {phase: taken / 1e9 for phase, taken in step.items()}

    def take(self) -> np.ndarray:
        """Nanoseconds (steps, phases), int64, of the steps since the last call, which are forgotten here."""
        steps, self.steps = self.steps, []
        return np.array(steps, dtype=np.int64).reshape(-1, len(PHASES))


class _On:
    def __init__(self, clock: StepClock, phase: str):
        self.clock, self.phase = clock, phase

    def __enter__(self) -> None:
        self.before = self.clock._phase
        self.clock.to(self.phase)

    def __exit__(self, *_: object) -> None:
        self.clock.to(self.before)


@dataclass
class Blame:
    """Of all steps so far: seconds by phase on the critical path, and of every rank its own."""

    steps: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    # by phase; `slowest`: steps in which it came last
    ranks: list[dict[str, float]] = field(default_factory=list)

    def add(self, ns_R: Sequence[np.ndarray]) -> None:
        """What `take` gave on each rank, in rank order, for the same steps; ranks that saw more steps (a lost
        peer) are cut.
        """
        steps = min(map(len, ns_R))
        ns_RSP = np.stack([ns_SP[:steps] for ns_SP in ns_R]).astype(np.float64)
        last_S = ns_RSP[:, :, PHASES.index(ALL_REDUCE)].argmin(axis=0)
        path_P = ns_RSP[last_S, np.arange(steps)].sum(axis=0) / 1e9
        self.steps += steps
        self.seconds = {
            phase: self.seconds[phase] + float(taken) for phase, taken in zip(PHASES, path_P, strict=True)
        }
        self.ranks = self.ranks or [dict.fromkeys((*PHASES, "slowest"), 0.0) for _ in ns_R]
        for rank, (known, own_P) in enumerate(zip(self.ranks, ns_RSP.sum(axis=1) / 1e9, strict=True)):
            for phase, taken in zip(PHASES, own_P, strict=True):
                known[phase] += float(taken)
            known["slowest"] += int((last_S == rank).sum())

    @property
    def verdict(self) -> str:
        """data-bound | network-bound | checkpoint-bound, by the largest share that reaches its threshold;
        else compute-bound.
        """
        return WORDS[bound(self.seconds)]

    def as_json(self) -> dict[str, Any]:
        """`time` of the train stage's run figures: steps, verdict, and seconds by phase, on the critical path
        and by rank.
        """
        ranks = [{name: round(value, 3) for name, value in rank.items()} for rank in self.ranks]
        path = {phase: round(taken, 3) for phase, taken in self.seconds.items()}
        return {"steps": self.steps, "verdict": self.verdict, "seconds": path, "ranks": ranks}


def bound(seconds: Mapping[str, float]) -> str:
    """The phase that bounds the training; see BOUND_FROM."""
    return max(_reached(seconds), default=(0.0, COMPUTE))[1]


def _reached(seconds: Mapping[str, float]) -> Iterator[tuple[float, str]]:
    total = sum(seconds.values())
    for phase, least in BOUND_FROM.items():
        share = seconds[phase] / total if total else 0.0
        if share >= least:
            yield share, phase
