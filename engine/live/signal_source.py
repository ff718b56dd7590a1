"""What each sleeve's strategy says at bar t, from the anchor to t. No strategy runs here: strategy processes do it.

Called by engine.live.loop once a bar. What comes back is an outside input: checked, and where it is late, crashed, raised or
nonsense the sleeve has no signal at that close, with the reason. On recorded bars desk time waits for the answer, so that the
same bars give the same journal; at a bar that closes now all sleeves together are waited for no longer than LIVE_S.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.book.bar_signals import NO_SIGNAL
from engine.book.bodies import finite
from engine.book.book import Spec
from engine.book.snapshot import restored
from engine.core.state import LEAVE_LONG, LEAVE_SHORT, Signal
from engine.live import config_event
from engine.live.config_event import SleeveCode
from engine.live.feed import Feed
from engine.live.signal_process import Questions, SignalProcess
from engine.strategies.answer import GOOD_FOR_MAX, HOLD_MAX, SIZE_MAX
from engine.strategies.base import SOURCE
from engine.strategies.isolated.bars import pack_frame
from engine.strategies.isolated.process import ProcessFault
from engine.strategies.isolated.wire import Nonsense
from engine.strategies.signals import silenced_reversal

LIVE_S = 2.0  # for all sleeves at a bar that closes now: exits must not wait longer
OWN_S = 10.0  # for one recorded bar of a person's strategy
OURS_S = 60.0  # for one recorded bar of a shipped one, the first answer computes all of them
READ_MAX, LABEL_MAX, WHY_MAX = 64, 80, 400
NULLS_MIN = 3  # features without a value at one close: no entry, whatever was answered, and an alert
KEYS = count(1)  # of loaded sleeves, across all desks of this process


class SignalReading(NamedTuple):
    """A sleeve's input to the core at one close, the features it read, and what went wrong ("" when nothing did)."""

    signal: Signal
    read: dict[str, float | None]
    wrong: str
    lacking: tuple[str, ...] = ()  # features without a value, where they are so many that nothing may enter
    nulls: Mapping[str, str] = MappingProxyType({})  # column of a stored model without a value -> why


class OwnSignal(NamedTuple):
    """What a person's strategy decides of a signal; everything else of it is computed by our own process."""

    side: int
    strength: float
    limit: float
    post_only: int
    good_for: int
    stop: float
    target: float
    leave: int
    hold: int
    size_frac: float
    reverse: int


