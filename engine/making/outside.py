"""What a venue outside of the loop says of a maker's orders, put into the loop's columns by the simulated venue's own functions.

Called by at_account.py. An order at an account never arrives in the simulation, so nothing fills it there and nothing ends it:
what the venue says does. The loop decides on it as it does on paper.
"""

from engine.making.quotes import OUTSIDE, MakingTerms
from engine.making.resting import (
    ARRIVES,
    BY_VENUE,
    CASH,
    CHANGES,
    F_HOW,
    F_LOTS,
    F_MIDDLE2,
    F_PRICE,
    F_SIDE,
    F_WHEN,
    FEES,
    FILLS,
    INVENTORY,
    L_END,
    LEFT,
    MIDDLE2,
    NUMBER,
    SEEN,
    MakerState,
    end,
    fill,
    stand,
)

FAR_NS = 1 << 61  # later than any run: 73 years


def at_account(terms: MakingTerms) -> MakingTerms:
    """The terms of a maker whose orders a venue answers for."""
    return terms._replace(queue=OUTSIDE, entry_ns=FAR_NS, response_ns=0)


def stands(maker: MakerState, terms: MakingTerms, s: int, now: int) -> None:
    """The venue has taken the side's order."""
    if maker.orders[s, ARRIVES] > 0:
        maker.orders[s, ARRIVES] = 0
        maker.tally[CHANGES] += 1
        stand(maker, terms, s, 0, now)


def filled(maker: MakerState, terms: MakingTerms, s: int, lots: int, price: int, fee: float, now: int) -> int:
    """An execution of the side's order: at most what it has left; the lots that it took. price: units; fee: quote currency."""
    stands(maker, terms, s, now)
    part = min(lots, int(maker.orders[s, LEFT]))
    if part > 0:
        at = maker.tally[FILLS]
        fill(maker, terms, s, part, BY_VENUE, now)
        maker.fills[at, F_PRICE] = price
        maker.rates[FEES] += fee - price * part * terms.money * terms.fee_frac  # see_fill adds what the terms say
    return part


def over(maker: MakerState, terms: MakingTerms, s: int, outcome: int, now: int) -> None:
    """The side's order has ended at the venue; once."""
    if maker.log[maker.orders[s, NUMBER] - 1, L_END] == 0:
        maker.orders[s, ARRIVES] = 0
        end(maker, terms, s, outcome, now)


def traded(maker: MakerState, side: int, lots: int, price: int, fee: float, now: int) -> None:
    """An execution that is none of a quote: the way out of a halt, or what the venue does by itself. The maker knows at once."""
    row, amount = maker.fills[maker.tally[FILLS]], price * lots
    row[F_WHEN], row[F_SIDE], row[F_PRICE], row[F_LOTS] = now, side, price, lots
    row[F_MIDDLE2], row[F_HOW] = maker.tally[MIDDLE2], BY_VENUE
    maker.tally[FILLS] += 1
    maker.tally[SEEN] += 1
    maker.tally[INVENTORY] += side * lots
    maker.tally[CASH] -= side * amount
    maker.rates[FEES] += fee
