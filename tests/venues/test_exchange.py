"""The matching engine under the local venues: what it conserves, whatever is asked of it, and each rule once by hand."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.market import FUNDING_MS, MINUTE_MS, PICO, Market, Print, prints_of_bars
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.orders import Algo, Bracket, Order, Refused
from tests.fakes.exchange.stage import BTC, START_MS, HandClock, flat_path, small_exchange, walked_exchange


def resting(moves: list[tuple[int, int, int]] | None = None, **more: int) -> tuple[HandClock, Exchange]:
    """An exchange whose BTC rests at 600,000 ticks."""
    clock = HandClock()
    return clock, small_exchange(clock, flat_path(600_000, *(moves or [])), **more)


def fills(exchange: Exchange) -> list[tuple[int, int, bool]]:
    """(signed lots, ticks, maker) of each execution."""
    events = [event for event in exchange.ledger if event.kind == log.FILL]
    return [(event.order.side * event.bill.lots, event.bill.ticks, event.maker) for event in events]  # type: ignore[union-attr]


def check_conserved(exchange: Exchange) -> None:
    """Executions make the positions; bills make the cash; cash and costs agree with an account kept by turnover alone."""
    turnover = fees = funded = 0
    net: dict[str, int] = {}
    for event in exchange.ledger:
        if event.bill is None:
            continue
        pico = exchange.markets[event.bill.symbol].contract.pico
        if event.kind == log.FILL:
            signed = event.order.side * event.bill.lots  # type: ignore[union-attr]
            net[event.bill.symbol] = net.get(event.bill.symbol, 0) + signed
            turnover -= signed * event.bill.ticks * pico
            fees += event.bill.fee
        else:
            funded += event.bill.cash
    account = exchange.account
    assert {name: held.lots for name, held in account.positions.items() if held.lots} == {s: n for s, n in net.items() if n}
    assert account.cash == account.opening + sum(bill.cash for bill in account.bills)
    costs = sum(held.cost * exchange.markets[name].contract.pico for name, held in account.positions.items())
    assert account.cash == account.opening + turnover + costs - fees + funded
    assert all(held.cost == 0 for held in account.positions.values() if held.lots == 0)
    for order in exchange.orders.values():
        assert 0 <= order.filled <= order.lots
        assert order.filled == sum(bill.lots for bill in account.bills if bill.order == order.id and bill.trade)


def check_reduce_only(exchange: Exchange) -> None:
    """No execution of a reduce-only order grows or turns the position it meets."""
    net: dict[str, int] = {}
    for event in exchange.ledger:
        if event.kind == log.FILL:
            order, bill = event.order, event.bill
            assert order is not None
            assert bill is not None
            before = net.get(bill.symbol, 0)
            net[bill.symbol] = after = before + order.side * bill.lots
            if order.reduce_only:
                assert before * after >= 0
                assert abs(after) < abs(before)


def request(dice: random.Random, exchange: Exchange) -> None:
    """Something that a careless client may ask, in any state."""
    symbol = dice.choice(["BTC", "ETH"])
    last, side, lots = exchange.markets[symbol].last, dice.choice([1, -1]), dice.randint(0, 400)
    near, reduce_only = last + dice.randint(-300, 300), dice.random() < 0.4
    kind = dice.choice([o.MARKET, o.LIMIT, o.POST_ONLY, o.IOC, o.FOK])
    bracket = Bracket(last - 500 * side, last + 400 * side)
    any_order = dice.choice([*exchange.orders, 999_999])
    any_algo = dice.choice([*exchange.algos, 999_999])
    order = Order(f"c{dice.randint(0, 400)}", symbol, side, lots, kind, 0 if kind == o.MARKET else near, reduce_only)
    if not reduce_only and dice.random() < 0.3:
        order = replace(order, brackets=(bracket,))
    stop, target = last + side * dice.randint(-50, 500), last - side * dice.randint(-50, 500)
    algo = Algo(
        f"a{dice.randint(0, 400)}", symbol, side, lots, stop if dice.random() < 0.7 else 0, target, reduce_only=reduce_only
    )
    asks: list[Callable[[], object]] = [
        lambda: exchange.place(order),
        lambda: exchange.place_algo(algo),
        lambda: exchange.place_late(dice.randint(0, 200_000), order),
        lambda: exchange.cancel(any_order),
        lambda: exchange.amend(any_order, near, lots),
        lambda: exchange.cancel_algo(any_algo),
        lambda: exchange.amend_algo(any_algo, stop, 0, lots),
        lambda: exchange.dead_man(dice.choice([0, 30_000])),
    ]
    dice.choices(asks, [8, 4, 1, 2, 2, 1, 2, 1])[0]()


def played(seed: int, asks: int) -> Exchange:
    """A careless client's day."""
    dice, clock = random.Random(seed), HandClock()
    exchange = walked_exchange(clock, seed)
    for _ in range(asks):
        clock.step(dice.choice([0, 0, 1_000, 60_000, 600_000]))
        try:
            request(dice, exchange)
        except Refused:
            continue
    clock.step(2 * FUNDING_MS)
    exchange.catch_up()
    return exchange


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_whatever_is_asked_lots_and_cash_are_conserved(seed: int) -> None:
    """Sum of executions = positions, cash = bills, to the last pico; reduce-only never grows or turns a position."""
    exchange = played(seed, 120)
    check_conserved(exchange)
    check_reduce_only(exchange)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200))
