"""The paper venue as any venue: requests that may be repeated, lost or late, and what a bar fills of what stands there."""

from typing import Any

import pytest

from engine.core.orders import CANCELLING, DONE, INTENDED, PARTIAL, REJECTED, SENT, UNKNOWN, WORKING, VenueOrder
from engine.core.state import ENTRY, EXIT_SLOT, FLAT, NO_LAYER, PROTECTIVE, TARGET_SLOT, Bar, Cost, start
from engine.ports import Execution, FundingBill, OrderReport, Report
from engine.venues.paper import KEPT, Account, PaperVenue, as_entry
from tests.fakes.desks import BAR_MS, RULES

T0 = 1_735_689_600_000
UNIT = RULES._replace(lot_size=1.0, tick=1.0, participation_max=0.1, bar_ms=BAR_MS, taker_frac=0.001, maker_frac=0.0)
HELD = FLAT._replace(side=1, open_layers=1, layers=(NO_LAYER._replace(key=1, lots=10, entry=100.0), *FLAT.layers[1:]))


MARKET = VenueOrder("a", 0, ENTRY, 1, 1, 10, 0.0, 0, 1, 1_000.0, 2.0, T0 + BAR_MS)


def order(id_: str = "a", **changed: Any) -> VenueOrder:
    """A market entry of ten lots of sleeve 0, decided at the close before bar 1."""
    return MARKET._replace(id=id_, **changed)


def stop(key: int = 1, lots: int = 10, price: float = 95.0, **changed: Any) -> VenueOrder:
    """The protective order of a long layer."""
    return order(f"s{key}", slot=PROTECTIVE, key=key, side=-1, lots=lots, price=price, **changed)


def target(key: int = 1, lots: int = 10, price: float = 105.0) -> VenueOrder:
    """Its target."""
    return order(f"t{key}", slot=TARGET_SLOT, key=key, side=-1, lots=lots, price=price)


def bar(t: int = 1, prices: tuple[float, ...] = (100, 101, 99, 100), volume: float = 1e6, mark: float = 0.0) -> Bar:
    """Bar t."""
    return Bar(T0 + (t + 1) * BAR_MS, *map(float, prices), volume, 0.01 if mark else 0.0, mark)


class Traded:
    """A venue with some orders, and what it reports of bars."""

    def __init__(self, *orders: VenueOrder, position: Any = HELD, rules: Any = UNIT, cash: float = 1e6) -> None:
        self.venue, self.reports = PaperVenue(), list[Report]()
        flat, held = start(cash), start(cash)._replace(position=position)
        self.account = Account("btc", 0, position, rules, Cost(0.0, 0.0), lambda: flat if self.fills() else held)
        for each in orders:
            self.venue.place(each)

    def bar(self, made: Bar) -> bool:
        """Trade one bar; the reports of it replace the last ones. True: it was ambiguous."""
        self.reports.clear()
        self.venue.begin_bar()
        return self.venue.trade(self.account, made, self.reports.append)

    def fills(self) -> list[tuple[str, int, float]]:
        """(order, lots, price) of every execution."""
        return [(r.order, r.lots, r.price) for r in self.reports if isinstance(r, Execution)]

    def ended(self) -> list[tuple[str, int]]:
        """(order, filled) of every order that was reported as ended."""
        return [(r.order, r.filled_lots) for r in self.reports if isinstance(r, OrderReport) and r.state == DONE]


# ---- requests -------------------------------------------------------------------------------------------------------------


def test_asking_twice_places_once() -> None:
    """The same client id again, even with other lots: what stands is the first; one request is remembered."""
    venue = PaperVenue()
    first = venue.place(order())
    again = venue.place(order(lots=99))
    assert (first.state, again.state) == (WORKING, WORKING)
    assert venue.orders["a"].lots == 10
    assert [request.what for request in venue.requests] == ["place"]


def test_placing_again_says_what_has_filled() -> None:
    """A desk that did not hear the answer learns of the part that came."""
    traded = Traded(stop(), position=HELD)
    traded.bar(bar(1, (96, 96, 94, 95), volume=40.0))
    assert traded.fills() == [("s1", 4, 95.0)]
    assert traded.venue.place(stop()).filled_lots == 4


def test_an_amendment_keeps_what_has_filled_and_moves_price_and_lots() -> None:
    """The report says where it stands now; the next bar trades it there."""
    traded = Traded(stop())
    report = traded.venue.amend(stop(), 98.0, 7)
    assert (report.state, report.price, report.lots, report.filled_lots) == (WORKING, 98.0, 7, 0)
    traded.bar(bar(1, (99, 99, 97, 97)))
    assert traded.fills() == [("s1", 7, 98.0)]
    partly = Traded(stop(), target())
    partly.bar(bar(1, (100, 107, 99, 106), volume=40.0))
    assert partly.venue.amend(target(), 104.0, 9).filled_lots == 4
    assert partly.venue.ask(target()).filled_lots == 4
    partly.bar(bar(2, (100, 107, 99, 106)))
    assert partly.fills() == [("t1", 5, 104.0)]  # nine in all, four before


