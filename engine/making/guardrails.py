"""What halts the quoting whatever the quoter says: inventory, loss, a quote nobody confirmed, too many requests a second.

Called by loop.py at each decision, compiled by kernel.py. A halt is for the rest of the run: every order is cancelled, none is
sent. It reads what the maker knows, not what the venue does.
"""

from engine.making.quotes import MakingTerms
from engine.making.resting import (
    ARRIVES,
    ASKED,
    CANCELS,
    CANCELS_SENT,
    CASH,
    CHANGES,
    CHECKED,
    FEES,
    HALT,
    HALTED_NS,
    INVENTORY,
    L_CANCEL_SENT,
    L_END,
    L_OUTCOME,
    MIDDLE2,
    NUMBER,
    REJECTED,
    SENDS,
    MakerState,
    cancelling,
)

NO_HALT, H_INVENTORY, H_LOSS, H_AGE, H_RATE, H_LATCH, H_VENUE = range(7)
HALTS = ("none", "inventory_max", "loss_max", "quote_age_max", "orders_second_max", "latch", "venue")
SECOND_NS = 1_000_000_000


def worth(maker: MakerState, terms: MakingTerms) -> float:
    """P&L that the maker knows of, its inventory at the middle, after fees; quote currency."""
    twice = 2 * maker.tally[CASH] + maker.tally[INVENTORY] * maker.tally[MIDDLE2]
    return float(twice * (terms.money / 2.0) - maker.rates[FEES])


def breached(maker: MakerState, terms: MakingTerms, now: int) -> int:
    """The guardrail that halts now, NO_HALT for none."""
    if abs(maker.tally[INVENTORY]) > terms.inventory_max:
        return H_INVENTORY
    if not worth(maker, terms) > -terms.loss_max:  # NaN halts, too
        return H_LOSS
    for s in range(2):
        if maker.orders[s, NUMBER] > 0 and now - maker.orders[s, CHECKED] > terms.age_ns:
            return H_AGE
    return NO_HALT


def too_fast(maker: MakerState, terms: MakingTerms, now: int) -> bool:
    """Whether one more request would be more than sends_max within a second."""
    sent = maker.tally[SENDS]
    return bool(sent >= terms.sends_max and now - maker.sends[sent % terms.sends_max] < SECOND_NS)


def count_send(maker: MakerState, terms: MakingTerms, now: int) -> None:
    """A request was sent."""
    maker.tally[CHANGES] += 1
    maker.sends[maker.tally[SENDS] % terms.sends_max] = now
    maker.tally[SENDS] += 1


def send_cancel(maker: MakerState, terms: MakingTerms, s: int, now: int) -> None:
    """Ask the venue to cancel the side's order; once."""
    if maker.orders[s, NUMBER] == 0 or cancelling(maker, s):
        return
    maker.tally[CANCELS_SENT] += 1
    maker.log[maker.orders[s, NUMBER] - 1, L_CANCEL_SENT] = now
    count_send(maker, terms, now)
    maker.orders[s, CANCELS], maker.orders[s, ASKED] = now + terms.entry_ns, now


def halt(maker: MakerState, terms: MakingTerms, why: int, now: int) -> None:
    """No more quotes; what rests is cancelled, whatever the rate of requests."""
    maker.tally[HALT], maker.tally[HALTED_NS] = why, now
    maker.tally[CHANGES] += 1
    for s in range(2):
        send_cancel(maker, terms, s, now)


def withhold(maker: MakerState, s: int, now: int) -> None:
    """The side's new order never leaves: the latch was set before it could be sent."""
    row = maker.orders[s, NUMBER] - 1
    maker.log[row, L_OUTCOME], maker.log[row, L_END] = REJECTED, now
    maker.orders[s, NUMBER] = maker.orders[s, ARRIVES] = 0
    maker.tally[CHANGES] += 1