def test_longer_days_are_conserved(seed: int) -> None:
    """A thousand requests each."""
    exchange = played(seed, 1_000)
    check_conserved(exchange)
    check_reduce_only(exchange)


def test_the_check_of_conservation_can_fail() -> None:
    """A lot too many, a pico too few, a reduce-only order that turned: each is seen."""
    exchange = played(5, 300)
    assert sum(event.kind == log.FILL for event in exchange.ledger) > 50
    assert {log.ALGO_TRIGGERED, log.FUNDING, log.REJECTED, log.ENDED, log.AMENDED} <= {event.kind for event in exchange.ledger}
    exchange.account.cash -= 1
    with pytest.raises(AssertionError):
        check_conserved(exchange)
    exchange.account.cash += 1
    exchange.account.position("BTC").lots += 1
    with pytest.raises(AssertionError):
        check_conserved(exchange)
    _, turned = resting()
    turned.place(Order("a", "BTC", 1, 10))
    turned.place(Order("b", "BTC", -1, 20))
    turned.ledger[-1].order.reduce_only = True  # type: ignore[union-attr]
    with pytest.raises(AssertionError):
        check_reduce_only(turned)


def test_the_same_questions_give_the_same_ledger() -> None:
    """Nothing in it depends on anything but the path and what was asked when."""
    assert [event.row for event in played(3, 200).ledger] == [event.row for event in played(3, 200).ledger]


def test_a_market_order_walks_what_is_on_offer_and_pays_the_taker_fee() -> None:
    """250 lots against 100 a level: three executions, a tick worse each; the fee is exact."""
    _, exchange = resting()
    order = exchange.place(Order("m", "BTC", 1, 250))
    assert fills(exchange) == [(100, 600_001, False), (100, 600_002, False), (50, 600_003, False)]
    assert order.state == o.FILLED
    turnover = 100 * 600_001 + 100 * 600_002 + 50 * 600_003
    assert order.fee == turnover * BTC.pico * BTC.taker_ppm // 10**6
    assert exchange.account.cash == 100_000 * PICO - order.fee


def test_a_resting_limit_fills_in_parts_out_of_the_volume_that_passes() -> None:
    """30 of 100 lots with the first print at its price, the rest when the price passes it; as a maker, at its own price."""
    clock, exchange = resting([(60_000, 599_900, 30), (120_000, 599_700, 500)])
    order = exchange.place(Order("l", "BTC", 1, 100, o.LIMIT, 599_900))
    clock.step(60_000)
    exchange.catch_up()
    assert (order.state, order.filled) == (o.PARTIAL, 30)
    clock.step(60_000)
    exchange.catch_up()
    assert order.state == o.FILLED
    assert fills(exchange) == [(30, 599_900, True), (70, 599_900, True)]
    assert order.fee == 100 * 599_900 * BTC.pico * BTC.maker_ppm // 10**6