@pytest.mark.parametrize(("filled", "state"), [(0, REJECTED), (3, DONE)])
def test_what_is_not_there_has_ended_or_never_came(filled: int, state: str) -> None:
    """Asked of, or amended: never an order that works. With something filled it was there once."""
    venue = PaperVenue()
    gone = order(filled=filled)
    assert (venue.ask(gone).state, venue.ask(gone).filled_lots) == (state, filled)
    assert venue.amend(gone, 1.0, 1).state == state
    assert venue.open_orders() == []
    assert venue.requests == []


def test_cancelling_ends_whatever_is_there_and_what_is_not() -> None:
    """Both answers are the same, so a cancel may be repeated; what filled before is said; nothing trades afterwards."""
    traded = Traded(stop(), target())
    traded.bar(bar(1, (96, 96, 94, 95), volume=40.0))
    report = traded.venue.cancel(stop())
    assert (report.state, report.filled_lots) == (DONE, 4)
    assert traded.venue.cancel(stop(filled=4)) == report
    assert traded.venue.cancel(target()).state == DONE
    assert traded.bar(bar(2, (90, 120, 80, 100))) is False
    assert traded.reports == []


@pytest.mark.parametrize(
    ("state", "stands"),
    [
        (INTENDED, False),
        (SENT, False),
        (UNKNOWN, False),
        (DONE, False),
        (REJECTED, False),
        (WORKING, True),
        (PARTIAL, True),
        (CANCELLING, True),
    ],
)
def test_a_start_takes_the_orders_that_the_journal_says_were_confirmed(state: str, stands: bool) -> None:
    """What was only meant or sent is not there: the desk asks, and sends again."""
    venue = PaperVenue([order(state=state, filled=2)])
    assert bool(venue.open_orders()) is stands
    assert venue.ask(order(filled=2)).state == (WORKING if stands else DONE)


def test_only_so_many_requests_are_remembered() -> None:
    """A year of trading takes no more memory than a day."""
    venue = PaperVenue()
    for n in range(KEPT + 5):
        venue.place(order(f"o{n}"))
    assert len(venue.requests) == KEPT
    assert venue.requests[-1].order == f"o{KEPT + 4}"


# ---- a bar ----------------------------------------------------------------------------------------------------------------


def test_a_market_entry_fills_at_the_open_and_what_did_not_fit_ends() -> None:
    """A tenth of 60 units: six of ten; the rest is over, with what filled."""
    traded = Traded(order(), position=FLAT)
    traded.bar(bar(1, volume=60.0))
    assert traded.fills() == [("a", 6, 100.0)]
    assert traded.ended() == [("a", 6)]
    assert traded.venue.open_orders() == []


def test_a_limit_entry_rests_for_its_bars_and_fills_in_parts() -> None:
    """Three bars: touched not, passed with little volume, then the rest; its trades have ids of their own."""
    traded = Traded(order(price=98.0, good_for=3), position=FLAT, rules=UNIT._replace(layers_max=5))
    traded.bar(bar(1))
    assert (traded.fills(), traded.ended()) == ([], [])
    traded.bar(bar(2, (100, 101, 97, 99), volume=40.0))
    assert traded.fills() == [("a", 4, 98.0)]
    trades = [r.trade for r in traded.reports if isinstance(r, Execution)]
    traded.bar(bar(3, (100, 101, 97, 99)))
    assert traded.fills() == [("a", 6, 98.0)]
    assert [r.trade for r in traded.reports if isinstance(r, Execution)] != trades
    assert traded.ended() == []  # filled whole: the execution says so
    assert traded.venue.open_orders() == []


def test_a_limit_entry_that_nothing_met_is_over_after_its_last_bar() -> None:
    """Two bars, then it is said to have ended with nothing."""
    traded = Traded(order(price=90.0, good_for=2), position=FLAT)
    traded.bar(bar(1))
    assert traded.ended() == []
    traded.bar(bar(2))
    assert traded.ended() == [("a", 0)]


def test_stop_and_target_of_one_layer_never_both_fill() -> None:
    """Both are touched: pessimistic takes the stop, says that the bar was ambiguous, and leaves the target standing unfilled."""
    traded = Traded(stop(), target())
    assert traded.bar(bar(1, (100, 110, 90, 100))) is True
    assert traded.fills() == [("s1", 10, 95.0)]
    optimistic = Traded(stop(), target(), rules=UNIT._replace(mode=1))
    assert optimistic.bar(bar(1, (100, 110, 90, 100))) is True
    assert optimistic.fills() == [("t1", 10, 105.0)]


