"""A copy of a desk that trades a basket, and the exit paths of its pairs. Called by engine.drill.drill.

What a drill of one instrument asks for (enter, a bar against a position, a signal to leave) becomes the same of a pair: its fit
is made so that the spread is where the drill wants it, beyond the entry or back at the mean. Everything behind fit and bars is
what trades; the other drills of this folder run on such a copy as they are.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.book.basket_book import BasketBook
from engine.book.basket_events import basket_of
from engine.book.book import Book
from engine.control import halt
from engine.core.basket import PairBook
from engine.core.state import EXIT_REASONS, R_POSITIONS, R_SIGNAL, Signal, Sleeve
from engine.drill.asking import second_line
from engine.drill.copied import WALL_MS, DeskCopy
from engine.drill.made import Move
from engine.drill.outcome import DrillOutcome, fired, never, no_entry, off, out_of_reach, seen
from engine.live.basket_bar import BasketBars
from engine.live.feed import Feed

DEVIATION = 0.004  # of log price: what a spread's stop is away moves a leg by less than its wide stop
NO_PATHS = {"none": "no exit", "adopted": "a person's word on a difference, no guard"}  # of EXIT_REASONS: never drilled
NO_PART = ("target", "trail", "fade", "time", "reversal")  # exits of a position that has one instrument


class MadeSpreads(BasketBars):
    """Log closes as they are, and fits at which the spread of each pair is where it was set; else at its mean."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spread: dict[int, float] = {}  # pair -> deviations
        self.ended: list[str] = []

    def body(self, book: Book, feed: Feed, t: int, *, growing: bool) -> dict[str, Any]:  # noqa: ARG002 - as the loop asks
        """As BasketBars."""
        closes = [float(feed.span.close[t, feed.span.instruments.index(spec.source["instrument"])]) for spec in book.specs]
        logs, fits = [math.log(close) for close in closes], []
        for p, pair in enumerate(basket_of(book).pairs):
            fits.append([1.0, logs[pair.a] - logs[pair.b] - self.spread.get(p, 0.0) * DEVIATION, DEVIATION])
        return {"logs": logs, "fits": fits} | ({"ended": self.ended} if self.ended else {})