def test_resting_orders_share_the_volume_of_a_print_the_better_price_first() -> None:
    """50 lots for three buyers of 30: the highest price first, then the older one, and the last one waits."""
    clock, exchange = resting([(60_000, 599_900, 50)])
    low, high, younger = (
        exchange.place(Order(name, "BTC", 1, 30, o.LIMIT, price))
        for name, price in (("l", 599_900), ("h", 599_950), ("y", 599_900))
    )
    clock.step(60_000)
    exchange.catch_up()
    assert [order.filled for order in (high, low, younger)] == [30, 20, 0]


def test_each_kind_of_order_that_may_not_rest_or_take() -> None:
    """Post-only that would take ends unfilled; IOC takes what it can; FOK takes all or nothing; market beyond all takes all."""
    _, exchange = resting()
    assert exchange.place(Order("p", "BTC", 1, 10, o.POST_ONLY, 600_001)).why == "post_only"
    ioc = exchange.place(Order("i", "BTC", 1, 150, o.IOC, 600_001))
    assert (ioc.state, ioc.filled) == (o.CANCELED, 100)
    assert exchange.place(Order("f", "BTC", 1, 150, o.FOK, 600_001)).filled == 0
    assert exchange.place(Order("g", "BTC", 1, 150, o.FOK, 600_002)).state == o.FILLED
    assert exchange.place(Order("r", "BTC", 1, 10, o.POST_ONLY, 600_000)).state == o.WORKING


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Order("a", "BTC", 1, 0), o.TOO_SMALL),
        (Order("a", "BTC", 1, 2_000_000), o.TOO_LARGE),
        (Order("a", "BTC", 1, 1, o.LIMIT, 0), o.BAD_PRICE),
        (Order("a", "BTC", 1, 1, o.LIMIT, 10_000), o.BAD_NOTIONAL),
        (Order("a", "BTC", 1, 60_000), o.NO_MARGIN),
        (Order("a", "BTC", -1, 1, reduce_only=True), o.NOTHING_TO_REDUCE),
        (Order("twice", "BTC", 1, 1), o.DUPLICATE),
    ],
)
def test_what_it_refuses(order: Order, why: str) -> None:
    """The reason, a line in the ledger, and nothing else has changed."""
    _, exchange = resting(contract=BTC._replace(min_notional=5))
    exchange.place(Order("twice", "BTC", 1, 1, o.LIMIT, 500_000))
    with pytest.raises(Refused) as refused:
        exchange.place(replace(order))
    assert refused.value.why == why
    assert (exchange.ledger[-1].kind, exchange.ledger[-1].why) == (log.REJECTED, why)
    assert len(exchange.orders) == 1
    check_conserved(exchange)


def test_a_stop_places_a_child_that_names_it() -> None:
    """The level comes, the stop has triggered, its child fills at the market and closes the position."""
    clock, exchange = resting([(60_000, 594_000, 10)])
    exchange.place(Order("e", "BTC", 1, 50))
    stop = exchange.place_algo(Algo("s", "BTC", -1, 50, stop=595_000))
    clock.step(60_000)
    exchange.catch_up()
    child = exchange.orders[stop.child]
    assert (stop.state, stop.hit, child.parent, child.client, child.state) == (o.TRIGGERED, "stop", stop.id, "", o.FILLED)
    assert exchange.account.position("BTC").lots == 0
    kinds = [event.kind for event in exchange.ledger if event.t_ms > START_MS]
    assert kinds == [log.ALGO_TRIGGERED, log.ACCEPTED, log.FILL]


