"""What a basket's rows and state say as journal events: decisions of pairs, what pairs have of a leg's execution, and the mark.

Called by engine/book/basket_moves.py and events.py. Bodies have the fields of any sleeve's, of the leg or of the pair's first
leg, and the pair's own beside them.
"""

from collections.abc import Sequence
from typing import Any

from engine.book.basket_book import BasketBook, memory_of
from engine.book.bodies import finite
from engine.book.book import Book
from engine.core.basket import PairBook, lots_on, pair_value
from engine.core.basket_run import deviations
from engine.core.row_fields import BreakerRow, FillRow, FundingRow, decode
from engine.core.rows import unpack, unpack_ref
from engine.core.state import ACTIONS, ENTER, ENTRY, EXIT, EXIT_REASONS, K_DECISION, NONE, RULES, SIDES, Row


def basket_of(book: Book) -> BasketBook:
    """The basket of a desk that has one."""
    assert book.basket is not None, "a desk without a basket"  # noqa: S101 - a programmer's error halts
    return book.basket


def leg_symbol(book: Book, leg: int) -> str:
    """`BTC-USDT`: what a leg is called in the name of a pair."""
    return str(book.specs[leg].source["instrument"]).split(":")[1]


def pair_name(book: Book, p: int) -> str:
    """`BTC-USDT ETH-USDT`."""
    pair = basket_of(book).pairs[p]
    return f"{leg_symbol(book, pair.a)} {leg_symbol(book, pair.b)}"


def decision_of(book: Book, row: Row) -> dict[str, Any]:
    """What a close decided about a pair, and why."""
    (_, _, action, rule, side, _, _), (_, p, key) = unpack(row.tag), unpack_ref(row.ref)
    pair, basket = basket_of(book).pairs[p], basket_of(book)
    body: dict[str, Any] = {
        "sleeve": book.names[pair.a],
        "basket": basket.name,
        "pair": pair_name(book, p),
        "pair_key": key,
        "action": ACTIONS[action],
        "signal": SIDES[side],
        "strength": None,
        "price": finite(basket.marks[pair.a]),
        "lots_before": row.lots if action == EXIT else 0,
        "working_lots_before": 0,
        "layers": int(action == EXIT),
        "equity": finite(basket.whole.ledger.equity),
        "version": book.specs[pair.a].version,
        "z": finite(row.a),
    }
    if action == EXIT:
        return body | {"reason": EXIT_REASONS[rule]}
    body |= {"risk": finite(row.price), "hedge": finite(row.fee), "deviation": finite(row.b)}
    if action == ENTER:
        return body | {"lots": {book.names[pair.a]: pair.want_a, book.names[pair.b]: pair.want_b}}
    return body | {"refused_by": RULES[rule]}


def decided(book: Book, rows: Sequence[Row], breaker: Any) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a close as events; `breaker`: (sleeve or "", row) -> the body of one that tripped."""
    bodies = list[tuple[str, dict[str, Any]]]()
    for row in rows:
        if unpack(row.tag)[1] == K_DECISION:
            bodies.append(("decision", decision_of(book, row)))
            continue
        s, fields = decode(row)
        assert isinstance(fields, BreakerRow), "a close fills nothing"  # noqa: S101 - a lost row must halt
        bodies.append(("breaker", breaker(basket_of(book).name if s >= 0 else "", fields)))
    return bodies


def parts_of(book: Book, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What each pair has of an execution, a crossing or a settlement of a leg."""
    parts = []
    for row in rows:
        _, fields = decode(row)
        p, key = unpack_ref(row.ref)[1:]
        body: dict[str, Any] = {"pair": pair_name(book, p), "pair_key": key}
        if isinstance(fields, FundingRow):
            parts.append(body | {"lots": fields.lots, "cash_flow": finite(fields.cash_flow)})
            continue
        assert isinstance(fields, FillRow), "an execution decides nothing"  # noqa: S101 - a lost row must halt
        body |= {"side": "buy" if fields.side > 0 else "sell", "lots": fields.lots, "fee": finite(fields.fee)}
        body |= {"opens": fields.slot == ENTRY}
        if fields.slot != ENTRY:
            body |= {"reason": EXIT_REASONS[fields.reason], "round_trip_pnl": finite(fields.round_trip_pnl) or None}
        parts.append(body)
    return parts


def lots_by_pair(book: Book, s: int) -> dict[str, int]:
    """What each pair has of a leg's order: lots with their side."""
    pairs = basket_of(book).pairs
    found = {pair_name(book, p): pair.ask_a if pair.a == s else pair.ask_b if pair.b == s else 0 for p, pair in enumerate(pairs)}
    return {name: lots for name, lots in found.items() if lots}


def basket_mark(book: Book) -> dict[str, Any]:
    """The basket in a mark: its money, what it has in all, and each pair."""
    basket, ledger = basket_of(book), basket_of(book).whole.ledger
    rules = [spec.rules for spec in book.specs]
    m, t = memory_of(basket, book.sleeves, rules, [])
    net = 0.0
    for s, sleeve in enumerate(book.sleeves):
        layers = sleeve.position.layers
        net += sleeve.position.side * sum(layer.lots for layer in layers) * rules[s].lot_size * basket.marks[s]
    pairs = []
    for p, pair in enumerate(basket.pairs):
        fit = (pair.hedge, pair.intercept, pair.deviation) if pair.side else tuple(basket.fits[p]) if basket.fits else (0.0,) * 3
        z = deviations(m, pair, t, *fit) if basket.logs and fit[2] > 0.0 else None
        pairs.append(_pair_mark(book, p, pair, z, fit[0], pair_value(m, p)))
    return {
        "name": basket.name,
        "equity": finite(ledger.equity),
        "cash": finite(ledger.cash),
        "fees": finite(ledger.fees),
        "funding": finite(ledger.funding),
        "gross": finite(ledger.notional),
        "net": finite(net),
        "trips": ledger.trips,
        "entries": basket.whole.entries,
        "pairs": pairs,
    }


def _pair_mark(book: Book, p: int, pair: PairBook, z: float | None, hedge: float, value: float) -> dict[str, Any]:
    """One pair; what it has and wants where it is in."""
    body: dict[str, Any] = {
        "pair": pair_name(book, p),
        "side": SIDES[pair.side],
        "z": None if z is None else finite(z),
        "hedge": finite(hedge) if hedge > 0.0 else None,
        "pnl": finite(value),
    }
    if pair.side == 0:
        return body | ({"refused_by": RULES[pair.refused]} if pair.refused else {})
    names = book.names[pair.a], book.names[pair.b]
    body |= {"lots": dict(zip(names, (lots_on(pair, pair.a), lots_on(pair, pair.b)), strict=True)), "pair_key": pair.key}
    body |= {"open_pnl": finite(value - pair.cash_before), "risk": finite(pair.risk)}
    if pair.entering:
        body["entering"] = True
    return body | ({"leaving": EXIT_REASONS[pair.leaving]} if pair.leaving != NONE else {})
