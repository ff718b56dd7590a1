"""The core's rows of one bar as journal events people can read: codes become words, lots get their quantity.

Called by engine.book.transitions. Turns packed rows and the book after them into (kind, body) pairs, in the order of the bar.
Bodies hold no ids, no wall time: two equal runs say equal things.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import nan, sqrt
from typing import Any

from engine.book.basket_events import basket_mark, decided
from engine.book.bodies import GuardBody, LayerBody, PositionBody, SleeveBody, finite
from engine.book.book import Book, paused_at, stage_of
from engine.book.incident_money import in_windows, orphan_pnl
from engine.book.order_events import EventBody, order_id, states_of, stuck, unmoved_stops
from engine.core.desk import squared_exposure
from engine.core.exits import protective
from engine.core.guardrails import exposure, held_side
from engine.core.ledger import open_lots
from engine.core.orders import VenueOrder
from engine.core.row_fields import BreakerRow, CapsRow, DecisionRow, FillRow, FundingRow, SizeRow, decode
from engine.core.state import (
    ACTIONS,
    BREAKERS,
    CANCEL,
    CAPS,
    DAY_MS,
    ENTRY,
    EXIT,
    EXIT_REASONS,
    EXIT_SLOT,
    MINUTE_MS,
    PROTECTIVE,
    R_NONE,
    REFUSED,
    RULES,
    SIDES,
    SLOTS,
    Guard,
    Row,
    Sleeve,
)
from engine.core.windows import opens_ms
from engine.store.chain import encode_body

FILL_MODEL = "bar-pessimistic-1"  # DEFINITIONS D12; a change of the rules of matching is a new name
COST_MODEL = "fee-spread-sqrt-1"  # D3, D16


def features_hash(read: Mapping[str, Any]) -> str:
    """Digest of one sleeve's feature row, label -> value or None."""
    return sha256(encode_body(read).encode("ascii")).hexdigest()[:32]


def rows(book: Book, found: Sequence[Row], before: Sequence[Sleeve], read: Mapping[str, Mapping[str, Any]]) -> list[EventBody]:
    """Every row as an event; size and caps join the decision they stand behind."""
    if book.basket is not None:
        return decided(book, found, _breaker)
    bodies: list[EventBody] = []
    for row in found:
        s, fields = decode(row)
        name, own = (book.names[s], {"version": book.specs[s].version}) if s >= 0 else ("", {})
        match fields:
            case DecisionRow():
                bodies.append(("decision", _decision(book, s, fields, before[s], read.get(name))))
            case SizeRow():
                bodies[-1][1]["size"] = _size(fields)
            case CapsRow():
                bodies[-1][1]["caps"] = _caps(fields)
            case FillRow():
                bodies.append(("fill", _fill(book, s, fields, before[s]) | own))
            case FundingRow():
                bodies.append(("funding", _funding(name, fields) | own))
            case BreakerRow():
                bodies.append(("breaker", _breaker(name, fields) | own))
    return bodies


