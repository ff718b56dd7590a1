"""The desk as it stands, and what can happen to it: a configuration, a halt or release, a bar; executions.py has what a venue
reports.

`step` is called by engine.live.loop (which then journals what it is given back) and by engine.book.replay (which compares that
with what was journaled): one fold, so a journal that folds is the proof that it tells everything. Each function takes the Book
and the body of an event that leads, moves the Book through engine.core, and returns what follows as (kind, body). No clock, no
file, no database.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.book import events
from engine.book.account_events import on_attach, on_cursor, on_lapse, on_leave, on_orphan
from engine.book.adoption import on_adopt, on_reduced
from engine.book.bar_signals import NO_SIGNAL, leaving_only, signal_of
from engine.book.basket_book import adopt_terms, begun
from engine.book.basket_moves import basket_halted, basket_phases, withdraw_pairs
from engine.book.bodies import finite, stage_rests
from engine.book.book import Book, Spec, flat, paused_at, stage_of
from engine.book.executions import Led, on_cross, on_fill, on_funding_bill, on_health, on_order, on_reconcile
from engine.book.order_events import EventBody, act, prune, unmoved_stops
from engine.book.snapshot import restored
from engine.book.transfers import on_transfer
from engine.book.windows import on_window
from engine.book.working import schedules_of
from engine.core.desk import decide_all, settle_and_mark
from engine.core.ledger import open_lots
from engine.core.memory import Memory
from engine.core.rows import decision_row
from engine.core.state import (
    DAY_MS,
    DESK_DRAWDOWN,
    HOLD,
    NO_ORDER,
    TRIPS_KEPT,
    Bar,
    Limits,
    Row,
    Rules,
    Signal,
    start,
    start_desk,
)
from engine.core.step import on_halt, usable

TRADES_KEPT_MS = DAY_MS  # a trade is known for this long, and longer while there are few
NO_BAR = (None,) * 5 + (0.0, 0.0)  # of a longer timeframe, where none closes
ROWS_A_SLEEVE = 24  # room for the rows of one bar; running out is a programmer's error
SILENT = Signal(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 1)
Read = Mapping[str, Mapping[str, Any]]  # sleeve -> feature label -> value
REPORTED: Mapping[str, Callable[[Book, Mapping[str, Any]], Led]] = {
    "order": on_order,
    "fill": on_fill,
    "cross": on_cross,
    "funding": on_funding_bill,
    "health": on_health,
    "reconcile": on_reconcile,
    "adopt": on_adopt,
    "reduced": on_reduced,
    "cursor": on_cursor,
    "attach": on_attach,
    "lapse": on_lapse,
    "leave": on_leave,
    "orphan": on_orphan,
    "transfer": on_transfer,
    "window": on_window,
}
LEADING = ("bar", "config", "halt", *REPORTED)


def step(book: Book, kind: str, body: Mapping[str, Any], read: Read, read_next: Read) -> Led:
    """One leading event: (its body with what the book knows of it, what follows). `read` and `read_next` are as for `on_bar`."""
    if kind == "bar":
        return body, on_bar(book, body, read, read_next)
    if kind in REPORTED:
        led = REPORTED[kind](book, body)
        set_pauses(book)
        return led
    return body, on_config(book, body) if kind == "config" else on_halted(book, body)


def begin(body: Mapping[str, Any]) -> tuple[Book, list[EventBody]]:
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
        recent_r=[0.0] * (count * TRIPS_KEPT),
        bars=[none] * (len(body["start"]["instruments"]) + len(body["start"]["own_bars"])),
        close_ms=body["start"]["first_ms"],
    )
    book.correlations = matrix_of([], 0, len(book.bars))
    if "basket" in body:  # one equity: legs have no cash of their own
        book.basket, book.sleeves = begun(body["basket"], count), [start(0.0)] * count
        book.desk = start_desk(float(body["basket"]["cash"]))
    set_pauses(book)
    return book, [events.mark(book)]


def specs_of(body: Mapping[str, Any]) -> list[Spec]:
    """The sleeves of a config event."""
    return [
        Spec(sleeve.get("version", body["version"]), restored(Rules, sleeve["rules"]), dict(sleeve)) for sleeve in body["sleeves"]
    ]


def config_part(body: Mapping[str, Any]) -> dict[str, Any]:
    """What two config events are compared by: everything but the start."""
    return {key: value for key, value in body.items() if key not in {"start", "to_open"}}


def on_config(book: Book, body: Mapping[str, Any]) -> list[EventBody]:
    """A version was adopted: flat sleeves follow it now, the others keep theirs until they are flat.

    `to_open` names the sleeves whose person approved the change for an open position too (it tightens).
    """
    moved = govern(book, body)
    for s in (s for s, state in moved.items() if state == "governs"):
        book.features.pop(book.names[s], None)  # they were the older version's
    following = [events.adopted(book, s, state) for s, state in moved.items()]
    withdraw_at_rest(book)
    return [*following, *acted(book), events.mark(book)]


def govern(book: Book, body: Mapping[str, Any]) -> dict[int, str]:
    """Put a configuration in force: sleeve -> `governs` now or `waits` until it is flat, for each that it changes."""
    new = specs_of(body)
    assert [s.source["name"] for s in new] == book.names, "sleeves are fixed for the life of a home"  # noqa: S101 - halts
    book.version, book.config = body["version"], config_part(body)
    book.limits = restored(Limits, body["limits"])
    moved = {}
    if book.basket is not None:
        adopt_terms(book.basket, body)
    for s, spec in enumerate(new):
        same = spec.source == book.specs[s].source
        if book.basket is not None or same or flat(book.sleeves[s]) or spec.source["name"] in body.get("to_open", ()):
            book.specs[s], book.waiting[s] = spec, None
        else:
            book.waiting[s] = spec
        if not same:
            moved[s] = "waits" if book.waiting[s] is not None else "governs"
    return moved


def acted(book: Book, *, opens: bool = False) -> list[EventBody]:
    """What all sleeves now ask of their venue; what is in doubt because of it pauses them. `opens`: as for `act`."""
    following = act(book, range(len(book.sleeves)), opens=opens)
    set_pauses(book)
    return following


def set_pauses(book: Book, close_ms: int = 0) -> None:
    """Sleeves that people paused refuse every entry, all do while entries are blocked, one does while the venue may still fill
    an entry that it no longer wants or refuses to move a stop of its; their own pauses run on beside it. `close_ms`: of a bar
    that decides now; without one desk time counts.
    """
    any_leg, blocked = 0, book.entries_blocked
    for s, sleeve in enumerate(book.sleeves):
        unsure = sleeve.in_doubt > 0.0 or bool(book.orders.refusals and unmoved_stops(book, s))
        paused = int(blocked or book.latest(s).enters_nothing(close_ms or book.close_ms, book.mode) or unsure)
        any_leg |= paused
        if book.basket is not None:
            whole = book.basket.whole
            book.basket.whole = whole._replace(guard=whole.guard._replace(paused=any_leg))
        elif (paused := paused | book.is_off(s)) != sleeve.guard.paused:
            book.sleeves[s] = sleeve._replace(guard=sleeve.guard._replace(paused=paused))


def withdraw_at_rest(book: Book) -> None:
    """A sleeve that has left trading by its stage wants no entry order either: one that works is cancelled."""
    for s, sleeve in enumerate(book.sleeves):
        if stage_rests(stage_of(book.latest(s).source), book.mode) and sleeve.order.side != 0:
            book.sleeves[s] = sleeve._replace(order=NO_ORDER)
    if book.basket is not None and stage_rests(stage_of(book.latest(0).source), book.mode):
        withdraw_pairs(book)


def on_halted(book: Book, body: Mapping[str, Any]) -> list[EventBody]:
    """People halted or released the desk. Halted: entry orders are cancelled now, positions leave at the next open.

    A release ends the drawdown breaker too, whose reference begins anew from here, else it would trip at once. What the highest
    equity was stays known: the release says it.
    """
    before, rows = list(book.sleeves), obey_halt(book, body)
    if body["state"] == "released":
        return [events.mark(book)]
    return [*events.rows(book, rows, before, {}), *acted(book), events.mark(book)]


def obey_halt(book: Book, body: Mapping[str, Any]) -> list[Row]:
    """The desk halted or released; the rows of sleeves that a halt makes leave or withdraw."""
    if body["state"] == "released":
        book.high_water = body.get("high_water", book.high_water)
        book.desk = book.desk._replace(halted=0, tripped=0, peak=book.desk.equity)
        book.halt, book.tripped_ms = {}, 0
        return []
    book.desk = book.desk._replace(halted=1)
    book.halt = {"reason": body["reason"], "by": body["by"]}
    if book.basket is not None:
        return basket_halted(book)
    rows = []
    for s, before in enumerate(book.sleeves):
        bar = book.bars[book.specs[s].rules.instrument]
        book.sleeves[s], decision = on_halt(before, bar)
        if decision.action != HOLD:
            lots = open_lots(before.position) * before.position.side
            rows.append(decision_row(s, book.sleeves[s], bar, SILENT, decision, lots))
    return rows


def adopt_waiting(book: Book) -> list[int]:
    """Sleeves that are flat follow the version that waited for it; which."""
    turned = [s for s, waits in enumerate(book.waiting) if waits is not None and flat(book.sleeves[s])]
    for s in turned:
        waits = book.waiting[s]
        assert waits is not None  # noqa: S101 - chosen above
        book.specs[s], book.waiting[s] = waits, None
    return turned


def resuming_by(book: Book, close_ms: int) -> list[int]:
    """Sleeves whose pause, one with an end, is over by the bar that closes now and was not at desk time."""
    sources = [book.latest(s).source for s in range(len(book.sleeves))]
    return [s for s, source in enumerate(sources) if paused_at(source, book.close_ms) and not paused_at(source, close_ms)]


def on_bar(book: Book, body: Mapping[str, Any], read: Read, read_next: Read) -> list[EventBody]:
    """One closed bar of every instrument: marked and decided upon. What the venue did inside it was reported before.

    `read`: the features each sleeve read, for its decision; `read_next`: those of a version that waits, should it turn.
    """
    close_ms, count = body["close_ms"], len(book.sleeves)
    own = book.columns[len(book.instruments) :]
    bars = [bar_of(close_ms, body["bars"][name]) for name in book.instruments]
    bars += [bar_of(close_ms, body["bars"].get(name, NO_BAR)) for name in own]
    closes = [book.column(s) in body["bars"] for s in range(count)]  # the others decide nothing here
    signals = [signal_of(body["signals"][name]) if due else NO_SIGNAL for name, due in zip(book.names, closes, strict=True)]
    set_pauses(book, close_ms)
    resuming = resuming_by(book, close_ms)
    before, tripped = list(book.sleeves), book.desk.tripped
    if "correlations" in body:
        book.correlations = matrix_of(body["correlations"], len(book.instruments), len(bars))

    def later(s: int) -> Signal:
        return signal_of(body["next"][book.names[s]]) if closes[s] else NO_SIGNAL

    if book.basket is not None:
        rows, turning = basket_phases(book, bars, signals, body["basket"]), list[int]()
    else:
        rows, turning = run_phases(book, bars, signals, later, settles=0)
    book.usual = book.usual | {book.names[s]: usual_of(signals[s]) for s in range(count) if closes[s]}
    book.close_ms, book.count, book.ambiguous = close_ms, book.count + 1, book.ambiguous + body.get("ambiguous", 0)
    book.bars = [new if usable(new) else old for new, old in zip(bars, book.bars, strict=True)]
    book.features = {**book.features, **body["features"]}
    if book.desk.tripped & DESK_DRAWDOWN and not tripped & DESK_DRAWDOWN:
        book.tripped_ms = close_ms
        book.halt = {"reason": "desk drawdown breaker", "by": "guardrail"}
    turned = [book.names[s] for s in turning]
    for s in turning:
        if closes[s]:
            book.features[book.names[s]] = body["next_features"][book.names[s]]
        else:
            book.features.pop(book.names[s], None)  # they were the older version's
    following = events.rows(book, rows, before, {**read, **{name: read_next[name] for name in turned if name in read_next}})
    following += [events.adopted(book, s, "governs") for s in turning] + [events.adopted(book, s, "resumes") for s in resuming]
    following += acted(book, opens=True)
    prune(book, close_ms - TRADES_KEPT_MS)
    return [*following, events.mark(book, body["stamp"])]


def run_phases(
    book: Book, bars: list[Bar], signals: list[Signal], later: Callable[[int], Signal], *, settles: int
) -> tuple[list[Row], list[int]]:
    """One bar of the core: its rows, and the sleeves that it left flat and that turned to the version that waited for them.

    `later`: the signal of such a sleeve by that version; it takes its place in `signals`. `settles` 1: the simulated venue fills
    inside the bar, as in a backtest (engine/parity); 0: a venue has reported before. Time and count are the caller's to move.
    """
    count = len(book.sleeves)
    found: list[Any] = [None] * (ROWS_A_SLEEVE * count + 1)
    scratch = [0.0] * len(bars), [0] * len(bars), [0.0] * len(bars), [0.0] * count
    schedules = schedules_of(book.specs, int(book.start["timeframe_ms"]))
    arrays = bars, book.sleeves, [spec.rules for spec in book.specs], book.recent_r, *scratch, book.correlations, found
    m = Memory(*arrays, schedules=schedules, squares=[math.nan] * 2)
    awake = [0] * count
    book.desk, n, _ = settle_and_mark(m, book.desk, book.limits, 0, 0, awake, settles)
    turning = adopt_waiting(book)  # what the bar has left flat decides by the version that waited, not one entry later
    for s in turning:
        m.rules[s], signals[s] = book.specs[s].rules, later(s)
    for s, waits in enumerate(book.waiting):
        if waits is not None:
            signals[s] = leaving_only(signals[s], book.sleeves[s].position.side)
    book.desk, n = decide_all(m, signals, book.desk, book.limits, n, 0, awake)
    assert n <= len(found), "more rows than a bar can have"  # noqa: S101 - a lost row must halt
    return found[:n], turning


def bar_of(close_ms: int, values: Sequence[Any]) -> Bar:
    """A bar from its journaled numbers; null is a missing one."""
    return Bar(close_ms, *(math.nan if value is None else float(value) for value in values))


def usual_of(signal: Signal) -> list[float | None]:
    """Range and volume of a sleeve's bar against what is usual, as the guardrails saw them."""
    return [finite(signal.range_times), finite(signal.volume_times)]


def matrix_of(upper: Sequence[float | None], instruments: int, width: int) -> list[float]:
    """Correlations as a `bar` event holds them (data/correlation.upper) as a square over `width` columns, flat."""
    found, values = [math.nan] * (width * width), iter(upper)
    for a in range(instruments):
        for b in range(a + 1, instruments):
            value = next(values)
            found[a * width + b] = found[b * width + a] = math.nan if value is None else float(value)
    return found
