"""The desk as it stands, and the three things that can happen to it: a configuration, a halt or release, a bar.

Called by engine.live.loop (which then journals what it is given back) and by engine.book.replay (which compares that with
what was journaled): one path, so a journal that folds is the proof that it tells everything. Each function takes the
Book and the body of the journal event that leads a group, moves the Book through engine.core, and returns the events
that follow in the group as (kind, body). No clock, no file, no database.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.book import events
from engine.book.book import Book, Spec, flat
from engine.book.events import Said
from engine.book.snapshot import restored
from engine.core.desk import desk_bar
from engine.core.ledger import open_lots
from engine.core.rows import decision_row
from engine.core.state import (
    DESK_DRAWDOWN,
    HOLD,
    TRIPS_KEPT,
    Bar,
    Limits,
    Rules,
    Signal,
    Sleeve,
    start,
    start_desk,
)
from engine.core.step import on_halt, usable

PAUSED = 1 << 52  # Guard.pause_until_ms of a sleeve that people paused: later than any bar, exact as a float
ROWS_A_SLEEVE = 24  # room for the rows of one bar; running out is a programmer's error
SILENT = Signal(0, 0.0, 0.0, 0.0, 0.0, 0.0)
Read = Mapping[str, Mapping[str, Any]]  # sleeve -> feature label -> value


def begin(body: Mapping[str, Any]) -> tuple[Book, list[Said]]:
    """The book of a new desk, from its first config event (the one with `start`)."""
    specs, cash = specs_of(body), [float(sleeve["cash"]) for sleeve in body["sleeves"]]
    count, none = len(specs), Bar(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    book = Book(
        start=dict(body["start"]),
        version=body["version"],
        config=config_part(body),
        limits=restored(Limits, body["limits"]),
        specs=specs,
        waiting=[None] * count,
        sleeves=[start(money) for money in cash],
        desk=start_desk(sum(cash)),
        ring=[0.0] * (count * TRIPS_KEPT),
        lifted=[0] * count,
        bars=[none] * len(body["start"]["instruments"]),
        close_ms=body["start"]["first_ms"],
    )
    hold_pauses(book)
    return book, [events.mark(book)]


def specs_of(body: Mapping[str, Any]) -> list[Spec]:
    """The sleeves of a config event."""
    return [
        Spec(body["version"], restored(Rules, sleeve["rules"]), bool(sleeve["paused"]), dict(sleeve))
        for sleeve in body["sleeves"]
    ]


def config_part(body: Mapping[str, Any]) -> dict[str, Any]:
    """What two config events are compared by: everything but the start."""
    return {key: value for key, value in body.items() if key not in {"start", "to_open"}}


def on_config(book: Book, body: Mapping[str, Any]) -> list[Said]:
    """A version was adopted: flat sleeves follow it now, the others keep theirs until they are flat.

    `to_open` names the sleeves whose person approved the change for an open position too (it tightens).
    """
    new = specs_of(body)
    assert [s.source["name"] for s in new] == book.names, "sleeves are fixed for the life of a home"  # noqa: S101 - halts
    book.version, book.config = body["version"], config_part(body)
    book.limits = restored(Limits, body["limits"])
    said = []
    for s, spec in enumerate(new):
        if spec.source == book.specs[s].source:
            book.specs[s], book.waiting[s] = spec, None
        elif flat(book.sleeves[s]) or spec.source["name"] in body.get("to_open", ()):
            book.specs[s], book.waiting[s] = spec, None
            book.features.pop(spec.source["name"], None)  # they were the older version's
            said.append(events.adopted(book, s, "governs"))
        else:
            book.waiting[s] = spec
            said.append(events.adopted(book, s, "waits"))
    hold_pauses(book)
    return [*said, events.mark(book)]


def hold_pauses(book: Book) -> None:
    """A paused sleeve refuses every entry by the core's own pause; what it had of its own comes back afterwards."""
    for s, sleeve in enumerate(book.sleeves):
        until = sleeve.guard.pause_until_ms
        if book.latest(s).paused:
            if until != PAUSED:
                book.lifted[s] = until
            until = PAUSED
        elif until == PAUSED:
            until, book.lifted[s] = book.lifted[s], 0
        if until != sleeve.guard.pause_until_ms:
            book.sleeves[s] = sleeve._replace(guard=sleeve.guard._replace(pause_until_ms=until))


