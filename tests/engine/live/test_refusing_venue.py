"""The loop against a venue that refuses every amendment: it goes on, asks as often as stated, and its journal folds."""

from collections import Counter

from app.home.home import Home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.core.orders import WORKING, VenueOrder
from engine.core.plan import REFUSALS_MAX
from engine.live.loop import Loop
from engine.ports import OrderReport
from engine.store.journal import read
from engine.venues.paper import PaperVenue
from tests.fakes.papers import advanced_until


class RefusingVenue(PaperVenue):
    """A paper venue where orders stand as they were placed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Counter[str]()

    def amend(self, order: VenueOrder, price: float, lots: int) -> OrderReport:
        """No."""
        self.asked[order.id] += 1
        return OrderReport(order.id, WORKING, order.filled, "refused", order.price, order.lots)


def test_amendments_that_are_always_refused_are_bounded(home: Home, loop: Loop) -> None:
    """A trail moves at every close: ten requests at first, one a bar from then on; the mark tells of it; the stop still fills."""
    loop.venue = venue = RefusingVenue()
    bars = loop.book.count
    advanced_until(loop, lambda _: any(n > REFUSALS_MAX + 2 for n in venue.asked.values()))
    stuck = next(id_ for id_, n in venue.asked.items() if n > REFUSALS_MAX + 2)
    assert all(n < REFUSALS_MAX + loop.book.count - bars for n in venue.asked.values())
    layers = [
        layer
        for sleeve in list(read(home.desk_journal, {"mark"}))[-1].body["sleeves"].values()
        for layer in sleeve.get("position", {}).get("layers", [])
    ]
    assert venue.orders[stuck].price in [layer.get("stop_at") for layer in layers]
    advanced_until(loop, lambda book: stuck not in book.orders.open)
    assert not loop.book.orders.refusals.get(stuck)
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)
