"""The desk's days through the backtest's core once more, with some of the desk's own inputs in the place of today's.

Called by comparison.py, once a cause. Turns a Tape, Today and the set of causes that are given into the rows and the equity of
every sleeve. With no cause given it is the backtest: simulated fills, nothing of what people or the venue did. Each bar goes
through book/transitions.run_phases, the desk's own three phases, as plain Python.
"""

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import polars as pl

from engine.book.bar_signals import NO_SIGNAL, signal_of
from engine.book.book import Book, Spec
from engine.book.snapshot import as_json
from engine.book.transitions import NO_BAR, bar_of, govern, matrix_of, obey_halt, run_phases, withdraw_at_rest
from engine.core.fills import ends
from engine.core.ledger import open_lots
from engine.core.row_fields import TAG, VALUES
from engine.core.rows import unpack
from engine.core.state import NO_ORDER, Bar, Cost, Limits, Order, Row, Rules, Signal
from engine.core.step import usable
from engine.data.correlation import day_of
from engine.parity.tape import Lead, Tape, version_key
from engine.parity.today import AS_THEN, NOW, THEN, Today
from engine.sim.trips import RunSleeve, no_rows

FEES = ("maker_frac", "taker_frac", "liquidation_fee_frac")  # of rules: what a change of fees moves
COSTS = ("slip_frac", "impact")  # of a signal: what spread and impact make
LATE = ("late", "handed over late")  # how a bar's `silent` begins where nobody decided in time
OUT_OF_REACH = {1: 1e-9, -1: 1e18}  # side -> a limit that no bar reaches
Given = frozenset[str]


class Replayed(NamedTuple):
    """What a replay came to."""

    equity: Mapping[str, float]  # of each sleeve at the end, marked
    rows: Any  # a frame as sim/trips.py reads it, numbered from 1 within the replay; of a basket rows of the core
    sleeves: tuple[RunSleeve, ...]


