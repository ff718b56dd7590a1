"""What has happened at the exchange, a line an event: the truth that a desk is compared with, and what streams push."""

from typing import Any, NamedTuple

from tests.fakes.exchange.account import Bill
from tests.fakes.exchange.orders import Algo, Order

ACCEPTED, REJECTED, FILL, ENDED, AMENDED = "accepted", "rejected", "fill", "ended", "amended"
ALGO_ACCEPTED, ALGO_TRIGGERED, ALGO_ENDED, ALGO_AMENDED = "algo_accepted", "algo_triggered", "algo_ended", "algo_amended"
FUNDING = "funding"
TRANSFER = "transfer"  # kept, and not pushed: no stream of a local venue has it
PRINT = "print"  # passed to listeners, not kept: the path is known


class Event(NamedTuple):
    """One line, with the order, algo and bill as they were then."""

    seq: int
    t_ms: int
    kind: str
    order: Order | None = None
    algo: Algo | None = None
    bill: Bill | None = None
    maker: bool = False
    why: str = ""

    @property
    def row(self) -> tuple[Any, ...]:
        """Values alone, to compare two runs."""
        order, algo = self.order or Order("", "", 0, 0), self.algo or Algo("", "", 0, 0)
        mine = (order.client, order.state, order.lots, order.price, order.filled, order.parent)
        theirs = (algo.client, algo.state, algo.lots, algo.stop, algo.target, algo.child)
        return (self.seq, self.t_ms, self.kind, *mine, *theirs, tuple(self.bill or ()), self.maker, self.why)