@pytest.mark.parametrize(("side", "stop", "target"), [(-1, 595_000, 605_000), (1, 605_000, 595_000)])
@pytest.mark.parametrize("hit", ["stop", "target"])
def test_a_level_is_hit_when_the_price_is_at_it(side: int, stop: int, target: int, hit: str) -> None:
    """A tick before it nothing happens; at it the order triggers; on both sides, for stop and target."""
    level = stop if hit == "stop" else target
    before = level + (1 if level < 600_000 else -1)
    clock, exchange = resting([(60_000, before, 10), (120_000, level, 10)])
    exchange.place(Order("e", "BTC", -side, 50))
    algo = exchange.place_algo(Algo("a", "BTC", side, 50, stop, target))
    clock.step(60_000)
    exchange.catch_up()
    assert algo.state == o.WORKING
    clock.step(60_000)
    exchange.catch_up()
    assert (algo.state, algo.hit) == (o.TRIGGERED, hit)


def test_of_stop_and_target_one_ends_the_other() -> None:
    """The target comes first; the later fall to the stop does nothing more."""
    clock, exchange = resting([(60_000, 610_000, 10), (120_000, 590_000, 10)])
    exchange.place(Order("e", "BTC", 1, 50))
    both = exchange.place_algo(Algo("b", "BTC", -1, 50, stop=595_000, target=608_000))
    clock.step(120_000)
    exchange.catch_up()
    assert (both.state, both.hit) == (o.TRIGGERED, "target")
    assert fills(exchange) == [(50, 600_001, False), (-50, 610_000, False)]


def test_a_stop_without_a_position_fails_and_turns_nothing() -> None:
    """The layer was closed by hand; its stop triggers later, and no short begins."""
    clock, exchange = resting([(60_000, 594_000, 10)])
    exchange.place(Order("e", "BTC", 1, 50))
    stop = exchange.place_algo(Algo("s", "BTC", -1, 50, stop=595_000))
    exchange.place(Order("x", "BTC", -1, 50, reduce_only=True))
    clock.step(60_000)
    exchange.catch_up()
    assert (stop.state, stop.why) == (o.FAILED, o.NOTHING_TO_REDUCE)
    assert exchange.account.position("BTC").lots == 0


def test_a_bracket_becomes_a_stop_for_what_was_filled() -> None:
    """A limit entry that ended with 30 of 100 lots leaves a stop of 30, a whole one of 100; none while nothing is filled."""
    clock, exchange = resting([(60_000, 599_900, 30)])
    entry = exchange.place(Order("e", "BTC", 1, 100, o.LIMIT, 599_900, brackets=(Bracket(stop=590_000, client="s"),)))
    assert exchange.open_algos() == []
    clock.step(60_000)
    exchange.cancel(entry.id)
    (stop,) = exchange.open_algos()
    assert (stop.client, stop.side, stop.lots, stop.stop) == ("s", -1, 30, 590_000)


def test_reduce_only_orders_end_with_the_position() -> None:
    """Two exits for one position: the first closes it, the second is ended by the exchange."""
    _, exchange = resting()
    exchange.place(Order("e", "BTC", 1, 50))
    target = exchange.place(Order("t", "BTC", -1, 50, o.LIMIT, 610_000, reduce_only=True))
    exchange.place(Order("x", "BTC", -1, 80, reduce_only=True))
    assert (target.state, target.why) == (o.CANCELED, "reduce_only")
    assert fills(exchange)[-1] == (-50, 600_000, False)


def test_amending_moves_and_may_take() -> None:
    """A limit moved to the ask takes at once; the same values, or an ended order, are refused."""
    _, exchange = resting()
    order = exchange.place(Order("l", "BTC", 1, 10, o.LIMIT, 599_000))
    with pytest.raises(Refused, match=o.UNCHANGED):
        exchange.amend(order.id, 599_000, 10)
    exchange.amend(order.id, 600_001)
    assert order.state == o.FILLED
    with pytest.raises(Refused, match=o.ENDED):
        exchange.amend(order.id, 600_002)
    with pytest.raises(Refused, match=o.NOT_FOUND):
        exchange.cancel(12_345)


