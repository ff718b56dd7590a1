"""Where to quote: symmetric around the middle, or around a reserve price (Avellaneda and Stoikov). Pure, whole ticks.

Called by loop.py, compiled by kernel.py. Avellaneda, Stoikov (2008), High-frequency trading in a limit order book, Quantitative
Finance 8(3): r = s - q g v (T - t), and both half-spreads together g v (T - t) + (2 / g) ln(1 + g / k), with inventory q,
risk aversion g, variance v a second and decay k of fills by distance. Here distances are bps of the middle, q counts orders
of the quoter's own size, and T - t is a constant: a market without a close has no T.
"""

from math import ceil, floor, log
from typing import NamedTuple

from engine.errors import BadInput

SYMMETRIC, RESERVE = 0, 1
QUOTERS = {"symmetric": SYMMETRIC, "as": RESERVE}
LAST, EVEN = 0, 1  # cancellations come from behind us, or from everywhere alike
OUTSIDE = 2  # at an account: a venue says what became of an order, and nothing is simulated (outside.py)
QUEUES = {"last": LAST, "even": EVEN}
FAR_BPS = 1_000.0  # a quote so far away is none
WEIGHT_MIN = 0.5  # of the variance: what it has seen of its time
BPS = 1e-4


class MakingTerms(NamedTuple):
    """A run's constants as the loop reads them. Prices in the tape's units, quantities in its lots, times in ns."""

    quoter: int
    lots: int  # of a quote
    inventory_lots: int  # no quote that may lead beyond it
    half_spread_bps: float  # symmetric: from the middle
    gamma: float  # as: risk aversion, 1/bps
    horizon_s: float  # as: T - t
    liquidity_bps: float  # as: ln(1 + gamma / kappa) / gamma
    requote_bps: float  # a quote nearer to where it should be stays, and keeps its place in the queue
    pace_ns: int  # between two requests of a side; a pull does not wait
    toxic_lots: int  # net taker flow that pulls the side it runs over; 0: off
    flow_ns: int
    variance_ns: int
    stale_ns: int  # a book that heard nothing for so long has no quotes
    entry_ns: int  # from a decision to the venue: an order's way and the feed's
    response_ns: int  # from the venue until it is known
    queue: int
    fee_frac: float  # of notional; negative: a rebate
    tick: int
    money: float  # quote currency in one price unit times one lot
    inventory_max: int  # guardrails: beyond any of them quoting halts
    loss_max: float  # quote currency
    age_ns: int
    sends_max: int  # entries and cancels within a second


def liquidity_term(gamma: float, kappa: float) -> float:
    """What half a spread earns beyond the price of risk, bps. Raises BadInput for numbers that the formula does not take."""
    if not (0.0 < gamma <= 100.0 and 0.0 < kappa <= 100.0):
        raise BadInput(f"gamma {gamma:g} and kappa {kappa:g}", "both above 0 and at most 100 a bps")
    return log(1.0 + gamma / kappa) / gamma


def spread_of(terms: MakingTerms, variance: float, inventory: int) -> tuple[float, float]:
    """(reserve price less the middle, half-spread), bps. variance: bps squared a second; inventory: lots."""
    if terms.quoter == SYMMETRIC:
        return 0.0, terms.half_spread_bps
    risk = terms.gamma * variance * terms.horizon_s
    return -(inventory / terms.lots) * risk, risk / 2.0 + terms.liquidity_bps


def desired(
    terms: MakingTerms, bid: int, ask: int, variance: float, weight: float, inventory: int, flow: int, buying: int, selling: int
) -> tuple[int, int]:
    """(price to buy at, price to sell at), 0 for none. bid, ask: the book's best; flow: what takers bought less sold, lots;
    buying, selling: lots that a quote, or what is left of it, may still fill.

    Never beyond the other side's best, so that a post-only order is taken when the book has not moved. A price that may lead
    beyond the inventory limit, or is on the side that takers run over, is none.
    """
    if terms.quoter == RESERVE and weight < WEIGHT_MIN:
        return 0, 0
    away, half = spread_of(terms, variance, inventory)
    middle, tick = (bid + ask) / 2.0, terms.tick
    buy, sell = 0, 0
    if -FAR_BPS < away - half < FAR_BPS and inventory + buying <= terms.inventory_lots:
        buy = min(floor(middle * (1.0 + (away - half) * BPS) / tick) * tick, ask - tick)
    if -FAR_BPS < away + half < FAR_BPS and inventory - selling >= -terms.inventory_lots:
        sell = max(ceil(middle * (1.0 + (away + half) * BPS) / tick) * tick, bid + tick)
    if 0 < buy == sell:  # a middle on a tick, and no spread: one order would take the other
        buy, sell = buy - tick, sell + tick
    if terms.toxic_lots > 0 and flow <= -terms.toxic_lots:
        buy = 0
    if terms.toxic_lots > 0 and flow >= terms.toxic_lots:
        sell = 0
    return buy, sell


def moved_away(terms: MakingTerms, price: int, want: int, middle: float) -> bool:
    """Whether a quote at `price` has moved from where it should be, `want`; 0 is nowhere."""
    return want == 0 or abs(want - price) > terms.requote_bps * BPS * middle
