"""What should stand at the venue, and the difference to what does.

    wants(sleeve)           entry, protective, target and exit orders, each by its layer's key
    plan(orders, wants)     place, amend, cancel: nothing against an order in doubt

Called by book/order_events.act after every event of a sleeve: a close, a fill, a halt, a start alike. Applied and
asked again, it plans nothing.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .exits import protective
from .guardrails import is_turning
from .orders import PARTIAL, STANDING, VenueOrder
from .state import ENTRY, EXIT_SLOT, PROTECTIVE, TARGET_SLOT, Sleeve

ATTEMPTS_MAX = 10  # orders of one kind for one layer; then a person has to look, and what covers or ends it is tried once a close
ATTEMPTS_LAST = 99  # of those: what an order's id has room for
REFUSALS_MAX = 10  # amendments of one order, in a row; then a person has to look, and one more is tried at each close
PLACE, AMEND, CANCEL = "place", "amend", "cancel"


class Want(NamedTuple):
    """One order that should stand."""

    slot: int
    key: int
    side: int  # of the trade
    lots: int  # that it may still fill
    price: float  # 0: market


class OrderRequest(NamedTuple):
    """One thing to ask of the venue."""

    what: str  # place, amend, cancel
    order: VenueOrder | None  # None when it is placed
    want: Want | None  # None when it is cancelled


def wants(sleeve: Sleeve) -> list[Want]:
    """What a sleeve wants at its venue: the entry that it decided, and of each open layer a protective order and a target, or an
    exit at the market once it leaves. The entry of a reversal comes behind the exit that it follows.
    """
    found, order, position = list[Want](), sleeve.order, sleeve.position
    entry = [Want(ENTRY, order.key, order.side, order.lots, order.limit)] if order.side != 0 else []
    if not is_turning(sleeve):
        found += entry
    for layer in position.layers[: position.open_layers]:
        found.append(Want(PROTECTIVE, layer.key, -position.side, layer.lots, protective(position, layer)[1]))
        if layer.exit_pending:
            found.append(Want(EXIT_SLOT, layer.key, -position.side, layer.lots, 0.0))
        elif layer.target > 0.0:
            found.append(Want(TARGET_SLOT, layer.key, -position.side, layer.lots, layer.target))
    return found + entry if is_turning(sleeve) else found


def plan(
    orders: Iterable[VenueOrder],
    wanted: Sequence[Want],
    given_up: frozenset[tuple[int, int]] = frozenset(),
    immovable: frozenset[str] = frozenset(),
    fired: frozenset[int] = frozenset(),
) -> list[OrderRequest]:
    """The requests that lead from the open orders of one sleeve to what it wants.

    given_up: (slot, key) of which no further order is made now; immovable: ids that are not amended now. A protective order
    stays until the exit beside it works: a layer is never left without one. A protective order that filled in part is the exit
    of its layer: it is not amended, and no second one is ordered beside it; once it has ended, what it left leaves at the market.
    fired: keys of layers whose attached stop is that exit.
    """
    requests, standing, older = list[OrderRequest](), dict[tuple[int, int], VenueOrder](), list[VenueOrder]()
    for order in orders:
        if (order.slot, order.key) in standing:
            older.append(standing[order.slot, order.key])
        standing[order.slot, order.key] = order
    replaced = [old for old in older if standing[old.slot, old.key].state in STANDING]
    exits = {want.key for want in wanted if want.slot == EXIT_SLOT}
    leaving = {key for (slot, key), order in standing.items() if slot == EXIT_SLOT and is_leaving(order) and key in exits}
    at_work = {key for (slot, key), order in standing.items() if slot == PROTECTIVE and max(order.filled, order.reported) > 0}
    at_work |= fired
    for want in wanted:
        if want.slot == PROTECTIVE and want.key in leaving:
            continue
        held = standing.pop((want.slot, want.key), None)
        if held is None:
            second = want.slot in (EXIT_SLOT, PROTECTIVE) and want.key in at_work
            if not second and (want.slot, want.key) not in given_up:
                requests.append(OrderRequest(PLACE, None, want))
        elif not held.in_doubt and differs(held, want) and held.id not in immovable:
            requests.append(OrderRequest(AMEND, held, want))
    unwanted = [*replaced, *standing.values()]
    return requests + [OrderRequest(CANCEL, held, None) for held in unwanted if not held.in_doubt or is_rest(held)]


def is_rest(order: VenueOrder) -> bool:
    """True for an entry that works and has filled more than was booked: what is left of it can be withdrawn all the same."""
    return order.slot == ENTRY and order.state in STANDING and order.amending == 0


def is_leaving(order: VenueOrder) -> bool:
    """True for an exit at the market that works, or has filled whole by the venue's word."""
    return order.state in STANDING or order.reported >= order.lots > order.filled


def differs(held: VenueOrder, want: Want) -> bool:
    """True when a standing order has to be amended: the levels and lots of what protects a layer follow it, an entry's do not."""
    if held.slot in (ENTRY, EXIT_SLOT) or (held.slot == PROTECTIVE and held.state == PARTIAL):
        return False
    return held.price != want.price or held.left != want.lots