class SignalSource:
    """One sleeve's version: its questions to our own process, and to that of a person's strategy."""

    def __init__(self, code: SleeveCode, ours: SignalProcess) -> None:
        self.code = code
        self._ours_process, self._own_process = ours, None if code.shipped else SignalProcess()
        self._feed: Feed | None = None
        self._ours: Questions | None = None
        self._own: Questions | None = None

    def ask(self, feed: Feed, t: int) -> None:
        """Let the processes work on bar t of its own timeframe; nothing is waited for."""
        if feed is not self._feed:
            self.let_go()
            key, bars = f"{next(KEYS)}", len(feed.own[self.code.bar_ms].span.close_ms)
            self._feed = feed
            read = [one.columns.model for one in self.code.models]
            load, mine = partial(request_of, self.code, feed, key), read if self.code.shipped else []
            self._ours = Questions(self._ours_process, key, partial(load, own=False), bars, OURS_S, mine)
            if self._own_process is not None:
                self._own = Questions(self._own_process, key, partial(load, own=True), bars, OWN_S, read)
        for questions in (self._ours, self._own):
            if questions is not None:
                questions.ask(t)

    def at(self, t: int, deadline: float | None, waiting: Callable[[], None]) -> SignalReading:
        """The reading at the close of bar t, which was asked for."""
        assert self._ours is not None, "ask() comes first"  # noqa: S101 - a programmer's error halts
        try:
            ours = self._ours.answer(t, deadline, waiting)
            if "wrong" in ours:
                return silent(f"raised: {ours['wrong']}")
            base, read = restored(Signal, ours["signal"]), features_of(ours["read"])
            found = SignalReading(base, read, "") if self._own is None else self._with_own(base, read, t, deadline, waiting)
            found = entering_nothing_blind(found)
            return found._replace(nulls=self._nulls(found.read, t)) if self.code.models else found
        except ProcessFault as fault:
            return silent(str(fault))
        except Nonsense as error:
            return silent(f"nonsense: {error}")

    def _with_own(
        self, base: Signal, read: dict[str, float | None], t: int, deadline: float | None, waiting: Callable[[], None]
    ) -> SignalReading:
        """Our own part of the signal with what a person's strategy decides of it."""
        assert self._own is not None  # noqa: S101 - the caller looked
        answer = self._own.answer(t, deadline, waiting)
        if "wrong" in answer:
            return silent(f"raised: {answer['wrong']}")
        own, features = own_signal(answer), features_of(answer.get("read"))
        if self.code.side != "both" and own.side != (1 if self.code.side == "long" else -1):
            turned = int(silenced_reversal(own.side, own.reverse, self.code.side))
            own = own._replace(side=0, strength=0.0, leave=own.leave | turned)
        return SignalReading(base._replace(**own._asdict()), features | read, "")

    def _nulls(self, read: Mapping[str, float | None], t: int) -> dict[str, str]:
        """Why columns of stored models have no value at bar t."""
        assert self._feed is not None, "ask() comes first"  # noqa: S101 - a programmer's error halts
        close_ms = int(self._feed.own[self.code.bar_ms].span.close_ms[t])
        silent = [label for label, value in read.items() if value is None]
        named = ((label, one) for label in silent for one in self.code.models if f"({one.text.partition(' ')[0]}" in label)
        return {label: one.columns.why_null(close_ms) for label, one in named}

    def rest(self) -> None:
        """A bar is over."""
        if self._own_process is not None:
            self._own_process.rest()

    def let_go(self) -> None:
        """The bars that it was asked about are not needed any more."""
        for questions in (self._ours, self._own):
            if questions is not None:
                questions.drop()

    def close(self) -> None:
        """It is not asked any more."""
        self.let_go()
        if self._own_process is not None:
            self._own_process.close()


