"""The desk's side of a strategy process: starts it in a clean environment, asks it, and ends it when it does not answer.

Called by described.py (one question, then ended) and by engine.live.signal_process (one process for a sleeve, as long as it
answers). Everything it sends back is an outside input; a fault of it is a ProcessFault with its reason, never anything worse.
"""

import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from engine.models.artifact import Artifact
from engine.models.packed import pack_model
from engine.own_source import own_source
from engine.strategies.isolated.wire import Nonsense, encode_request, take_answers

SEEN = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")  # of this process's environment; nothing that names a home or a key
SET = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
START_S = (
    120.0  # until it has loaded our own libraries: recorded bars wait for it, so a busy machine must not change what is decided
)
READY = "ready"  # the key of what it says first
READ_BYTES = 1 << 18


class ProcessFault(Exception):
    """The process is late, has ended, or has sent nonsense; the text says which."""


class StrategyProcess:
    """One such process. After a ProcessFault it must be closed."""

    def __init__(self) -> None:
        environment = {key: os.environ[key] for key in SEEN if key in os.environ} | own_source(os.environ) | SET
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.strategies.isolated.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,
            bufsize=0,
        )
        assert self._child.stdin is not None  # noqa: S101 - both are pipes
        assert self._child.stdout is not None  # noqa: S101 - both are pipes
        self.close = weakref.finalize(self, end_child, self._child)  # also when it is let go, or this process ends
        self._to, self._from = self._child.stdin, self._child.stdout
        os.set_blocking(self._to.fileno(), False)
        os.set_blocking(self._from.fileno(), False)
        self._unsent, self._buffer = bytearray(), bytearray()
        self._answers: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self._due: dict[str, int] = defaultdict(int, {READY: 1})
        self._unwanted: dict[str, int] = {}
        self._ready = False
        self._given: set[str] = set()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def ask(self, request: dict[str, Any], arrays: Sequence[bytes] = (), key: str = "", answers: int = 0) -> None:
        """Send a request that gets this many `answers` under `key`. What the pipe does not take yet follows later."""
        self._unsent += encode_request(request, arrays)
        if answers:
            self._due[key] += answers
        self._turn(0.0)

    def give(self, model: Artifact) -> None:
        """Send a stored model, unless it has it."""
        if model.key not in self._given:
            about, arrays = pack_model(model)
            self.ask({"do": "model", "model": about}, arrays)
            self._given.add(model.key)

    def forget(self, key: str) -> None:
        """Nobody takes the answers under `key` any more."""
        self._answers.pop(key, None)
        if due := self._due.pop(key, 0):
            self._unwanted[key] = due

    def begun(self, deadline: float, waiting: Callable[[], None] = lambda: None) -> None:
        """Wait until it has loaded our own libraries and given up its rights. Raises ProcessFault."""
        if not self._ready:
            self.answer(READY, deadline, waiting)
            self._ready = True

    def answer(self, key: str, deadline: float, waiting: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """The next answer under `key`, waited for until `deadline` (monotonic s); `waiting` is called now and then meanwhile.

        Raises ProcessFault.
        """
        while not self._answers[key]:
            left = deadline - time.monotonic()
            if left <= 0.0:
                raise ProcessFault("late: no answer in time" if self._ready else "late: its process has not started yet")
            self._turn(min(left, 1.0))
            waiting()
        return self._answers[key].popleft()

    def _turn(self, seconds: float) -> None:
        """Write and read what can be, waiting at most so long for either."""
        try:
            readable, writable, _ = select.select([self._from], [self._to] if self._unsent else [], [], seconds)
            if writable:
                del self._unsent[: self._to.write(self._unsent[:READ_BYTES]) or 0]
            if readable:
                self._read()
        except BrokenPipeError:
            raise ProcessFault(self._ended()) from None
        except Nonsense as error:
            raise ProcessFault(f"nonsense: it sent {error}") from None

    def _read(self) -> None:
        data = self._from.read(READ_BYTES)
        if data is None:
            return
        if not data:
            raise ProcessFault(self._ended())
        self._buffer += data
        for answer in take_answers(self._buffer):
            key = str(answer.get("key", ""))
            if key in self._unwanted:
                self._unwanted[key] -= 1
                if not self._unwanted[key]:
                    del self._unwanted[key]
            elif self._due[key] > 0:
                self._due[key] -= 1
                self._answers[key].append(answer)
            else:
                raise Nonsense("an answer to no question")

    def _ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._child.wait(1.0)
            return "crashed: its process ended " + (f"by signal {-code}" if code < 0 else f"with exit code {code}")
        return "crashed: it closed its pipe"


def end_child(child: "subprocess.Popen[bytes]") -> None:
    """End a process and whatever it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(5.0)
