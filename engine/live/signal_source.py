"""What a sleeve's strategy says at bar t, from the anchor to t.

Called by engine.live.loop once a bar and sleeve. A shipped strategy is computed over the whole stretch of known bars at
once: by law 2 its value at t is the same bits then (tests hold each strategy to it). A person's own strategy is not
proven, so it only ever sees the bars up to t, and gets a time limit: what fails says nothing, and the desk says so.
"""

import math
import signal as alarms
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from engine.book.bodies import finite
from engine.core.state import Signal
from engine.errors import StrategyError
from engine.features.frame import FeatureFrame
from engine.live.config_event import SleeveCode
from engine.strategies.base import SignalFrame, fresh_copy
from engine.strategies.signals import Signals, evaluate, limits_of, signals_of

LIMIT_S = 2.0  # for one bar of a person's strategy
FIELDS = tuple(get_type_hints(Signal).items())
NOTHING = Signal(0, math.nan, math.nan, math.nan, math.nan, math.nan, 0.0, 0, 1)


class SignalReading(NamedTuple):
    """A sleeve's input to the core at one close, the features it read, and what went wrong ("" when nothing did)."""

    signal: Signal
    read: dict[str, float | None]
    wrong: str


def signal_at(signals: Signals, t: int) -> Signal:
    """One bar of a sleeve's signals as the core reads it."""
    return Signal(*(kind(getattr(signals, name)[t]) for name, kind in FIELDS))


class SignalSource:
    """One sleeve's strategy over the known bars of its instrument.

    `first` is the frame's first bar that will be asked for; what was computed for those before it is let go.
    """

    def __init__(self, code: SleeveCode, frame: FeatureFrame, first: int) -> None:
        self.code, self.first = code, first
        self._frame = None if code.shipped else frame
        own = code.strategy if code.shipped else MUTE
        found: Signals = signals_of(own, code.params, frame, code.costs, code.side)
        arrays = [values[first:].copy() for values in found[:-1]]
        self._computed = Signals(*arrays, {label: values[first:].copy() for label, values in found.used.items()})

    def at(self, t: int) -> SignalReading:
        """The reading at the close of bar t, counted from `first`."""
        computed = self._computed
        signal = signal_at(computed, t)
        read = {label: finite(float(values[t])) for label, values in computed.used.items()}
        return SignalReading(signal, read, "") if self._frame is None else self._own(self._frame, self.first + t, signal, read)

    def _own(self, frame: FeatureFrame, t: int, signal: Signal, read: dict[str, float | None]) -> SignalReading:
        """The same with a person's strategy, which sees no bar after t of the frame."""
        seen = frame.prefix(t + 1)
        try:
            with limited(LIMIT_S):
                found = evaluate(fresh_copy(self.code.strategy), self.code.params, seen)
        except StrategyError as error:
            return SignalReading(NOTHING, {}, str(error))
        side, strength = int(found.direction[t]), float(found.strength[t])
        if self.code.side != "both" and side != (1 if self.code.side == "long" else -1):
            side, strength = 0, 0.0
        own = {label: finite(float(values[t])) for label, values in found.used.items()}
        hints = found.hints
        limit = limits_of(hints, found.direction, seen, None, seen.reader(), self.code.params.atr_bars)[t]
        hinted = {"limit": float(limit), "post_only": int(hints.post_only), "good_for": int(hints.good_for_bars)}
        return SignalReading(signal._replace(side=side, strength=strength, **hinted), own | read, "")


def _mute(f: FeatureFrame, _params: Any) -> SignalFrame:
    return SignalFrame(np.zeros(len(f), np.int8), np.zeros(len(f)))


MUTE = SimpleNamespace(NAME="none", FEATURES=(), signals=_mute)  # what sizing and slippage need is computed without the strategy


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise StrategyError in what runs longer. Only the main thread can be interrupted; elsewhere there is no limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(_number: int, _frame: FrameType | None) -> None:
        raise StrategyError(f"it took longer than {seconds:g} s", "a strategy must be done with a bar in time")

    before = alarms.signal(alarms.SIGALRM, late)
    alarms.setitimer(alarms.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        alarms.setitimer(alarms.ITIMER_REAL, 0)
        alarms.signal(alarms.SIGALRM, before)