class SignalSources:
    """The sources of all sleeves, and the process that computes what is ours."""

    def __init__(self, folder: Path, ours: SignalProcess | None = None) -> None:
        self.folder, self.ours = folder, ours or SignalProcess()
        self.waiting: Callable[[], None] = lambda: None  # called while an answer is waited for; the worker sets it
        self._kept: list[tuple[Mapping[str, Any], SignalSource]] = []  # journaled sleeve, and what computes its signals

    def readings(self, specs: Sequence[Spec], feed: Feed, t: int, *, live: bool) -> list[SignalReading | None]:
        """What the versions `specs` of sleeves say at the close of the clock's bar t: all are asked, then each is waited for.

        None for a sleeve on a longer timeframe of which no bar closes there.
        """
        close_ms, sources = int(feed.span.close_ms[t]), [self._source(spec) for spec in specs]
        asked = [
            (source, feed.closed(source.code.bar_ms, close_ms)) for source in sources if feed.closes(source.code.bar_ms, close_ms)
        ]
        for source, own in asked:
            source.ask(feed, own)
        deadline = time.monotonic() + LIVE_S if live else None
        found = {id(source): source.at(own, deadline, self.waiting) for source, own in asked}
        if asked:
            self.ours.rest()
        for source, _ in asked:
            source.rest()
        return [found.get(id(source)) for source in sources]

    def keep(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Let go of the sources of other sleeves' versions."""
        for spec, source in self._kept:
            if spec not in wanted:
                source.close()
        self._kept = [kept for kept in self._kept if kept[0] in wanted]

    def close(self) -> None:
        """End every process."""
        self.keep([])
        self.ours.close()

    def _source(self, spec: Spec) -> SignalSource:
        source = next((found for code, found in self._kept if code == spec.source), None)
        if source is None:
            source = SignalSource(config_event.code_of(spec, self.folder), self.ours)
            self._kept.append((spec.source, source))
        return source


def entering_nothing_blind(reading: SignalReading) -> SignalReading:
    """The reading; without an entry where NULLS_MIN of the features that were read, or more, have no value.

    A strategy is asked for no signal where one is missing, and what it answers has been masked by our own code; a process that a
    person's strategy runs in is outside. Its exits, and levels that follow the market, go on.
    """
    lacking = tuple(sorted(label for label, value in reading.read.items() if value is None))
    if reading.wrong or len(lacking) < NULLS_MIN:
        return reading
    return reading._replace(signal=reading.signal._replace(side=0, reverse=0), lacking=lacking)


def silent(why: str) -> SignalReading:
    """No signal, and the reason."""
    return SignalReading(NO_SIGNAL, {}, printable(why))


def request_of(code: SleeveCode, feed: Feed, key: str, *, own: bool) -> tuple[dict[str, Any], list[bytes]]:
    """The request that loads a sleeve: a person's strategy (`own`), or a shipped one, or only what sizing and slippage need."""
    reads = code.reads if own or code.shipped else code.reads._replace(models=())  # sizing and slippage read none
    about, arrays = pack_frame(feed.frame(code.instrument, reads))
    request = {
        "do": "load",
        "key": key,
        "name": code.strategy.NAME if code.shipped and not code.of_basket else "",  # of a leg its costs alone
        "params": code.params.model_dump(),
        "costs": code.costs._asdict(),
        "side": code.side,
        "first": feed.own[code.bar_ms].first,
        "frame": about,
    }
    if own:
        request |= {"text": getattr(code.strategy, SOURCE), "file": code.strategy.__file__}
    return request, arrays


def own_signal(answer: Mapping[str, Any]) -> OwnSignal:
    """What a person's strategy answered, each number in its bounds. Raises Nonsense naming the first that is not."""
    side, strength, limit = answer.get("side"), number(answer, "strength"), number(answer, "limit")
    if type(side) is not int or side not in {-1, 0, 1}:
        raise Nonsense(f"side is {printable(side)}")
    if not (math.isnan(strength) or 0.0 <= strength <= 1.0):
        raise Nonsense(f"strength is {strength}")
    flags = (("post_only", 0, 1), ("leave", 0, LEAVE_LONG | LEAVE_SHORT), ("reverse", 0, 1))
    post_only, leave, reverse = (whole_number(answer, *bounds) for bounds in flags)
    good_for, hold = whole_number(answer, "good_for", 1, GOOD_FOR_MAX), whole_number(answer, "hold", 0, HOLD_MAX)
    stop, target, size_frac = (number(answer, name) for name in ("stop", "target", "size_frac"))
    wrong = {"stop": stop < 0.0, "target": target < 0.0, "size_frac": size_frac < 0.0 or size_frac > SIZE_MAX}
    if any(wrong.values()):
        name = next(name for name in wrong if wrong[name])
        raise Nonsense(f"{name} is {answer[name]}")
    return OwnSignal(side, strength, limit, post_only, good_for, stop, target, leave, hold, size_frac, reverse)


def whole_number(answer: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """A whole number within its bounds. Raises Nonsense for anything else."""
    value = answer.get(name)
    if type(value) is not int or not least <= value <= most:
        raise Nonsense(f"{name} is {printable(value)}")
    return value


def number(answer: Mapping[str, Any], name: str) -> float:
    """A finite number, NaN for null. Raises Nonsense for anything else."""
    value = answer.get(name, "")
    if value is None:
        return math.nan
    if type(value) not in {int, float} or not math.isfinite(value):
        raise Nonsense(f"{name} is {printable(value)}")
    return float(value)


def features_of(read: Any) -> dict[str, float | None]:
    """Features by label, null where one has no value. Raises Nonsense for what is not such a table."""
    if not isinstance(read, dict) or len(read) > READ_MAX or not all(len(label) <= LABEL_MAX for label in read):
        raise Nonsense("features that are not a short table")
    return {label: finite(number(read, label)) for label in read}


def printable(value: Any) -> str:
    """A value from outside as a short text without control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in str(value)[:WHY_MAX])
