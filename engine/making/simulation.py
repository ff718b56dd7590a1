"""A quoter on a recorded tape: terms in people's units -> the loop, compiled or plain -> fills, orders, what was counted.

Called by report.py. One clock, the recorder's: `latency_ms` is from a message received to the order at the venue, so it holds the
feed's way and the order's.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from engine.errors import BadInput
from engine.l2.book import DepthBook, empty_book
from engine.l2.loop import Messages, ReplayRows
from engine.l2.replay import BookReplay, blank_rows, rule_of
from engine.l2.tape import BookTape, Ints, Scale, TapeTrades
from engine.making.funding import Funded, Settlement, at_moment, settle
from engine.making.loop import UNTIL, run_making
from engine.making.quotes import QUEUES, QUOTERS, MakingTerms, liquidity_term
from engine.making.resting import ENTRIES, FILLS, NOW, MakerState, MakerTrades

ORDERS_MAX = 50_000_000
EXACT = 2.0**52  # money in whole price units times lots, doubled, must stay exact
SENDS_MAX = 1_000
BOUNDS: dict[str, tuple[float, float]] = {
    "half_spread_bps": (0.0, 500.0),
    "requote_bps": (0.0, 500.0),
    "horizon_s": (0.1, 3600.0),
    "pace_ms": (0, 60_000),
    "flow_ms": (10, 600_000),
    "variance_ms": (100, 3_600_000),
    "stale_ms": (10, 600_000),
    "latency_ms": (0, 10_000),
    "response_ms": (0, 10_000),
    "loss_max": (1e-9, 1e12),
    "quote_age_max_ms": (10, 3_600_000),
    "orders_second_max": (1, SENDS_MAX),
}
TALLY, RATES = 24, 4


class MakingOptions(NamedTuple):
    """What a person sets. Quantities in base units, money in quote currency; `_ms` of the recorder's clock."""

    quoter: str = "symmetric"
    size: float = 0.01
    inventory: float = 0.05  # no quote that may lead beyond it
    half_spread_bps: float = 1.0
    gamma: float = 0.1
    kappa: float = 1.0
    horizon_s: float = 10.0
    requote_bps: float = 0.5
    pace_ms: int = 100
    toxic_flow: float = 0.0  # 0: off
    flow_ms: int = 1_000
    variance_ms: int = 10_000
    stale_ms: int = 1_000
    latency_ms: int = 20
    response_ms: int = 10
    queue: str = "last"
    inventory_max: float = 0.1
    loss_max: float = 100.0
    quote_age_max_ms: int = 5_000
    orders_second_max: int = 30


class MakingRun(NamedTuple):
    """What became of a run. Columns of fills and orders: F_ and L_ of resting.py; elements of tally and rates: there."""

    terms: MakingTerms
    replayed: BookReplay
    fills: Ints
    orders: Ints
    tally: Ints
    rates: "np.ndarray"
    funding: tuple[Funded, ...] = ()  # in the order of their times


def lots_of(scale: Scale, quantity: float, name: str, *, least: int = 1) -> int:
    """A quantity as whole lots. Raises BadInput for one that is none."""
    lots = quantity * 10.0**scale.lot_digits
    if not (least <= lots <= EXACT and abs(lots - round(lots)) <= 1e-6 * max(1.0, lots)):
        step = 10.0**-scale.lot_digits
        raise BadInput(f"{name} {quantity:g}", f"a multiple of {step:g}, {'0 or more' if least == 0 else f'at least {step:g}'}")
    return round(lots)


def require_terms(options: MakingOptions) -> None:
    """Raises BadInput for an option out of bounds, naming it, as far as that does not depend on an instrument's grid."""
    o = options
    require(o.quoter in QUOTERS, f"quoter {o.quoter!r}", f"one of {', '.join(QUOTERS)}")
    require(o.queue in QUEUES, f"queue {o.queue!r}", f"one of {', '.join(QUEUES)}")
    for name, (low, high) in BOUNDS.items():
        require(low <= getattr(o, name) <= high, f"{name} {getattr(o, name):g}", f"{low:g} to {high:g}")
    liquidity_term(o.gamma, o.kappa)


def terms_of(scale: Scale, options: MakingOptions, fee_frac: float) -> MakingTerms:
    """Options in the tape's units. Raises BadInput for what is out of bounds, naming it."""
    o = options
    require_terms(o)
    require(-0.01 <= fee_frac <= 0.01, f"a maker fee of {fee_frac * 1e4:g} bps", "-100 to 100 bps; negative is a rebate")
    ms = 1_000_000
    return MakingTerms(
        quoter=QUOTERS[o.quoter],
        lots=lots_of(scale, o.size, "size"),
        inventory_lots=lots_of(scale, o.inventory, "inventory"),
        half_spread_bps=float(o.half_spread_bps),
        gamma=float(o.gamma),
        horizon_s=float(o.horizon_s),
        liquidity_bps=liquidity_term(o.gamma, o.kappa),
        requote_bps=float(o.requote_bps),
        pace_ns=o.pace_ms * ms,
        toxic_lots=lots_of(scale, o.toxic_flow, "toxic_flow", least=0),
        flow_ns=o.flow_ms * ms,
        variance_ns=o.variance_ms * ms,
        stale_ns=o.stale_ms * ms,
        entry_ns=o.latency_ms * ms,
        response_ns=o.response_ms * ms,
        queue=QUEUES[o.queue],
        fee_frac=float(fee_frac),
        tick=scale.tick,
        money=10.0 ** -(scale.price_digits + scale.lot_digits),
        inventory_max=lots_of(scale, o.inventory_max, "inventory_max"),
        loss_max=float(o.loss_max),
        age_ns=o.quote_age_max_ms * ms,
        sends_max=o.orders_second_max,
    )


