"""Strategy processes as the loop needs them: begun anew after a fault, asked for many bars at a time, never waited for long.

Called by engine.live.signal_source. One process computes all shipped strategies and everything that sizing and slippage need;
each sleeve with a person's strategy has one of its own, so that what it breaks is its own signal and nobody else's.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.models.artifact import Artifact
from engine.strategies.isolated.process import START_S, ProcessFault, StrategyProcess

AHEAD = 96  # bars asked for in one request: their values do not depend on each other
PAUSE_BARS_MAX = 96  # after faults in a row a process is asked again after 1, 2, 4, ... bars
Load = Callable[[], tuple[dict[str, Any], list[bytes]]]  # the request that gives a process a strategy and its bars
Models = Sequence[Artifact]  # that the strategy reads: sent before its bars, once to each process


class SignalProcess:
    """A strategy process that is replaced when it fails."""

    def __init__(self) -> None:
        self.running: StrategyProcess | None = None
        self.started = 0  # processes so far
        self.faults, self.pause, self.why = 0, 0, ""

    def start(self) -> StrategyProcess:
        """The process, begun when there is none."""
        if self.running is None:
            self.running, self.started = StrategyProcess(), self.started + 1
        return self.running

    def fail(self, why: str) -> None:
        """End it, begin the next one, and let it rest for some bars."""
        self.close()
        self.faults += 1
        self.pause, self.why = min(2 ** min(self.faults - 1, 10), PAUSE_BARS_MAX), why
        self.start()

    def rest(self) -> None:
        """A bar is over."""
        self.pause = max(self.pause - 1, 0)

    def close(self) -> None:
        """End it."""
        if self.running is not None:
            self.running.close()
        self.running = None


class Questions:
    """One strategy in one process: what it says at bar after bar."""

    def __init__(self, process: SignalProcess, key: str, load: Load, bars: int, limit_s: float, models: Models = ()) -> None:
        self.process, self.key, self._models = process, key, models
        self._load, self._bars, self._limit_s = load, bars, limit_s
        self._loaded_in, self._tag, self._tags, self._next, self._until = 0, "", 0, 0, 0
        self._last: tuple[int, dict[str, Any]] | None = None

    def ask(self, t: int) -> None:
        """See to it that the process works on bar t, and on those after it; nothing is waited for."""
        if self.process.pause or (self._last is not None and self._last[0] == t):
            return
        try:
            running = self.process.start()
            if self._loaded_in != self.process.started:
                for model in self._models:
                    running.give(model)
                running.ask(*self._load())
                self._loaded_in, self._until = self.process.started, 0
            if not (self._next == t < self._until):
                running.forget(self._tag)
                self._tags += 1
                self._tag, self._next, self._until = f"{self.key}.{self._tags}", t, min(t + AHEAD, self._bars)
                request = {"do": "bars", "key": self.key, "tag": self._tag, "t": t, "until": self._until}
                running.ask(request, key=self._tag, answers=self._until - t)
        except ProcessFault as fault:
            self.process.fail(str(fault))

    def answer(self, t: int, deadline: float | None, waiting: Callable[[], None]) -> dict[str, Any]:
        """What was asked for about bar t. Without a `deadline` (recorded bars) desk time waits, up to the limits.

        Raises ProcessFault, and then the process has been replaced.
        """
        if self._last is not None and self._last[0] == t:
            return self._last[1]
        running = self.process.running
        if self.process.pause or running is None or self._loaded_in != self.process.started:
            raise ProcessFault(self.process.why)
        try:
            running.begun(deadline or time.monotonic() + START_S, waiting)
            answer = running.answer(self._tag, deadline or time.monotonic() + self._limit_s, waiting)
            if answer.get("t") != t:
                raise ProcessFault("nonsense: it answered about another bar")
        except ProcessFault as fault:
            self.process.fail(str(fault))
            raise
        self._next, self._last, self.process.faults = t + 1, (t, answer), 0
        return answer

    def drop(self) -> None:
        """It is not asked any more."""
        running = self.process.running
        if running is not None and self._loaded_in == self.process.started:
            running.forget(self._tag)
            try:
                running.ask({"do": "drop", "key": self.key})
            except ProcessFault as fault:
                self.process.fail(str(fault))