def test_a_stop_that_filled_in_part_leaves_at_the_next_open_whatever_the_price() -> None:
    """Its rest is due: at the open, also when the price has come back; how the bar is read inside is no question for it."""
    traded = Traded(stop(), target())
    traded.bar(bar(1, (96, 96, 94, 95), volume=40.0))
    assert traded.bar(bar(2, (100, 110, 90, 100), volume=20.0)) is False
    assert traded.fills() == [("s1", 2, 100.0)]
    traded.venue.cancel(target())
    traded.bar(bar(3, (100, 101, 99, 100)))
    assert traded.fills() == [("s1", 4, 100.0)]
    assert traded.venue.open_orders() == []


def test_a_target_that_filled_in_part_rests_on() -> None:
    """It is a limit: the rest waits for its price."""
    traded = Traded(stop(), target())
    traded.bar(bar(1, (100, 107, 99, 106), volume=40.0))
    assert traded.fills() == [("t1", 4, 105.0)]
    traded.bar(bar(2, (100, 101, 99, 100)))
    assert traded.fills() == []
    traded.bar(bar(3, (100, 107, 99, 106)))
    assert traded.fills() == [("t1", 6, 105.0)]


def test_layers_leave_newest_first_and_share_the_bars_volume() -> None:
    """A tenth of 150 units is fifteen lots: ten of the second layer, five of the first."""
    layers = (NO_LAYER._replace(key=1, lots=10), NO_LAYER._replace(key=2, lots=10), *FLAT.layers[2:])
    traded = Traded(stop(1), stop(2), position=HELD._replace(open_layers=2, layers=layers))
    traded.bar(bar(1, (96, 96, 94, 95), volume=150.0))
    assert traded.fills() == [("s2", 10, 95.0), ("s1", 5, 95.0)]


def test_an_exit_at_the_market_leaves_at_the_open_and_its_stop_does_not_fill_beside_it() -> None:
    """Newest layer first; the layer's stop is still there until the desk cancels it."""
    leaves = order("x1", slot=EXIT_SLOT, key=1, side=-1, lots=10)
    traded = Traded(stop(), target(), leaves)
    assert traded.bar(bar(1, (100, 110, 90, 95), volume=40.0)) is False
    assert traded.fills() == [("x1", 4, 100.0)]


@pytest.mark.parametrize(("side", "price"), [(1, 99.0), (-1, 101.0)])
def test_slippage_is_against_whoever_leaves(side: int, price: float) -> None:
    """A long sells below the open, a short buys above it; the reference price is the open."""
    traded = Traded(order("x1", slot=EXIT_SLOT, side=-side), position=HELD._replace(side=side))
    traded.account = traded.account._replace(cost=Cost(0.01, 0.0))
    traded.bar(bar(1))
    (execution,) = (r for r in traded.reports if isinstance(r, Execution))
    assert (execution.price, execution.reference_price, execution.maker) == (price, 100.0, False)


def test_two_sleeves_on_one_instrument_take_one_volume() -> None:
    """What the first has taken is gone for the second; the next bar begins anew."""
    traded = Traded(order(), order("b", sleeve=1), position=FLAT)
    other = traded.account._replace(name="two", sleeve=1)
    made = bar(1, volume=120.0)
    traded.bar(made)
    traded.venue.trade(other, made, traded.reports.append)
    assert traded.fills() == [("a", 10, 100.0), ("b", 2, 100.0)]
    traded.venue.place(order("c", decided_ms=T0 + 2 * BAR_MS))
    traded.bar(bar(2, volume=120.0))
    assert traded.fills() == [("c", 10, 100.0)]


def test_two_instruments_have_each_their_own_volume() -> None:
    """Columns of bars are counted apart: the third sleeve shares the second's."""
    traded = Traded(order(), order("b", sleeve=1), order("c", sleeve=2), position=FLAT)
    other = traded.account._replace(name="two", sleeve=1, rules=UNIT._replace(instrument=1, bars=1))
    traded.bar(bar(1, volume=120.0))
    for account in (other, other._replace(name="three", sleeve=2)):
        traded.venue.trade(account, bar(1, volume=120.0), traded.reports.append)
    assert traded.fills() == [("a", 10, 100.0), ("b", 10, 100.0), ("c", 2, 100.0)]