def on_halted(book: Book, body: Mapping[str, Any]) -> list[Said]:
    """People halted or released the desk. Halted: entry orders are cancelled now, positions leave at the next open.

    A release ends the drawdown breaker too and measures the drawdown anew from here, else it would trip at once.
    """
    if body["state"] == "released":
        book.desk = book.desk._replace(halted=0, tripped=0, peak=book.desk.equity)
        book.halt, book.tripped_ms = {}, 0
        return [events.mark(book)]
    book.desk = book.desk._replace(halted=1)
    book.halt = {"reason": body["reason"], "by": body["by"]}
    said: list[Said] = []
    for s, before in enumerate(book.sleeves):
        bar = book.bars[book.specs[s].rules.instrument]
        book.sleeves[s], decision = on_halt(before, bar)
        if before.order.side != 0:
            said.append(events.order(book, s, before, 0, "cancelled"))
        if decision.action != HOLD:
            lots = open_lots(before.position) * before.position.side
            row = decision_row(s, book.sleeves[s], bar, SILENT, decision, lots)
            said += events.rows(book, [row], [before] * (s + 1), {})
    return [*said, events.mark(book)]


class _Turning:
    """Rules and signals, as the core asks for them, while a newer version waits.

    The core loads a sleeve's rules before it trades a bar and again before it decides. A sleeve that the bar has left
    flat decides by the version that waited: the new one governs the next entry, and not one entry later.
    """

    def __init__(self, book: Book, now: Sequence[Signal], ahead: Mapping[int, Signal]) -> None:
        self.book, self.now, self.ahead = book, now, ahead
        self.turned: list[int] = []

    def rules(self, s: int) -> Rules:
        """Of the version that governs sleeve s at this moment."""
        book, waits = self.book, self.book.waiting[s]
        if waits is not None and flat(book.sleeves[s]):
            book.specs[s], book.waiting[s] = waits, None
            self.turned.append(s)
        return book.specs[s].rules

    def signal(self, s: int) -> Signal:
        """Of the same version."""
        return self.ahead[s] if s in self.turned else self.now[s]


class _View:
    """A sequence of which the core only ever asks for an element."""

    def __init__(self, at: Any) -> None:
        self.at = at

    def __getitem__(self, s: int) -> Any:
        return self.at(s)


def on_bar(book: Book, body: Mapping[str, Any], read: Read, read_next: Read) -> list[Said]:
    """One closed bar of every instrument through the core.

    `read`: the features each sleeve read, for its decision; `read_next`: those of a version that waits, should it turn.
    """
    close_ms = body["close_ms"]
    bars = [bar_of(close_ms, body["bars"][name]) for name in book.instruments]
    now = [restored(Signal, body["signals"][name]) for name in book.names]
    ahead = {s: restored(Signal, body["next"][name]) for s, name in enumerate(book.names) if name in body.get("next", ())}
    hold_pauses(book)
    before, tripped = list(book.sleeves), book.desk.tripped
    turning = _Turning(book, now, ahead)
    count = len(bars)
    scratch = [0.0] * count, [0] * count, [0.0] * count
    rows: list[Any] = [None] * (ROWS_A_SLEEVE * len(before) + 1)
    book.desk, n, unclear = desk_bar(
        bars,
        _View(turning.signal),
        book.sleeves,
        _View(turning.rules),
        book.desk,
        book.limits,
        book.ring,
        *scratch,
        rows,
        0,
        0,
        0,
    )
    assert n <= len(rows), "more rows than a bar can have"  # noqa: S101 - a lost row must halt
    book.close_ms, book.count, book.unclear = close_ms, book.count + 1, book.unclear + unclear
    book.bars = [new if usable(new) else old for new, old in zip(bars, book.bars, strict=True)]
    book.features = dict(body["features"])
    if book.desk.tripped & DESK_DRAWDOWN and not tripped & DESK_DRAWDOWN:
        book.tripped_ms = close_ms
        book.halt = {"reason": "desk drawdown breaker", "by": "guardrail"}
    turned = [book.names[s] for s in turning.turned]
    book.features |= {name: body["next_features"][name] for name in turned}
    said = events.outcomes(book, rows[:n], before, bars)
    said += events.rows(book, rows[:n], before, {**read, **{name: read_next[name] for name in turned if name in read_next}})
    said += [events.adopted(book, s, "governs") for s in turning.turned]
    said += [events.intent(book, s) for s, was in enumerate(before) if placed(was, book.sleeves[s])]
    return [*said, events.mark(book, body["stamp"])]


def placed(before: Sleeve, after: Sleeve) -> bool:
    """A new entry order stands."""
    return after.order.side != 0 and after.order.decided_ms != before.order.decided_ms


def bar_of(close_ms: int, values: Sequence[Any]) -> Bar:
    """A bar from its journaled numbers; null is a missing one."""
    return Bar(close_ms, *(math.nan if value is None else float(value) for value in values))
