"""SIGTERM, SIGINT and SIGHUP: one line, no child left behind, and the exit code that shells give to the
signal (143, 130, 129).

The handler ends the process itself instead of raising: an exception would go through `finally` blocks and
threads that talk to a Java which the same signal has ended, and whatever they raise would hide it. Nothing is
lost by that: a stage folder without its manifest does not exist, so that a stop at any moment is no more than
a `kill -9`. Where somebody must be asked first (training ranks finish their step), `acting` puts that in
between. Imports nothing but the standard library, so that an entry point can call `install` before anything
else.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PATIENCE = 5.0  # seconds for children to end by themselves
WITHIN = 30  # seconds for those who were asked to stop: training ranks at the end of their step
LATE = 0.5  # seconds by which a signal may reach this process later than its children
# seconds within which a second signal is the first one again: `timeout` sends it to the process and to its
# group
SAME = 1.0

_came: signal.Signals | None = None
_when = 0.0
_owner = 0  # a child between fork and exec runs this handler too
_guarding = False  # whether this process says and ends, or only asks (a training rank)
_act: Callable[[], None] | None = None
_hooks: list[Callable[[threading.ExceptHookArgs], Any]] = []
_screen: int | None = None
_logs: list[Path] = []


def came() -> signal.Signals | None:
    """The signal that asked this process to stop, if one has."""
    return _came


def install() -> dict[int, Any]:
    """From here on the three signals end this process. The handlers of before come back, to be put back.

    SIGHUP stays ignored where it was: that is what `nohup` is for. (SIGINT is ignored for whatever a shell
    runs in the background.)
    """
    global _guarding
    if threading.current_thread() is not threading.main_thread():
        return {}
    _guarding = True
    if threading.excepthook is not _of_a_thread:
        _hooks.append(threading.excepthook)
        threading.excepthook = _of_a_thread
    return _take()


def done() -> None:
    """The work is done: while the interpreter takes itself apart, where no handler of Python's runs, a signal
    changes nothing.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


@contextmanager
def guarding() -> Iterator[None]:
    """`install` for the length of the body; a signal that came before counts no more."""
    global _came, _guarding
    was, hook = _guarding, threading.excepthook
    before = install()
    try:
        yield
    finally:
        if before and _came is None:
            _guarding, threading.excepthook = was, hook
            _give_back(before)


@contextmanager
def acting(act: Callable[[], None]) -> Iterator[None]:
    """Within it the signals call `act`, which asks others to stop; outside the main thread nothing is
    changed.

    A process that `guarding` looks after ends with the body; at once where that takes WITHIN seconds or a
    second signal comes.
    """
    global _act, _came
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _guarding:
        _came = None
    before, outer, _act = _take(), _act, act
    try:
        yield
    finally:
        _act = outer
        if _guarding and _came:
            end()
        _give_back(before)


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Within it the line is also appended to this file."""
    _logs.append(path)
    try:
        yield
    finally:
        _logs.remove(path)


def end() -> NoReturn:
    """Say it, take the children along, end with the signal's code."""
    global _came
    _came = _came or signal.SIGTERM
    if threading.current_thread() is threading.main_thread():
        done()
    _say()
    with suppress(OSError):  # what threads still have to say is about a Java that is gone
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
    _end_children()
    os._exit(128 + _came)


_said = False


def _handle(number: int, _frame: FrameType | None) -> None:
    global _came, _when
    if os.getpid() != _owner:
        os._exit(128 + number)
    if _came is None:
        _came, _when = signal.Signals(number), time.monotonic()
    if _guarding:
        if _act is None or time.monotonic() - _when > SAME:
            end()
        _say()
        signal.signal(signal.SIGALRM, lambda *_: end())
        signal.alarm(WITHIN)
    if _act is not None:
        _act()


def _of_a_thread(arguments: threading.ExceptHookArgs) -> None:
    """A thread that talks to a child may see it end before this process hears the signal that ended it."""
    time.sleep(LATE)
    if _came is None:
        _hooks[-1](arguments)


def _take() -> dict[int, Any]:
    global _owner, _screen
    _owner = os.getpid()
    if _screen is None:
        # it may be closed; it may also be lent to a child's for a while (spark/stderr.py)
        with suppress(OSError):
            _screen = os.dup(2)
    before: dict[int, Any] = {each: signal.getsignal(each) for each in SIGNALS}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN or each is not signal.SIGHUP:
            signal.signal(each, _handle)
    return before


def _give_back(before: dict[int, Any]) -> None:
    for each, handler in before.items():
        signal.signal(each, signal.SIG_DFL if handler is None else handler)


def _say() -> None:
    """By the file's number: the signal may have come in the middle of a print, whose buffer takes no second
    writer.
    """
    global _said
    if _said or _came is None:
        return
    _said = True
    line = f"stopped by {_came.name}; run the same command again to go on"
    with suppress(OSError):
        os.write(2 if _screen is None else _screen, f"error: {line}\n".encode())
    for path in _logs:
        with suppress(OSError):
            log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            os.write(log, f"{time.strftime('%Y-%m-%d %H:%M:%S')} ERROR date=- stage=- {line}\n".encode())
            os.close(log)


def _end_children() -> None:
    """Ask them to end and wait a little; then kill what is left of them and of theirs. Where there is no
    /proc they see us go.
    """
    family = set(_below(os.getpid()))
    for child in _children(os.getpid()):
        _send(child, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while (left := {pid for pid in family if _alive(pid)}) and time.monotonic() < until:
        time.sleep(0.02)
        family |= set(_below(os.getpid()))
    for pid in left:
        _send(pid, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _below(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _below(child)


def _children(pid: int) -> list[int]:
    pids: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            pids += map(int, path.read_text().split())
    return pids


def _alive(pid: int) -> bool:
    """Whether it runs: one that has ended stays in the table until its parent has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False