def require(good: bool, what: str, instead: str) -> None:
    """Raises BadInput unless it is good."""
    if not good:
        raise BadInput(what, instead)


def trades_from(trades: TapeTrades, begin_ns: int) -> MakerTrades:
    """The trades from a time on, as the loop takes them."""
    a = int(np.searchsorted(trades.recv_ns, begin_ns))
    net = np.concatenate([[0], np.cumsum(trades.taker[a:] * trades.lots[a:])]).astype(np.int64)
    return MakerTrades(trades.recv_ns[a:], trades.price[a:], trades.lots[a:], trades.taker[a:], net)


class MakingPass(NamedTuple):
    """One pass over messages and trades: the arguments of the loop. Mutable arrays."""

    book: DepthBook
    rule: int
    messages: Messages
    rows: ReplayRows
    trades: MakerTrades
    terms: MakingTerms
    maker: MakerState
    at: Ints


def state_for(terms: MakingTerms, fills: int, orders: int) -> MakerState:
    """What a maker knows at its begin, with room for so many fills and orders."""
    return MakerState(
        np.zeros((2, 12), np.int64), np.zeros(2), np.zeros(TALLY, np.int64), np.zeros(RATES), np.zeros(terms.sends_max, np.int64),
        np.zeros((fills, 8), np.int64), np.zeros((orders, 8), np.int64),
    )  # fmt: skip


def begun(tape: BookTape, trades: TapeTrades, terms: MakingTerms) -> MakingPass:
    """A pass over a tape that has not begun. Raises BadInput for a tape on which a quote's money is not an exact whole number,
    or with more orders than memory takes.
    """
    require_exact(terms, float(tape.price.max(initial=0)))
    count, span_s = len(tape.kind), (int(tape.recv_ns[-1]) - int(tape.recv_ns[0])) // 1_000_000_000 + 2
    orders = terms.sends_max * span_s + 2
    require(orders <= ORDERS_MAX, f"up to {orders:,} orders", f"at most {ORDERS_MAX:,}: fewer orders a second, or less tape")
    made = trades_from(trades, int(tape.recv_ns[0]))
    state = state_for(terms, len(made.recv_ns) + 2 * count + 1, orders)  # a trade fills one order, a message two
    state.tally[NOW] = tape.recv_ns[0]
    at = np.array([0, 0, count, len(made.recv_ns), tape.recv_ns[-1], 0, 0], np.int64)
    messages = Messages(*(getattr(tape, name) for name in Messages._fields))
    return MakingPass(empty_book(), rule_of(tape), messages, blank_rows(count), made, terms, state, at)


def require_exact(terms: MakingTerms, highest: float) -> None:
    """Raises BadInput where money at prices up to `highest` units is not exact."""
    most = max(terms.inventory_lots, terms.inventory_max) + 2 * terms.lots
    require(4.0 * highest * most < EXACT, "an inventory limit that large", "a smaller one: its worth is not exact any more")


def loop_of(*, compiled: bool) -> Callable[..., None]:
    """The loop, compiled or plain."""
    if not compiled:
        return run_making
    from engine.making.kernel import compiled_making

    return compiled_making


def simulate(
    tape: BookTape, trades: TapeTrades, terms: MakingTerms, due: Sequence[Settlement] = (), *, compiled: bool = True
) -> MakingRun:
    """The whole tape once. `due`: settlements of funding within it. `compiled=False` runs the same functions as plain Python, a
    hundred times slower and to the same bit.

    Raises BadInput as `begun`.
    """
    work = begun(tape, trades, terms)
    course = FundedCourse(work, tape.scale, due, loop_of(compiled=compiled))
    course.go(int(tape.recv_ns[-1]))
    return finished(work, course.paid)


class FundedCourse:
    """A pass taken up to times of its clock, with the settlements on its way, each once."""

    def __init__(self, work: MakingPass, scale: Scale, due: Sequence[Settlement], loop: Callable[..., None]) -> None:
        self._work, self._scale, self._due, self._loop = work, scale, list(due), loop
        self.paid: list[Funded] = []

    def go(self, until_ns: int) -> None:
        """Everything up to a time, included."""
        while self._due and self._due[0].t_ns <= until_ns:
            due = self._due.pop(0)
            self._pass(due.t_ns)
            self.paid.append(at_moment(self._work.maker, self._scale, due))
            settle(self._work.maker, self.paid[-1].cash)
        self._pass(until_ns)

    def _pass(self, until_ns: int) -> None:
        self._work.at[UNTIL] = until_ns
        self._loop(*self._work)


def finished(work: MakingPass, paid: Sequence[Funded] = ()) -> MakingRun:
    """The run, its tables cut to what was used."""
    state = work.maker
    fills, orders = state.fills[: int(state.tally[FILLS])].copy(), state.log[: int(state.tally[ENTRIES])].copy()
    return MakingRun(work.terms, BookReplay(work.rows, None, work.book), fills, orders, state.tally, state.rates, tuple(paid))
