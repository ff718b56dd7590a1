"""A position without margin on a paper desk: the same fills and the same state as in the backtest, and the journal says why."""

from typing import Any

import pytest

from engine.book.bodies import FORMAT
from engine.book.transitions import NO_BAR, bar_of, begin, step
from engine.core.state import PESSIMISTIC, Bar, Signal
from engine.live.requests import answers, reported
from engine.ports import Execution, Report
from engine.venues.paper import Account, PaperVenue
from tests.fakes.desks import BAR_MS, LOOSE, run_lists
from tests.fakes.order_desks import as_object, bar_body
from tests.fakes.paying_desks import T0, indebted, paying

LIMITS = LOOSE._replace(drawdown_frac_max=1e9)
CASH = 10_000.0


class PaperDesk:
    """A book and a paper venue, joined as the live loop joins them, without files."""

    def __init__(self, rules: list[Any]) -> None:
        sleeves = [
            {"name": f"s{k}", "instrument": f"i{r.instrument}", "cash": CASH, "paused": False, "rules": as_object(r)}
            for k, r in enumerate(rules)
        ]
        start = {"format": FORMAT, "instruments": ["i0", "i1"], "own_bars": [], "first_ms": T0, "timeframe_ms": BAR_MS}
        body = {"version": 1, "sha256": "", "limits": as_object(LIMITS), "sleeves": sleeves, "start": start}
        self.book, _ = begin(body)
        self.venue, self.fills = PaperVenue(), list[dict[str, Any]]()

    def deliver(self, report: Report) -> None:
        """One report through the book; what the desk asks for next is answered at once."""
        kind, body = reported(report)
        led, following = step(self.book, kind, body, {}, {})
        if isinstance(report, Execution):
            self.fills.append(dict(led))
        for answer in answers(self.venue, self.book.orders, following):
            self.deliver(answer)

    def bar(self, bars: list[Bar], signals: list[Signal]) -> None:
        """One bar: the venue trades, the desk decides, the venue answers."""
        book = self.book
        values = [[*bar[1:]] for bar in bars]
        body = bar_body(book, values, {f"s{k}": signal for k, signal in enumerate(signals)})
        self.venue.begin_bar()
        for s, spec in enumerate(book.specs):
            bar, sleeve = bar_of(body["close_ms"], body["bars"].get(book.column(s), NO_BAR)), book.sleeves[s]
            now = lambda s=s: book.sleeves[s]  # noqa: E731 - the account at this moment
            self.venue.trade(Account(book.names[s], s, sleeve.position, spec.rules, sleeve.cost, now), bar, self.deliver)
        _, following = step(book, "bar", body, {}, {})
        for answer in answers(self.venue, book.orders, following):
            self.deliver(answer)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_paper_desk_is_liquidated_as_its_backtest_is(seed: int) -> None:
    """Every sleeve's whole state at the end, bit for bit; liquidations of whole and of partly stopped positions, none refused by
    the book; each says its reason and stands under one of our orders."""
    bars, signals = paying(seed)
    rules, listed = indebted(PESSIMISTIC), [Bar(*record) for record in bars.tolist()]
    said = [Signal(*values) for values in zip(*(column.tolist() for column in signals), strict=True)]
    _, sleeves, desk, _ = run_lists(listed, said, rules, LIMITS, CASH)
    paper = PaperDesk(rules)
    for t in range(len(listed) // 2):
        paper.bar(listed[2 * t : 2 * t + 2], said[4 * t : 4 * t + 4])
    assert paper.book.sleeves == sleeves
    assert paper.book.desk == desk
    assert not paper.book.differences
    closed = [fill for fill in paper.fills if fill.get("liquidation")]
    assert closed
    assert {fill["reason"] for fill in closed} == {"liquidation"}
    assert all(fill.get("booked", True) for fill in paper.fills)