@pytest.mark.parametrize(("side", "cash"), [(1, -9.9), (-1, 9.9)])
def test_a_settlement_is_billed_once_before_anything_fills(side: int, cash: float) -> None:
    """Ten lots at a mark of 99 and a rate of 1 %: longs pay; the bill has an id that follows from sleeve and bar."""
    traded = Traded(stop(), position=HELD._replace(side=side))
    traded.bar(bar(1, (96, 96, 94, 95), mark=99.0))
    bill = traded.reports[0]
    assert isinstance(bill, FundingBill)
    assert (bill.bill, bill.sleeve) == (f"btc@{T0 + 2 * BAR_MS}", "btc")
    assert bill.cash == pytest.approx(cash)
    assert sum(isinstance(r, FundingBill) for r in traded.reports) == 1
    flat = Traded(order(), position=FLAT)
    flat.bar(bar(1, mark=99.0))
    assert not any(isinstance(r, FundingBill) for r in flat.reports)  # what enters at this open does not pay


def test_what_the_desk_places_while_it_is_told_of_its_entry_counts_in_this_bar() -> None:
    """The stop of an entry is at the venue within the bar, and may fill in it."""
    traded = Traded(order(), position=FLAT)

    def deliver(report: Report) -> None:
        traded.reports.append(report)
        if isinstance(report, Execution) and report.order == "a":
            traded.venue.place(stop(1, report.lots))

    traded.venue.begin_bar()
    traded.venue.trade(traded.account, bar(1, (100, 101, 94, 96)), deliver)
    assert traded.fills() == [("a", 10, 100.0), ("s1", 10, 95.0)]


def test_the_core_sees_what_is_left_of_an_entry() -> None:
    """Key, side, limit and age are the order's; lots are those that have not filled."""
    found = as_entry(order(filled=4, price=98.0, post_only=1, good_for=3, key=7, side=-1))
    assert (found.key, found.side, found.lots, found.limit) == (7, -1, 6, 98.0)
    assert (found.post_only, found.good_for, found.decided_ms) == (1, 3, T0 + BAR_MS)


# ---- liquidation ---------------------------------------------------------------------------------------------------------


THIN = UNIT._replace(maintenance_frac=0.01, liquidation_fee_frac=0.01)


def test_a_position_without_margin_is_closed_before_its_stop() -> None:
    """Long 10 at 100 with 200 of cash and a stop at 70: the venue closes it at 80.81 under the stop's order, and says why."""
    traded = Traded(stop(price=70.0), target(), rules=THIN, cash=200.0)
    traded.bar(bar(prices=(100, 101, 60, 65)))
    (closed,) = [r for r in traded.reports if isinstance(r, Execution)]
    assert (closed.order, closed.lots, closed.liquidation) == ("s1", 10, True)
    assert closed.price == pytest.approx(80.808, abs=1e-3)
    assert closed.fee == pytest.approx(8.081, abs=1e-3)
    assert set(traded.venue.orders) == {"t1"}  # the desk cancels what is left


def test_a_stop_nearer_than_the_level_fills_as_ever() -> None:
    """The same fall with a stop at 90: a plain stop."""
    traded = Traded(stop(price=90.0), rules=THIN, cash=200.0)
    traded.bar(bar(prices=(100, 101, 60, 65)))
    assert [(r.order, r.price, r.liquidation) for r in traded.reports if isinstance(r, Execution)] == [("s1", 90.0, False)]


def test_a_liquidated_layer_without_an_order_is_reported_under_none_of_ours() -> None:
    """Nothing of ours stands for it: the report names no order that the desk knows, which shows as a difference."""
    traded = Traded(rules=THIN, cash=200.0)
    traded.bar(bar(prices=(100, 101, 60, 65)))
    (closed,) = [r for r in traded.reports if isinstance(r, Execution)]
    assert closed.order.startswith("liquidation of btc")


def test_a_bar_that_reaches_target_and_liquidation_level_is_ambiguous() -> None:
    """With margin to spare the same bar has one reading: the stop is out of its reach."""
    for cash, expected in ((200.0, True), (2_000.0, False)):
        traded = Traded(stop(price=50.0), target(), rules=THIN, cash=cash)
        assert traded.bar(bar(prices=(100, 110, 70, 100))) is expected


def test_the_rest_of_a_stop_is_liquidated_under_another_trade_id() -> None:
    """Volume for 4 of 10 lots at the stop, then the fall goes on: two trades of one order in one bar, each booked once."""
    traded, rest = Traded(stop(price=90.0), rules=THIN, cash=200.0), HELD.layers[0]._replace(lots=6, exit_pending=1)
    left = start(160.0)._replace(position=HELD._replace(layers=(rest, *HELD.layers[1:])))
    before = traded.account.now()
    traded.account = traded.account._replace(now=lambda: left if traded.fills() else before)
    traded.bar(bar(prices=(100, 101, 60, 65), volume=40.0))
    first, second = (r for r in traded.reports if isinstance(r, Execution))
    assert (first.lots, second.lots, first.liquidation, second.liquidation) == (4, 6, False, True)
    assert first.order == second.order
    assert first.trade != second.trade