class World:
    """One replay's inputs: the desk's own where their cause is in `given`, today's elsewhere."""

    def __init__(self, tape: Tape, today: Today, given: Given) -> None:
        self.tape, self.today, self.given = tape, today, given
        self._rules: dict[str, Rules] = {}

    def source(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """A sleeve of a `config` event as it is in this world, with the `key` of its version; without people's pauses and stages
        unless those are given.
        """
        key = version_key(source)
        found = {**source, "key": key, "rules": as_json_fields(self.rules(key))}
        return found if "paused" in self.given else found | {"paused": False, "stage": "live"}  # enters in every mode

    def spec(self, spec: Spec) -> Spec:
        """The same of what governs a sleeve."""
        source = self.source(spec.source)
        return Spec(spec.version, self.rules(source["key"]), source)

    def config(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A `config` event as it is in this world."""
        limits = body["limits"] if "version" in self.given else as_json_fields(self.today.limits)
        return {**body, "limits": limits, "sleeves": [self.source(source) for source in body["sleeves"]]}

    def rules(self, key: str) -> Rules:
        """The core's rules of a version."""
        if key not in self._rules:
            now, then = self.today.rules[key], self.today.then_rules(key)
            rules = then if "version" in self.given else now
            fees = then if "fee" in self.given else now
            self._rules[key] = rules._replace(**{name: getattr(fees, name) for name in FEES})
        return self._rules[key]

    def bar(self, lead: Lead, column: str) -> Bar:
        """A column's bar: prices and settlement each of now or of then."""
        close_ms = lead.body["close_ms"]
        if column not in lead.body["bars"]:
            return bar_of(close_ms, NO_BAR)
        then, now = bar_of(close_ms, lead.body["bars"][column]), self.today.bar(column, close_ms)
        prices = then if "data" in self.given else now
        charged = then if "funding" in self.given else now
        return prices._replace(funding_rate=charged.funding_rate, funding_mark=charged.funding_mark)

    def correlations(self, lead: Lead) -> list[float | None] | None:
        """How the instruments had moved together, at the first bar of a day; None at others."""
        if "correlations" not in lead.body:
            return None
        found: list[float | None] = lead.body["correlations"]
        return found if "data" in self.given else self.today.correlations.get(day_of(lead.body["close_ms"]), found)

    def signal(self, lead: Lead, s: int, key: str) -> Signal:
        """What a version says at a bar: computed, or as the desk had it."""
        given, close_ms = self.given, lead.body["close_ms"]
        params, costs, bars, models = (THEN if cause in given else NOW for cause in ("version", "slippage", "data", "model"))
        computed = self.today.signal((key, params, costs, bars, models), close_ms)
        cause, written = deviation(self.today, lead, s, self.tape.book.names[s], key)
        if cause not in given or written is None:
            return computed
        if "slippage" in given or self.today.same_costs(key):
            return written
        then = self.today.signal((key, *AS_THEN), close_ms)
        kept = {name: getattr(computed, name) for name in COSTS if same(getattr(written, name), getattr(then, name))}
        return written._replace(**kept)


def deviation(today: Today, lead: Lead, s: int, name: str, key: str) -> tuple[str, Signal | None]:
    """(feature, late, signal or "", what the desk had): how what it decided by differs from what its version says of the same
    bars.

    `feature`: other features were read, or the strategy failed; `late`: nobody decided in time, its answer or the bar came too
    late; `signal`: the same features gave another signal.
    """
    place = lead.body["close_ms"], s, key
    if place not in today.deviations:
        today.deviations[place] = _deviation(today, lead, s, name, key)
    return today.deviations[place]


def _deviation(today: Today, lead: Lead, s: int, name: str, key: str) -> tuple[str, Signal | None]:
    body, close_ms = lead.body, lead.body["close_ms"]
    parts = ("signals", "features") if key == lead.keys[s] else ("next", "next_features") if key == lead.waiting[s] else ()
    signals, features = (body.get(part, {}) for part in parts) if parts else ({}, {})
    if name not in signals:
        return "", None
    written = signal_of(signals[name])
    if all(map(same, written, today.signal((key, *AS_THEN), close_ms))):
        return "", written
    if signals[name] is None and str(body.get("silent", {}).get(name, "")).startswith(LATE):
        return "late", written
    silent = signals[name] is None or close_ms not in today.rows
    return ("feature" if silent or today.features(key, close_ms) != features.get(name) else "signal"), written


def same(one: float, other: float) -> bool:
    """Equal numbers; NaN is what NaN is."""
    return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN alone differs from itself


def replay(tape: Tape, today: Today, given: Given) -> Replayed:
    """The tape's days from its beginning, with these causes given."""
    world, book, rows = World(tape, today, given), beginning(tape, today, given), list[Row]()
    for lead in tape.leads:
        if lead.kind == "bar":
            rows += _bar(world, book, lead)
        elif lead.kind == "config":
            govern(book, world.config(lead.body))
            if "paused" in given:
                withdraw_at_rest(book)
        elif "halted" in given:
            rows += obey_halt(book, lead.body)
    equity = {name: book.marked(s).ledger.equity for s, name in enumerate(book.names)}
    return Replayed(equity, frame_of_rows(rows), tuple(_run_sleeve(book, s) for s in range(len(book.names))))


def beginning(tape: Tape, today: Today, given: Given) -> Book:
    """The desk at its beginning, in this world."""
    world, book = World(tape, today, given), deepcopy(tape.book)
    book.specs = [world.spec(spec) for spec in book.specs]
    book.waiting = [spec and world.spec(spec) for spec in book.waiting]
    book.health, book.differences = {}, {}
    if "version" not in given:
        book.limits = today.limits
    if "halted" not in given and book.desk.halted:
        book.desk = book.desk._replace(halted=0, tripped=0, peak=book.desk.equity)
    return book


def as_json_fields(values: Rules | Limits) -> dict[str, Any]:
    """Rules or limits as a `config` event holds them."""
    return {name: as_json(value) for name, value in values._asdict().items()}


def _bar(world: World, book: Book, lead: Lead) -> list[Row]:
    """One bar of the replay: its rows."""
    close_ms, count = lead.body["close_ms"], len(book.sleeves)
    bars = [world.bar(lead, column) for column in book.columns]
    due = [book.column(s) in lead.body["bars"] for s in range(count)]

    def signal(s: int) -> Signal:
        return world.signal(lead, s, book.specs[s].source["key"]) if due[s] else NO_SIGNAL

    if (moved := world.correlations(lead)) is not None:
        book.correlations = matrix_of(moved, len(book.instruments), len(bars))
    _pause(world, book, lead)
    held = _with_entries_of_desk(world, book, bars, close_ms)
    kept, costs = list(book.specs), [sleeve.cost for sleeve in book.sleeves]
    opened = _with_opens_of_desk(world, book, bars, close_ms)
    charged = [sleeve.cost for sleeve in book.sleeves]
    rows, _ = run_phases(book, [*bars, *opened], [signal(s) for s in range(count)], signal, settles=1)
    for s, order in held.items():
        if book.sleeves[s].order.key == order.key and book.sleeves[s].order.side != 0:
            kept_order = book.sleeves[s].order._replace(limit=order.limit, good_for=order.good_for)
            book.sleeves[s] = book.sleeves[s]._replace(order=kept_order)
    for s, sleeve in enumerate(book.sleeves):
        if charged[s] is not costs[s] and sleeve.cost is charged[s]:  # this close knows no other
            book.sleeves[s] = sleeve._replace(cost=costs[s])
    if opened:
        book.correlations = resized(book.correlations, len(bars))
        book.specs = [old if new.source is old.source else new for new, old in zip(book.specs, kept, strict=True)]
    book.close_ms, book.count = close_ms, book.count + 1
    book.bars = [new if usable(new) else old for new, old in zip(bars, book.bars, strict=True)]
    return rows


def _pause(world: World, book: Book, lead: Lead) -> None:
    """Sleeves that enter nothing at this bar: by people's pause or stage, and because the desk's entries were blocked."""
    for s, sleeve in enumerate(book.sleeves):
        paused = "paused" in world.given and book.latest(s).enters_nothing(lead.body["close_ms"], book.mode)
        blocked = "blocked" in world.given and (lead.blocked or book.specs[s].source["instrument"] in lead.off)
        book.sleeves[s] = sleeve._replace(guard=sleeve.guard._replace(paused=int(paused or blocked)))


def _with_entries_of_desk(world: World, book: Book, bars: list[Bar], close_ms: int) -> dict[int, Order]:
    """Entry orders as the desk's venue filled them, where that cause is given: at a later bar, none that the desk ordered and did
    not get, and its own lots. Returns the orders whose limit was put out of reach for this bar alone.
    """
    held: dict[int, Order] = {}
    for s, sleeve in enumerate(book.sleeves):
        order, name, rules = sleeve.order, book.names[s], book.specs[s].rules
        bar = bars[rules.bars]
        if order.side == 0 or not usable(bar):
            continue
        filled = world.tape.filled.get((name, close_ms))
        later_ms = world.tape.filled_at.get((name, order.decided_ms), 0)
        if later_ms > close_ms and "delayed" in world.given:
            lasts = max(order.good_for, (later_ms - order.decided_ms) // rules.bar_ms)
            held[s] = order._replace(good_for=lasts)
            book.sleeves[s] = sleeve._replace(order=order._replace(limit=OUT_OF_REACH[order.side], good_for=lasts + 1))
        elif filled is None and "missed" in world.given and (name, order.decided_ms) in world.tape.ordered:
            if ends(order, bar, rules):
                book.sleeves[s] = sleeve._replace(order=NO_ORDER)
            else:
                held[s] = order
                book.sleeves[s] = sleeve._replace(order=order._replace(limit=OUT_OF_REACH[order.side]))
        elif filled is not None and "size" in world.given and not order.limit > 0.0:
            book.sleeves[s] = sleeve._replace(order=order._replace(lots=filled.lots))
    return held


def _with_opens_of_desk(world: World, book: Book, bars: list[Bar], close_ms: int) -> list[Bar]:
    """Where a flat sleeve enters at the market, a bar of its own that opens at the price that the desk's venue gave, as more
    columns: its rules look there for this bar. `fill_price`: the desk's reference price; `slipped`: its slippage from there, too.
    """
    opened: list[Bar] = []
    for s, sleeve in enumerate(book.sleeves):
        order, spec = sleeve.order, book.specs[s]
        filled = world.tape.filled.get((book.names[s], close_ms))
        bar = bars[spec.rules.bars]
        if "fill_price" not in world.given or filled is None or order.side == 0 or order.limit > 0.0 or not usable(bar):
            continue
        price = filled.reference_price
        if "slipped" in world.given:
            book.sleeves[s] = sleeve._replace(cost=Cost(order.side * (filled.price / price - 1.0), 0.0))
        if sleeve.position.open_layers == 0 and price != bar.open:
            book.specs[s] = spec._replace(rules=spec.rules._replace(bars=len(bars) + len(opened)))
            opened.append(bar._replace(open=price, high=max(bar.high, price), low=min(bar.low, price)))
    if opened:
        book.correlations = resized(book.correlations, len(bars) + len(opened))
    return opened


def resized(square: list[float], width: int) -> list[float]:
    """A flat square with another width: what it had not is NaN."""
    before = math.isqrt(len(square))
    inside = ((a, b) for a in range(width) for b in range(width))
    return [square[a * before + b] if max(a, b) < before else math.nan for a, b in inside]


def _run_sleeve(book: Book, s: int) -> RunSleeve:
    """What the rows of a sleeve do not hold."""
    sleeve, spec = book.marked(s), book.specs[s]
    lots = open_lots(sleeve.position)
    mark = sleeve.ledger.notional / (lots * spec.rules.lot_size) if lots else 0.0
    return RunSleeve(book.names[s], spec.source["instrument"], spec.rules.lot_size, mark, spec.rules.bar_ms)


def frame_of_rows(rows: list[Row]) -> pl.DataFrame:
    """The core's rows as sim/trips.frame_of gives those of the kernel, `n` from 1."""
    columns: dict[str, list[Any]] = {"n": list(range(1, len(rows) + 1)), "close_ms": [row.close_ms for row in rows]}
    tags = [unpack(row.tag) for row in rows]
    columns |= {name: [tag[k] for tag in tags] for k, name in enumerate(TAG)}
    columns |= {name: [getattr(row, name) for row in rows] for name in VALUES}
    empty = no_rows()
    return pl.DataFrame({name: columns[name] for name in empty.columns}, schema=empty.schema, strict=False)