class BasketCopy(DeskCopy):
    """One copy. Its sleeves are the legs; the first one is long in every pair that a drill enters, the others are short."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.spreads = self.loop.basket_bars = MadeSpreads(self.parts.strategies)

    @property
    def basket(self) -> BasketBook:
        """Its basket."""
        return basket_of(self.book)

    def sleeve(self, name: str) -> Sleeve:
        """A leg with the money of the basket, and as many entries as that has made."""
        whole = self.basket.whole
        own = super().sleeve(name)
        return own._replace(ledger=whole.ledger._replace(notional=own.ledger.notional), guard=whole.guard, entries=whole.entries)

    def side(self, name: str) -> int:
        """Long in the first leg, short in the others."""
        return 1 if name == self.names[0] else -1

    def refusals(self, name: str | None = None) -> list[str]:  # noqa: ARG002 - a leg is refused nothing by itself
        """The rules that refused the entry of any pair, in order."""
        return super().refusals()

    def exits(self, name: str) -> list[str]:
        """Why pairs left a leg, in order."""
        found = (e.body for e in self.events("fill") if e.body.get("sleeve") == name)
        return [str(part["reason"]) for body in found for part in body["parts"] if "reason" in part]

    def enter(self, name: str, signal: Signal | None = None) -> str:
        """Enter a pair that has the leg and let it fill; "" once it is in, else why it is not."""
        self.seek_open(name)
        before = self.basket.whole.entries
        self.bar(name, {name: signal or self.signal(name)})
        if self.basket.whole.entries == before:
            return f"its entry was refused: {(self.refusals() or ['no order'])[-1]}"
        self.bar(name)
        return "" if super().sleeve(name).position.open_layers else "its entry did not fill"

    def bars_to(self, end_ms: int, signals: Mapping[str, Signal], moves: Mapping[str, Move]) -> None:
        """As DeskCopy: a signal on a side enters the leg's pair, one that leaves brings its spread back to the mean. A leg that
        is stopped inside a bar takes one more, in which its mate leaves; the signals are of the last.
        """
        wanted = {name for name, signal in signals.items() if signal.side != 0}
        leaving = any(signal.leave for signal in signals.values())
        moves = {**moves, **self._back()} if leaving else moves
        before = self._stopped()
        self._bars(end_ms, signals, moves, wanted)
        if self._stopped() != before:
            self._bars(self._next(self.longest_ms), signals, {}, wanted)

    def _bars(self, end_ms: int, signals: Mapping[str, Signal], moves: Mapping[str, Move], wanted: set[str]) -> None:
        """Bars up to a close at which the pairs of these legs are wanted."""
        terms = self.basket.terms
        beyond = -min((terms.enter + terms.stop) / 2.0, terms.enter + 1.0)
        self.spreads.spread = dict.fromkeys(self._wanted(wanted), beyond)
        super().bars_to(end_ms, signals, moves)
        self.spreads.spread = {}

    def _wanted(self, names: set[str]) -> list[int]:
        """The pairs of the first leg whose other leg is named; of the first alone the next pair that could enter."""
        free = [p for p, pair in enumerate(self.basket.pairs) if pair.side == 0 and pair.armed != 0]
        if names == {self.names[0]}:
            return free[:1]
        return [p for p, pair in enumerate(self.basket.pairs) if pair.a == 0 and self.names[pair.b] in names]

    def _stopped(self) -> int:
        """How many executions of stops there were."""
        return sum(e.body.get("slot") == "protective" for e in self.events("fill"))

    def inside(self) -> PairBook | None:
        """A pair that has lots; None where none has."""
        return next((pair for pair in self.basket.pairs if pair.lots_a or pair.lots_b), None)

    def _back(self) -> dict[str, Move]:
        """The first leg where the spread of the pair that is in is a little past its mean, as that was fitted."""
        pair = self.inside()
        return {} if pair is None else self.spread_at(pair, pair.side * (abs(pair.leave) + 0.1))

    def spread_at(self, pair: PairBook, z: float) -> dict[str, Move]:
        """A bar of a pair's first leg that closes where the spread is z deviations of the pair's own fit."""
        name, mate = (self.book.specs[leg].source["instrument"] for leg in (pair.a, pair.b))
        close = math.exp(pair.hedge * math.log(self.prices[mate]) + pair.intercept + z * pair.deviation)
        price = self.prices[name]
        return {name: Move(price, max(price, close), min(price, close), close)}


# ---- how a pair leaves ------------------------------------------------------------------------------------------------------


def spread_stop(copy: BasketCopy) -> DrillOutcome:
    """The spread goes on to its stop: both legs leave at the next open."""
    if why := copy.enter(copy.lead):
        return no_entry(why)
    pair = copy.inside()
    assert pair is not None  # noqa: S101 - it has just entered
    copy.bar(copy.lead, {}, copy.spread_at(pair, -pair.side * (pair.stop + 0.2)))
    copy.bar(copy.lead)
    return _both_left(copy, pair, "stop", f"a close at which the spread was past its stop, {pair.stop:g} deviations")


def at_mean(copy: BasketCopy) -> DrillOutcome:
    """The spread is back: both legs leave at the next open."""
    if why := copy.enter(copy.lead):
        return no_entry(why)
    pair = copy.inside()
    assert pair is not None  # noqa: S101 - it has just entered
    for _ in range(pair.momentum_bars + 2):  # past the mean, once it no longer moves on
        copy.bar(copy.lead, {}, copy.spread_at(pair, pair.side * (abs(pair.leave) + 0.1)))
    copy.bar(copy.lead)
    return _both_left(copy, pair, "signal", "a close at which the spread was back at its mean")


def mate(copy: BasketCopy) -> DrillOutcome:
    """A leg trades through its wide stop: the other one leaves with it."""
    if why := copy.enter(copy.lead):
        return no_entry(why)
    pair = copy.inside()
    assert pair is not None  # noqa: S101 - it has just entered
    first, second = copy.names[pair.a], copy.names[pair.b]
    layer, side = copy.sleeve(first).position.layers[0], copy.side(first)
    beyond = layer.stop * (1.0 - side * 0.001)
    copy.bar(first, {}, copy.move(first, **{"low" if side > 0 else "high": beyond, "close": beyond}))
    if "stop" not in copy.exits(first):
        return never(f"a bar through the wide stop of {first}: it is still open")
    by = f"a bar through the wide stop of {first}: {second} left at the next open"
    return seen("pair", copy.exits(second), by, f"{second} stayed alone")


def liquidation(copy: BasketCopy) -> DrillOutcome:
    """A settlement takes the margin that all legs have together."""
    if why := copy.enter(copy.lead):
        return no_entry(why)
    rules, pair = copy.rules(copy.lead), copy.inside()
    assert pair is not None  # noqa: S101 - it has just entered
    if rules.funding_ms == 0:
        return out_of_reach("spot: bought with cash, nothing is borrowed")
    mark = 1.01 * copy.basket.whole.ledger.equity / (abs(pair.lots_a) * rules.lot_size)
    copy.bar(copy.lead, {}, copy.move(copy.lead, rate=float(pair.side), mark=mark))
    found = [reason for name in copy.names for reason in copy.exits(name)]
    return seen("liquidation", found, "a settlement that took the margin of all legs", "still open")


def delisted(copy: BasketCopy) -> DrillOutcome:
    """The bars of a leg end: it leaves at its last close, its mate at the next open."""
    if why := copy.enter(copy.lead):
        return no_entry(why)
    pair = copy.inside()
    assert pair is not None  # noqa: S101 - it has just entered
    first, second = copy.names[pair.a], copy.names[pair.b]
    copy.spreads.ended = [first]
    copy.bar(copy.lead)
    copy.spreads.ended = []
    copy.bar(copy.lead)
    if "delisted" not in copy.exits(first):
        return never(f"the last bar of {first}: it is still open")
    return seen("pair", copy.exits(second), f"the last bar of {first}, after which {second} left", f"{second} stayed alone")


def halted(copy: BasketCopy) -> DrillOutcome:
    """A person halts: every pair leaves at the next open."""
    if why := copy.enter(copy.lead):
        return no_entry(why)
    pair = copy.inside()
    assert pair is not None  # noqa: S101 - it has just entered
    halt.set(copy.home, "a drill", {"name": "drill"}, WALL_MS, copy.engine)
    copy.bar(copy.lead)
    return _both_left(copy, pair, "halt", "both legs left at the open after a halt")


def no_part(copy: BasketCopy) -> DrillOutcome:  # noqa: ARG001 - every path takes the same
    """What a pair does not have."""
    return off("a pair has no such exit: it leaves by its spread")


def _both_left(copy: BasketCopy, pair: PairBook, reason: str, by: str) -> DrillOutcome:
    """Whether both legs of a pair left, for that reason."""
    for leg in (pair.a, pair.b):
        found = copy.exits(copy.names[leg])
        if reason not in found:
            return never(f"{by}: {copy.names[leg]} {', '.join(found) or 'is still open'}")
    return fired(by)


PATHS: dict[str, Callable[[BasketCopy], DrillOutcome]] = {
    "stop": spread_stop,
    "signal": at_mean,
    "pair": mate,
    "liquidation": liquidation,
    "delisted": delisted,
    "halt": halted,
    **dict.fromkeys(NO_PART, no_part),
}
REFUSALS = {  # rules that the loop of a basket never gets as far as
    R_SIGNAL: second_line(R_SIGNAL, "the entry of a pair has a side and its full strength"),
    R_POSITIONS: second_line(R_POSITIONS, "a basket is one sleeve, however many its pairs"),
}
DRILLED = [reason for reason in EXIT_REASONS if reason not in NO_PATHS]
