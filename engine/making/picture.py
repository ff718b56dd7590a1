"""What a page draws of a maker: its quotes against the book, inventory and P&L over time, its last fills. Bounded, whatever the
length of the run.

Called by app/making, of a simulation and of a maker on paper alike, between two slices of the loop.
"""

from itertools import pairwise
from typing import Any

from engine.l2.book import best_of
from engine.l2.outcomes import SPEEDS_S
from engine.l2.tape import Scale
from engine.making.resting import (
    BUY,
    F_HOW,
    F_LOTS,
    F_PRICE,
    F_SIDE,
    F_WAITED,
    F_WHEN,
    FILLS,
    HOW,
    LEFT,
    MIDDLE2,
    PRICE,
    SELL,
    usable,
)
from engine.making.simulation import MakingPass

POINTS_MAX = 600
FILLS_SHOWN = 200
NAMES = ("t_s", "bid", "ask", "own_bid", "own_ask", "inventory", "gross", "net", "with_rebate")


class MakerPicture:
    """Points over time; beyond POINTS_MAX every other one is given up, and half as many are taken from then on."""

    def __init__(self, scale: Scale, begin_ns: int, rebate_frac: float, before: tuple[int, int, int] = (0, 0, 0)) -> None:
        """before: inventory (lots), cash and turnover (price units times lots) of earlier sessions."""
        self.scale, self.begin_ns, self._rebate = scale, begin_ns, rebate_frac
        self._rows: list[tuple[float | None, ...]] = []
        self._every = self._calls = 0
        self.funding = 0.0  # paid so far, quote currency; whoever books it says so
        self._fills, (self._inventory, self._cash, self._traded) = 0, before

    def look(self, work: MakingPass, now_ns: int) -> None:
        """A point as of now, if one is due."""
        self._count(work)
        self._calls += 1
        if self._every and self._calls % self._every:
            return
        self._rows.append(self._point(work, now_ns))
        if len(self._rows) >= POINTS_MAX:
            self._rows, self._every = self._rows[::2], max(self._every, 1) * 2

    def _count(self, work: MakingPass) -> None:
        """Inventory, cash and turnover of the fills since the last look, in whole units."""
        count = int(work.maker.tally[FILLS])
        for row in work.maker.fills[self._fills : count].tolist():
            amount = row[F_PRICE] * row[F_LOTS]
            self._inventory += row[F_SIDE] * row[F_LOTS]
            self._cash -= row[F_SIDE] * amount
            self._traded += amount
        self._fills = count

    def _point(self, work: MakingPass, now_ns: int) -> tuple[float | None, ...]:
        book, orders, known = work.book, work.maker.orders, usable(work.book)
        price = self.scale.price
        near = [float(price(best_of(book, s)[0])) if known else None for s in (BUY, SELL)]
        own = [float(price(int(orders[s, PRICE]))) if orders[s, LEFT] > 0 else None for s in (BUY, SELL)]
        worth = (2 * self._cash + self._inventory * int(work.maker.tally[MIDDLE2])) * (work.terms.money / 2.0)
        traded = self._traded * work.terms.money
        net, rebated = (worth + self.funding - traded * frac for frac in (work.terms.fee_frac, -self._rebate))
        seconds = round((now_ns - self.begin_ns) / 1e9, 3)
        return (seconds, *near, *own, float(self.scale.quantity(self._inventory)), worth, net, rebated)

    def drawn(self, work: MakingPass) -> dict[str, Any]:
        """Columns of one length, the last fills, and what was counted of fills by speed."""
        columns = {name: [row[k] for row in self._rows] for k, name in enumerate(NAMES)}
        fills = work.maker.fills[: int(work.maker.tally[FILLS])]
        return {
            "points": columns,
            "fills": [self._fill(row) for row in fills[-FILLS_SHOWN:].tolist()],
            "by_speed": by_speed_of(work),
        }

    def _fill(self, row: list[int]) -> dict[str, Any]:
        return {
            "t_s": round((row[F_WHEN] - self.begin_ns) / 1e9, 3),
            "side": "buy" if row[F_SIDE] > 0 else "sell",
            "price": float(self.scale.price(row[F_PRICE])),
            "quantity": float(self.scale.quantity(row[F_LOTS])),
            "rested_s": round(row[F_WAITED] / 1e9, 3),
            "by": HOW[row[F_HOW]],
        }


def by_speed_of(work: MakingPass) -> list[dict[str, Any]]:
    """How many fills came how fast after the order had arrived: the classes of engine/l2/outcomes.py, and what is slower."""
    waited = work.maker.fills[: int(work.maker.tally[FILLS]), F_WAITED] / 1e9
    classes = [(low, high, (waited >= low) & (waited < high)) for low, high in pairwise(SPEEDS_S)]
    found = [{"from_s": low, "to_s": high, "fills": int(chosen.sum())} for low, high, chosen in classes]
    return [*found, {"from_s": SPEEDS_S[-1], "to_s": None, "fills": int((waited >= SPEEDS_S[-1]).sum())}]
