"""Funding of a maker's inventory: a settlement at its time, by the core's one rule, into ledger, guardrails and journal alike.

Called by simulation.py, paper.py and app/making. On a tape and on paper the rate is what the venue has settled; at an account the
venue's bill is the amount. Positive rates are paid by who is long (DEFINITIONS D4).
"""

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.ledger import funding_cash, put
from engine.core.state import FLAT
from engine.l2.tape import Scale
from engine.making.resting import F_LOTS, F_SIDE, FEES, FILLS, MIDDLE2, MakerState
from engine.making.rules import rules_of

HOUR_NS = 3_600_000_000_000  # settlements are at whole hours of UTC


class Settlement(NamedTuple):
    """One that is due. mark: quote currency; 0: the middle of that moment."""

    t_ns: int
    rate: float
    mark: float = 0.0


class Funded(NamedTuple):
    """One as it was booked. lots: with their side; cash: quote currency, negative: it cost."""

    t_ns: int
    lots: int
    mark: float
    rate: float
    cash: float


def due_within(begin_ns: int, end_ns: int, hours: int) -> bool:
    """Whether a venue settles in between, both ends included. hours: between two of its settlements."""
    step = hours * HOUR_NS
    return -(-begin_ns // step) * step <= end_ns


def bill_of(t_ns: int) -> str:
    """What a settlement that no venue bills is called; booked once."""
    return f"f{t_ns // 1_000_000}"


def funded(scale: Scale, lots: int, due: Settlement, middle: float) -> Funded:
    """What a settlement pays on so many lots. middle: quote currency, where no mark is recorded."""
    mark = due.mark or middle
    held = put(FLAT.layers, 0, FLAT.layers[0]._replace(lots=abs(lots)))
    position = FLAT._replace(side=(lots > 0) - (lots < 0), open_layers=1, layers=held)
    return Funded(due.t_ns, lots, mark, due.rate, funding_cash(position, rules_of(scale), mark, due.rate))


def at_moment(maker: MakerState, scale: Scale, due: Settlement) -> Funded:
    """The same of a simulated maker that has come to the settlement's time: by everything that was filled."""
    fills = maker.fills[: int(maker.tally[FILLS])]
    lots = int((fills[:, F_SIDE] * fills[:, F_LOTS]).sum())
    return funded(scale, lots, due, float(scale.price(int(maker.tally[MIDDLE2]) / 2.0)))


def settle(maker: MakerState, cash: float) -> None:
    """The guardrails count what was paid."""
    maker.rates[FEES] -= cash


def paid_until(paid: Sequence[Funded], t_ns: int) -> float:
    """Quote currency up to a time."""
    return sum(one.cash for one in paid if one.t_ns <= t_ns)