def test_funding_is_a_bill_each_eight_hours() -> None:
    """A long of 1,000 lots at 60,000.0 pays 0.01 % of 6,000; a flat account gets no bill."""
    clock, exchange = resting()
    exchange.place(Order("e", "BTC", 1, 1_000))
    before = exchange.account.cash
    clock.step(2 * FUNDING_MS)
    exchange.catch_up()
    bills = [event.bill for event in exchange.ledger if event.kind == log.FUNDING]
    assert [bill.cash for bill in bills] == [-600_000_000_000] * 2  # type: ignore[union-attr]
    assert exchange.account.cash == before - 12 * PICO // 10
    assert all(event.t_ms % FUNDING_MS == 0 for event in exchange.ledger if event.kind == log.FUNDING)


def test_an_order_on_its_way_arrives_later() -> None:
    """Nobody knows it before; then it is there, and its id is taken."""
    clock, exchange = resting()
    exchange.place_late(8_000, Order("late", "BTC", 1, 10))
    assert exchange.by_client("late") is None
    clock.step(8_000)
    exchange.catch_up()
    late = exchange.by_client("late")
    assert late is not None
    assert late.created_ms == START_MS + 8_000
    with pytest.raises(Refused, match=o.DUPLICATE):
        exchange.place(Order("late", "BTC", 1, 10))


@pytest.mark.parametrize("step", [MINUTE_MS, 5 * MINUTE_MS])
def test_who_listens_may_order_and_the_ledger_is_the_same_however_time_passes(step: int) -> None:
    """At each print somebody orders: whether the clock goes minute by minute or jumps, it is at the print's time and price."""
    moves = [(n * MINUTE_MS, 600_000 + 100 * n, 50) for n in range(1, 6)]
    clock, exchange = resting(moves)
    quiet = exchange.place(Order("rests", "BTC", -1, 10, o.LIMIT, 600_200))

    def order_at_print(event: log.Event) -> None:
        if event.kind == log.PRINT:
            exchange.place(Order("", "BTC", 1, 1))
            if quiet.is_open and exchange.now == START_MS + MINUTE_MS:
                exchange.venue_cancels(quiet.id)

    exchange.listeners.append(order_at_print)
    for _ in range(5 * MINUTE_MS // step):
        clock.step(step)
        exchange.catch_up()
    bills = [event.bill for event in exchange.ledger if event.bill]
    assert [(bill.t_ms - START_MS, bill.ticks) for bill in bills] == [(after, ticks + 1) for after, ticks, _ in moves]
    assert (quiet.state, quiet.updated_ms) == (o.CANCELED, START_MS + MINUTE_MS)


def test_the_dead_man_cancels_unless_asked_again() -> None:
    """30 s without a word end the open orders; a second word in time moves the end."""
    clock, exchange = resting()
    order = exchange.place(Order("l", "BTC", 1, 10, o.LIMIT, 599_000))
    exchange.dead_man(30_000)
    clock.step(20_000)
    exchange.dead_man(30_000)
    clock.step(20_000)
    exchange.catch_up()
    assert order.state == o.WORKING
    clock.step(10_000)
    exchange.catch_up()
    assert (order.state, order.why) == (o.CANCELED, "dead_man")


def test_bars_become_prints_and_candles_again() -> None:
    """Four prints a bar; the candles of the bar's own length are the bars."""
    bars = [(0, 100, 120, 95, 110, 400), (60_000, 110, 111, 90, 91, 80)]
    market = Market(BTC, prints_of_bars(bars, 60_000))
    while market.coming is not None:
        market.step()
    assert [tuple(candle) for candle in market.candles(60_000)] == bars
    assert tuple(market.candles(120_000)[0]) == (0, 100, 120, 90, 91, 480)
    assert market.now == Print(105_000, 91, 20)
