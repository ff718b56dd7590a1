"""What a sleeve asks of its venue, as journal events: intent, sent, amend, and an `order` that is being cancelled.

`act` is called by executions.py and transitions.py at the end of whatever moved a sleeve. It compares what the sleeve wants
with the orders that stand (engine.core.plan), writes the difference down in the book, and returns it as events. The live loop
hands exactly these events over to the venue, after they are on the disk; the fold works them out again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from engine.book import attached
from engine.book.basket_account import forget, is_leaving, remember, waiting
from engine.book.basket_events import lots_by_pair
from engine.book.basket_moves import leg_at_rest, leg_enters, leg_wants, legs_orders
from engine.book.bodies import finite
from engine.book.book import Book, flat
from engine.book.working import as_child, slice_of, working
from engine.core.orders import (
    ATTACHED,
    CANCELLING,
    ENDED_KEPT,
    FLATTENS,
    SENT,
    VenueOrder,
    amended,
    doubtful_notional,
    find,
    heard,
    intended,
    taken,
)
from engine.core.plan import AMEND, ATTEMPTS_LAST, ATTEMPTS_MAX, CANCEL, PLACE, REFUSALS_MAX, Want, differs, plan, wants
from engine.core.state import ENTRY, EXIT_SLOT, PROTECTIVE, SLOTS, TARGET_SLOT, Layer

EventBody = tuple[str, dict[str, Any]]
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
PURPOSES = "ESTX"  # of core.state.SLOTS; an attached stop and a flattening exit have letters of their own
ATTEMPTS_KEPT = 2 * ENDED_KEPT  # looked through when there are more
# the cursor from which on lots that a venue has reported count as left (`_gone`): no journal before had it
SPENT = "reported lots"
TRADES_KEPT = 1_000  # trades known however old: the orders that are still known have fewer, and none is booked twice


@cache
def name_code(name: str) -> str:
    """Four letters and digits for a sleeve's name; two names of a desk must not share theirs (live/config_event.py refuses)."""
    digest = int.from_bytes(sha256(name.encode()).digest()[:4])
    return "".join(BASE36[digest // 36**k % 36] for k in range(4))


def order_stem(name: str, number: int, slot: int) -> str:
    """An order's id without its attempt."""
    return f"nd{name_code(name)}{number:08d}{PURPOSES[slot]}"


def order_id(name: str, number: int, slot: int = ENTRY, attempt: int = 0) -> str:
    """What an order is called at the venue: 17 letters and digits, which every venue takes; the same after every restart.

    `nd`, four letters of the sleeve's name, the number of the entry order (its key, counted on from the home's own begin: an
    account may have orders of an earlier home), its kind (Entry, Stop, Target, eXit), the attempt.
    """
    return f"{order_stem(name, number, slot)}{attempt:02d}"


def _stem(book: Book, s: int, key: int, slot: int) -> str:
    return order_stem(book.names[s], book.ids_from + key, slot)


def issued(book: Book, id_: str) -> bool:
    """Whether this desk has given an order this id: the name of a sleeve, an entry that it has made, an attempt that was made.

    Attempts of a layer that is gone may be forgotten; then any that could have been made counts.
    """
    found = re.fullmatch(f"nd([a-z0-9]{{4}})([0-9]{{8}})([{PURPOSES}{ATTACHED}{FLATTENS}])([0-9]{{2}})", id_)
    if found is None:
        return False
    code, key, attempt = found[1], int(found[2]) - book.ids_from, int(found[4])
    for s, name in enumerate(book.names):
        if name_code(name) == code and 1 <= key <= book.sleeves[s].entries:
            made = 0 if (s, key) in _keys_known(book) else ATTEMPTS_LAST
            return attempt < book.orders.attempts.get(id_[:-2], made)
    return False


def act(book: Book, sleeves: Iterable[int], *, opens: bool = False) -> list[EventBody]:
    """What these sleeves ask of the venue now; their orders are `sent` (or being cancelled or amended) in the book afterwards.

    `opens`: a bar of the clock has closed, the next one opens: a child of an entry that is worked in slices may be due, and a
    layer whose orders were all in vain is tried again.
    """
    following, sent = list[EventBody](), list[str]()
    open_ = defaultdict[int, list[VenueOrder]](list)
    for order in book.orders.open.values():
        open_[order.sleeve].append(order)
    for s in sleeves:
        sleeve, mine = book.sleeves[s], open_[s]
        if not mine and (flat(sleeve) if book.basket is None else leg_at_rest(book, s)):
            continue
        stops = [order for order in mine if order.attached]
        mine = [order for order in mine if not order.attached] if stops else mine
        sent += attached.woken(book, stops)
        mine = legs_orders(mine) if book.basket is not None and book.simulated else mine
        wanted = as_child(book, s, wanted_of(book, s), mine, opens=opens)
        wanted = wanted if book.basket is None else waiting(book, s, mine, wanted)
        leaving = {want.key for want in wanted if want.slot == EXIT_SLOT}
        mine = [order for order in mine if not order.flattens or order.key in leaving]
        _settle_refusals(book, mine, wanted)
        fired = attached.fired(stops)
        requests = plan(mine, wanted, _given_up(book, s, opens=opens), _immovable(book), fired)
        for request in requests + (attached.changes(book, s, stops) if stops else []):
            if request.what == PLACE and request.want is not None:
                following += _ordered(book, _placed(book, s, request.want), sent)
            elif request.order is not None:
                following.append(_changed(book, request.what, request.order, request.want))
        _count_doubt(book, s)
    if sent:
        for id_ in sent:
            book.orders = heard(book.orders, id_, SENT)
        following.append(("sent", {"orders": sent}))
    return following


def is_entry(book: Book, order: VenueOrder) -> bool:
    """Whether an order lets something in: what a halt ends, and what waits while a journal is not verified."""
    return order.slot == ENTRY and (book.basket is None or leg_enters(book, order.sleeve))


def is_wanted(book: Book, order: VenueOrder) -> bool:
    """Whether an order at the market that was made at a close is still the one that is wanted."""
    now = book.sleeves[order.sleeve].order if book.basket is None else book.basket.orders[order.sleeve]
    return now.key == order.key


def leaves(book: Book, s: int, layer: Layer) -> bool:
    """Whether a layer leaves already; of a basket's leg whether all pairs that have it do."""
    return bool(layer.exit_pending) if book.basket is None else is_leaving(book, s)


def wanted_of(book: Book, s: int) -> list[Want]:
    """What sleeve s wants at its venue; of a basket its legs' net orders."""
    return wants(book.sleeves[s]) if book.basket is None else leg_wants(book, s)


def _ordered(book: Book, order: VenueOrder, sent: list[str]) -> list[EventBody]:
    """The intents of a new order and of the stop that it brings along; what the venue is asked for by itself is to be `sent`."""
    sent.append(order.id)
    stop = attached.stop_for(book, order) if order.slot == ENTRY else None
    if stop is None:
        return [("intent", _intent(book, order))]
    book.orders = intended(book.orders, stop)
    if attached.way_of(book, order.sleeve) == attached.BESIDE:
        sent.append(stop.id)
    return [("intent", _intent(book, order)), ("intent", _intent(book, stop))]


def flattened(book: Book, s: int, key: int, lots: int) -> list[EventBody]:
    """An exit at the market of lots that the venue holds by an entry of sleeve s and that nobody could book yet; ten at most, one
    at a time. What it executes is booked once the entry is.
    """
    mine = [o for o in book.orders.open.values() if (o.sleeve, o.key) == (s, key)]
    entry = next((o for o in mine if o.slot == ENTRY and o.reported > o.filled), None)
    stem = f"{_stem(book, s, key, EXIT_SLOT)[:-1]}{FLATTENS}"
    attempt = book.orders.attempts.get(stem, 0)
    if entry is None or attempt >= ATTEMPTS_MAX or any(o.slot == EXIT_SLOT for o in mine):
        return []
    lots = min(lots, entry.reported - entry.filled)
    order = VenueOrder(f"{stem}{attempt:02d}", s, EXIT_SLOT, key, -entry.side, lots, 0.0, 0, 0, 0.0, 0.0, book.close_ms)
    book.orders = intended(book.orders, order)
    following = [("intent", _intent(book, order)), ("sent", {"orders": [order.id]})]
    book.orders = heard(book.orders, order.id, SENT)
    return following


def stop_withdrawn(book: Book, stop: VenueOrder) -> list[EventBody]:
    """The end of an attached stop whose lots have left."""
    return [_changed(book, CANCEL, stop, None)] if attached.may_end(stop) else []


def _given_up(book: Book, s: int, *, opens: bool) -> frozenset[tuple[int, int]]:
    """(slot, key) of which no further order is made now: of a layer that is gone, and those of which ATTEMPTS_MAX orders were
    made, of a layer that is dust one. What covers or ends a layer is not given up for good, since the venue may be well
    again: as a bar `opens` one more is made.
    """
    gone, small, counts = _gone(book, s), dust(book, s), book.orders.attempts
    if not small and not any(count >= ATTEMPTS_MAX for count in counts.values()):
        return gone

    def most(want: Want) -> int:
        if want.key in small:
            return 1
        return ATTEMPTS_LAST if opens and want.slot in (PROTECTIVE, EXIT_SLOT) else ATTEMPTS_MAX

    tried = [(want, counts.get(_stem(book, s, want.key, want.slot), 0)) for want in wanted_of(book, s)]
    return gone | {(want.slot, want.key) for want, count in tried if count >= most(want)}


def _gone(book: Book, s: int) -> frozenset[tuple[int, int]]:
    """(slot, key) of targets and exits whose layer has left whole by the venue's word, in executions that are not listed yet.
    Another order would be refused, or sell what another sleeve holds of the instrument. Its stop stays wanted.
    """
    if SPENT not in book.cursors:
        return frozenset()
    out = defaultdict[int, int](int)
    for order in book.orders.open.values():
        if order.sleeve == s and order.slot != ENTRY and order.reported > order.filled:
            out[order.key] += order.reported - order.filled
    if not out:
        return frozenset()
    ends = [want for want in wanted_of(book, s) if want.slot in (TARGET_SLOT, EXIT_SLOT)]
    return frozenset((want.slot, want.key) for want in ends if out[want.key] >= want.lots)


def dust(book: Book, s: int) -> dict[int, int]:
    """Layer key -> lots of the layers of sleeve s that are smaller than its venue's least order: each of their orders is tried
    once, since some venues take what only reduces. None where fills are simulated.
    """
    position, least = book.sleeves[s].position, book.specs[s].rules.least_lots
    if least <= 1 or book.simulated:
        return {}
    return {layer.key: layer.lots for layer in position.layers[: position.open_layers] if layer.lots < least}


def stuck(book: Book, s: int) -> dict[int, int]:
    """Those of `dust` that nothing protects or ends at the venue: their orders were refused, and a person closes them there."""
    orders = [o for o in book.orders.open.values() if o.sleeve == s and o.slot in (PROTECTIVE, EXIT_SLOT)]
    there, counts = {o.key for o in orders}, book.orders.attempts
    tried = {key for key in dust(book, s) if counts.get(_stem(book, s, key, PROTECTIVE), 0)}
    return {key: lots for key, lots in dust(book, s).items() if key in tried - there}


def _settle_refusals(book: Book, orders: Iterable[VenueOrder], wanted: Iterable[Want]) -> None:
    """An order that stands where it is wanted again has nothing to be refused."""
    refused = [order for order in orders if order.id in book.orders.refusals]
    for order in refused:
        if not any(want[:2] == (order.slot, order.key) and differs(order, want) for want in wanted):
            book.orders = taken(book.orders, order.id)


def _immovable(book: Book) -> frozenset[str]:
    """Orders that the venue has refused to amend REFUSALS_MAX times, until the next close."""
    refusals = book.orders.refusals.items()
    return frozenset(id_ for id_, n in refusals if n.in_a_row >= REFUSALS_MAX and n.close_ms == book.close_ms)


def is_unmoved(book: Book, order: VenueOrder) -> bool:
    """Whether this protective order is not where it should be: the venue has refused REFUSALS_MAX times in a row to move it."""
    refusals = book.orders.refusals.get(order.id)
    return refusals is not None and refusals.in_a_row >= REFUSALS_MAX and order.slot == PROTECTIVE


def unmoved_stops(book: Book, s: int) -> dict[int, VenueOrder]:
    """Layer key -> protective order of a sleeve that `is_unmoved`."""
    mine = [book.orders.open[id_] for id_ in book.orders.refusals if book.orders.open[id_].sleeve == s]
    return {order.key: order for order in mine if is_unmoved(book, order)}


def _placed(book: Book, s: int, want: Want) -> VenueOrder:
    """A new order of the book."""
    entry = book.sleeves[s].order
    stem = _stem(book, s, want.key, want.slot)
    id_ = f"{stem}{book.orders.attempts.get(stem, 0):02d}"
    core = (id_, s, want.slot, want.key, want.side, want.lots, want.price)
    if book.basket is not None and want.slot == ENTRY:
        notional = want.lots * book.specs[s].rules.lot_size * book.basket.marks[s]
        order = VenueOrder(*core, 0, 1, notional, 0.0, book.close_ms)
    elif want.slot == ENTRY:
        notional = entry.notional if want.lots == entry.lots else entry.notional * want.lots / entry.lots
        order = VenueOrder(*core, entry.post_only, entry.good_for, notional, entry.atr, entry.decided_ms)
        order = order._replace(stop=entry.stop, target=entry.target, hold=entry.hold)
    else:
        order = VenueOrder(*core, 0, 0, 0.0, 0.0, book.close_ms)
    book.orders = intended(book.orders, order)
    if book.basket is not None:
        remember(book, order)
    return order


def _changed(book: Book, what: str, order: VenueOrder, want: Want | None) -> EventBody:
    """An order that is to stand elsewhere, or to end."""
    if what == AMEND and want is not None:
        book.orders = amended(book.orders, order.id, want.price, 0, confirmed=False)
        lots = order.filled + want.lots
        return "amend", {**named(book, order), "price": want.price, "price_before": order.price, "lots": lots}
    book.orders = heard(book.orders, order.id, CANCELLING)
    return "order", order_body(book, book.orders.open[order.id], CANCELLING)


def _count_doubt(book: Book, s: int) -> None:
    """The sleeve's exposure to entry orders that it no longer wants and the venue still has."""
    sleeve = book.sleeves[s]
    order = sleeve.order if book.basket is None else book.basket.orders[s]
    doubt = doubtful_notional(book.orders, s, order.key if order.side != 0 else -1)
    if doubt != sleeve.in_doubt:
        book.sleeves[s] = sleeve._replace(in_doubt=doubt)


def prune(book: Book, since_ms: int) -> None:
    """Forget trade ids from before `since_ms` but for the last TRADES_KEPT, and once they are many the attempts of layers and
    orders that are gone.

    A late execution of an entry that is still known opens its layer again: the ids that the layer has used stay used.
    """
    forget(book)
    orders = book.orders
    if not orders.trades and not orders.attempts:
        return
    trades, spare = orders.trades, len(orders.trades) - TRADES_KEPT
    if spare > 0:
        by_age = sorted(trades.items(), key=lambda one: (one[1], one[0]))  # a snapshot has them by their ids
        trades = {trade: t_ms for n, (trade, t_ms) in enumerate(by_age) if n >= spare or t_ms >= since_ms}
    attempts = _attempts_known(book) if len(orders.attempts) > ATTEMPTS_KEPT else orders.attempts
    if len(trades) != len(orders.trades) or len(attempts) != len(orders.attempts):
        book.orders = orders._replace(trades=trades, attempts=attempts)


def _attempts_known(book: Book) -> dict[str, int]:
    """Attempts of the layers and entries that are known."""
    alive = {_stem(book, s, key, ENTRY)[:-1] for s, key in _keys_known(book)}
    return {stem: count for stem, count in book.orders.attempts.items() if stem[:-1] in alive}


def _keys_known(book: Book) -> set[tuple[int, int]]:
    """(sleeve, key) of the layers that are open, and of those that an order is still known of."""
    known = {(order.sleeve, order.key) for order in (*book.orders.open.values(), *book.orders.ended)}
    for s, sleeve in enumerate(book.sleeves):
        known |= {(s, layer.key) for layer in sleeve.position.layers[: sleeve.position.open_layers]}
    return known


def named(book: Book, order: VenueOrder) -> dict[str, Any]:
    """Which order, of whom, for what."""
    name, version = book.names[order.sleeve], book.specs[order.sleeve].version
    return {
        "sleeve": name,
        "version": version,
        "leg": 0,
        "pair": 0,
        "key": order.key,
        "slot": SLOTS[order.slot],
        "order": order.id,
    }


def order_body(book: Book, order: VenueOrder, state: str) -> dict[str, Any]:
    """What became of an order."""
    body = named(book, order) | {"state": state, "lots": order.lots, "filled_lots": order.filled}
    return body | ({"decided_ms": order.decided_ms} if order.slot == ENTRY else {})


def _intent(book: Book, order: VenueOrder) -> dict[str, Any]:
    """An order that is decided; the venue hears of it once this is on the disk."""
    spec = book.specs[order.sleeve]
    body: dict[str, Any] = named(book, order) | {
        "instrument": spec.source["instrument"],
        "side": "buy" if order.side > 0 else "sell",
        "lots": order.lots,
        "quantity": order.lots * spec.rules.lot_size,
    }
    if book.basket is not None:
        body["basket"] = book.basket.name
        if order.slot != PROTECTIVE:
            body |= {"parts": lots_by_pair(book, order.sleeve), "enters": leg_enters(book, order.sleeve)}
    if order.slot != ENTRY:
        kind = {PROTECTIVE: "stop", EXIT_SLOT: "market"}.get(order.slot, "limit")
        body |= {"type": kind, "price": order.price or None, "reduce_only": True}
        return body | ({"attached_to": attached.entry_id(order.id)} if order.attached else {})
    entry = book.sleeves[order.sleeve].order
    if working(book, order.sleeve):
        body |= slice_of(book, order.sleeve)
    if book.attaches and (stop := find(book.orders, attached.attached_id(order.id))) is not None:
        body |= {"attached": stop.id, "attached_level": stop.price}
    return body | {
        "type": "limit" if order.price > 0.0 else "market",
        "price": order.price or None,
        "reduce_only": False,
        "post_only": bool(order.post_only),
        "good_for_bars": order.good_for,
        "decided_ms": order.decided_ms,
        "notional": finite(order.notional),
        "stop_distance": finite(entry.stop_distance),
        "target_distance": finite(entry.target_distance),
    }


def states_of(book: Book, s: int) -> Mapping[tuple[int, int], str]:
    """(slot, key) -> state of a sleeve's open orders, for marks."""
    return {(order.slot, order.key): order.state for order in book.orders.open.values() if order.sleeve == s}