def _decision(book: Book, s: int, row: DecisionRow, before: Sleeve, read: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a sleeve decided at the close and why."""
    body: dict[str, Any] = {
        "sleeve": book.names[s],
        "action": ACTIONS[row.action],
        "signal": SIDES[row.signal],
        "strength": finite(row.strength),
        "price": finite(row.close),
        "lots_before": row.lots_before,
        "working_lots_before": before.order.lots * before.order.side,
        "layers": row.layers,
        "equity": finite(row.equity),
        "version": book.specs[s].version,
        "fill_model": FILL_MODEL,
        "cost_model": COST_MODEL,
    }
    if row.layers > 0:
        body |= {"protective": finite(row.protective), "target": finite(row.target) if row.target > 0.0 else None}
    if row.action == EXIT:
        body["reason"] = EXIT_REASONS[row.rule]
    if row.action == REFUSED:
        body["refused_by"] = RULES[row.rule]
    if row.action == CANCEL and row.rule != R_NONE:
        body["cancelled_by"] = RULES[row.rule]
    if read is not None:
        body["features"] = dict(read)
    return body


def _size(row: SizeRow) -> dict[str, Any]:
    """How much was wanted and approved."""
    return {
        "approved_lots": row.lots_approved,
        "wanted": finite(row.units_wanted),
        "binding": CAPS[row.cap_binding],
        "risk_frac": finite(row.risk_frac),
        "stop_distance": finite(row.stop_distance),
        "target_distance": finite(row.target_distance),
    }


def _caps(row: CapsRow) -> dict[str, Any]:
    """Every cap in base units."""
    return {name: finite(value) for name, value in zip(CAPS, row, strict=False)}


def _fill(book: Book, s: int, row: FillRow, before: Sleeve) -> dict[str, Any]:
    """One execution with what it cost."""
    name, quantity = book.names[s], row.lots * book.specs[s].rules.lot_size
    body: dict[str, Any] = {
        "sleeve": name,
        "instrument": book.specs[s].source["instrument"],
        "slot": SLOTS[row.slot],
        "leg": row.leg,
        "pair": row.pair,
        "key": row.key,
        "order": order_id(name, book.ids_from + row.key, row.slot),
        "side": "buy" if row.side > 0 else "sell",
        "layer": row.layer,
        "lots": row.lots,
        "quantity": quantity,
        "price": finite(row.price),
        "reference_price": finite(row.reference_price),
        "fee": finite(row.fee),
        "slippage": finite(row.side * quantity * (row.price - row.reference_price)),
        "liquidity": "maker" if row.maker else "taker",
        "cash": finite(row.cash_after),
    }
    if row.slot == ENTRY:
        return body | {"decided_ms": before.order.decided_ms}
    pnl = row.round_trip_pnl
    return body | {"reason": EXIT_REASONS[row.reason], "round_trip_pnl": finite(pnl) if pnl != 0.0 else None}


def _funding(name: str, row: FundingRow) -> dict[str, Any]:
    """A settlement that the sleeve paid or received."""
    return {
        "sleeve": name,
        "lots": row.lots,
        "mark": finite(row.mark),
        "rate": finite(row.rate),
        "cash_flow": finite(row.cash_flow),
        "cash": finite(row.cash_after),
    }


def _breaker(name: str, row: BreakerRow) -> dict[str, Any]:
    """A breaker that tripped; `until_ms` null: a person has to release it."""
    until = int(row.until_ms) if row.until_ms > 0.0 else None
    return {"sleeve": name or None, "breaker": BREAKERS[row.breaker], "equity": finite(row.equity), "until_ms": until}


def adopted(book: Book, s: int, state: str) -> EventBody:
    """A sleeve follows a version from now on (`governs`), keeps its own until it is flat (`waits`), or the end that its pause
    has in that version has come (`resumes`)."""
    return "config", {"sleeve": book.names[s], "version": book.latest(s).version, "state": state}


def mark(book: Book, stamp: str | None = None) -> EventBody:
    """The desk after the bar; the last event of every group that changed it."""
    desk = book.desk
    body: dict[str, Any] = {
        "equity": finite(desk.equity),
        "peak": finite(desk.peak),
        "gross": finite(desk.gross),
        "state": book.state,
        "tripped": [name for bit, name in BREAKERS.items() if desk.tripped & bit],
        "bars": book.count,
        "version": book.version,
        "minute_orders": desk.minute_orders if desk.minute == book.close_ms // MINUTE_MS else 0,
        "positions": sum(1 for sleeve in book.sleeves if held_side(sleeve) != 0),
        "correlated": finite(correlated_exposure(book)),
        "sleeves": {name: _sleeve_mark(book, s) for s, name in enumerate(book.names)},
    }
    if book.basket is not None:
        body["basket"] = basket_mark(book)
    if book.high_water > desk.peak:
        body["high_water"] = book.high_water
    if book.entries_blocked:
        body["blocked"] = {**book.health, **book.differences}
    if book.off:
        body["off"] = book.off
    if book.differences:
        body["differs"] = dict(book.differences)
    if book.transfers:
        body["transfers"] = {term: finite(cash) for term, cash in book.transfers["sums"].items()}
    body |= _incidents_mark(book, body["sleeves"])
    return "mark", body | ({"stamp": stamp} if stamp else {}) | ({"halt": dict(book.halt)} if book.halt else {})


def _sleeve_mark(book: Book, s: int) -> SleeveBody:
    """One sleeve: money always, position, order, pauses and the version that waits where there are any."""
    sleeve, spec, waits = book.marked(s), book.specs[s], book.waiting[s]
    money, guard, part = sleeve.ledger, guard_of(book, s), 0.0 if book.basket is None else book.basket.part
    body: SleeveBody = {
        "equity": finite(money.equity + part),
        "cash": finite(money.cash + part),
        "fees": finite(money.fees),
        "funding": finite(money.funding),
        "slippage": finite(money.slippage),
        "trips": money.trips,
        "version": spec.version,
        "guard": _guard_mark(book, s),
    }
    if sleeve.position.open_layers > 0:
        body["position"] = _position(sleeve, spec.rules.lot_size, states_of(book, s), unmoved_stops(book, s))
        for layer in (one for one in body["position"]["layers"] if one["key"] in stuck(book, s)):
            layer["dust"] = spec.rules.least_lots
    order = sleeve.order if book.basket is None else book.basket.orders[s]
    if order.side != 0:
        body["order"] = {"side": SIDES[order.side], "lots": order.lots}
    if guard.block_until_ms > book.close_ms:
        body["blocked_until_ms"] = guard.block_until_ms
    if until := opens_ms(spec.rules, book.limits, book.close_ms):
        body["shut_until_ms"] = until
    wanted, stage = book.latest(s).source, book.stage_reached(s)
    if stage_of(wanted) != "paper":
        body["stage"] = stage_of(wanted)
    if stage != stage_of(wanted):
        body["stage_reached"] = stage
    if paused_at(wanted, book.close_ms):
        body["paused"] = True
        if (end := wanted.get("resumes_ms")) is not None:
            body["resumes_ms"] = end
    elif guard.pause_until_ms > book.close_ms:
        body["paused_until_ms"] = guard.pause_until_ms
    if waits is not None:
        body["waiting_version"] = waits.version
    if (incident := in_windows(book, s, money.equity)) is not None:
        body["incident"] = finite(incident)
    return body


def _incidents_mark(book: Book, sleeves: Mapping[str, SleeveBody]) -> dict[str, Any]:
    """What of the desk's P&L is of incident windows, those that are open, and what orphans made beside every sleeve."""
    found = [value for body in sleeves.values() if (value := body.get("incident")) is not None]
    made: dict[str, Any] = {"incident": finite(sum(found))} if found else {}
    if book.orphans:
        made["orphan_pnl"] = finite(sum(orphan_pnl(book, name) for name in book.orphans))
    return made | ({"windows": list(book.incidents["open"])} if book.incidents and book.incidents["open"] else {})


def correlated_exposure(book: Book) -> float:
    """What the desk's positions and working entries come to when weighted by the correlations of the day."""
    width = len(book.columns)
    gross, side = [0.0] * width, [0] * width
    for spec, sleeve in zip(book.specs, (book.marked(s) for s in range(len(book.sleeves))), strict=True):
        gross[spec.rules.instrument] += exposure(sleeve)
        side[spec.rules.instrument] = held_side(sleeve) or side[spec.rules.instrument]
    return sqrt(max(squared_exposure(gross, side, book.correlations, 1), 0.0))


def guard_of(book: Book, s: int) -> Guard:
    """What the guardrails of a sleeve remember; the legs of a basket have one memory."""
    return book.sleeves[s].guard if book.basket is None else book.basket.whole.guard


def _day_equity(book: Book, s: int, guard: Guard) -> float:
    """What a sleeve's loss of the day is measured from; of a leg so that it has lost the share that its basket has lost."""
    if book.basket is None:
        return guard.day_equity
    whole, own = book.basket.whole.ledger.equity, book.basket.part + book.marked(s).ledger.equity
    return guard.day_equity * own / whole if whole > 0.0 else nan


def _guard_mark(book: Book, s: int) -> GuardBody:
    """What the sleeve's guardrails remember and saw; a day that it has not begun has no entries and no first equity."""
    guard = guard_of(book, s)
    today, (range_times, volume_times) = guard.day == (book.close_ms - 1) // DAY_MS, book.usual.get(book.names[s], (None, None))
    return {
        "streak": guard.streak,
        "day_entries": guard.day_entries if today else 0,
        "day_equity": finite(_day_equity(book, s, guard)) if today else None,
        "refused_by": RULES[guard.refused] if guard.refused else None,
        "refused_ms": guard.refused_ms if guard.refused else None,
        "spread_frac": finite(2.0 * book.sleeves[s].cost.slip_frac),
        "range_times": range_times,
        "volume_times": volume_times,
    }


def _position(
    sleeve: Sleeve, lot_size: float, states: Mapping[tuple[int, int], str], unmoved: Mapping[int, VenueOrder]
) -> PositionBody:
    """An open position with the levels of its resting orders; `unmoved`: stops by layer key that are not at theirs."""
    position = sleeve.position
    return {
        "side": SIDES[position.side],
        "lots": open_lots(position),
        "quantity": open_lots(position) * lot_size,
        "opened_ms": position.opened_ms,
        "notional": finite(sleeve.ledger.notional),
        "layers": [_layer(sleeve, k, states, unmoved) for k in range(position.open_layers)],
    }


def _layer(sleeve: Sleeve, k: int, states: Mapping[tuple[int, int], str], unmoved: Mapping[int, VenueOrder]) -> LayerBody:
    """One layer: entry, protective order (stop or trail, whichever is tighter) and how it stands, target, an exit decided."""
    layer = sleeve.position.layers[k]
    reason, level = protective(sleeve.position, layer)
    body: LayerBody = {
        "key": layer.key,
        "lots": layer.lots,
        "entry": finite(layer.entry),
        "protective": finite(level),
        "protective_kind": EXIT_REASONS[reason],
        "protective_state": states.get((PROTECTIVE, layer.key), "none"),
        "target": finite(layer.target) if layer.target > 0.0 else None,
        "due": EXIT_REASONS[layer.exit_pending] if layer.exit_pending else None,
    }
    if layer.exit_pending:
        body["exit_state"] = states.get((EXIT_SLOT, layer.key), "none")
    if layer.key in unmoved:
        body |= {"stop_at": finite(unmoved[layer.key].price), "stop_lots": unmoved[layer.key].left}
    return body
