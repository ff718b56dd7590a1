"""What `python -m bench sockets` reads out of a ledger, a request log and a journal: the arithmetic behind its figures."""

from bench.socket_latency import LedgerState, bare_spells, closes_of, spread
from engine.store.chain import Event
from tests.fakes.exchange import ledger
from tests.fakes.exchange.by_the_clock import SeenRequest
from tests.fakes.exchange.orders import Algo, Order
from tests.fakes.exchange.stage import BTC, HandClock, flat_path, small_exchange

END = 1_700_000_010_000


def desk_event(kind: str, t_ms: int, left: int = 0, **body: object) -> Event:
    """One event of a journal."""
    return Event(kind, END, body, t_recv_ms=t_ms, left=left)


def test_a_close_is_measured_from_its_confirmation_to_the_last_answer() -> None:
    """The last candles read before the bar event confirm it; stops and cancellations are no answers that it waits for."""
    exit_, entry, stop = "nd000000000001X00", "nd000000000002E00", "nd000000000002A00"
    events = [
        desk_event("bar", END + 1_300, 4, close_ms=END),
        *(desk_event("intent", END + 1_300, order=id_) for id_ in (exit_, entry, stop)),
        desk_event("order", END + 1_310, order=exit_, state="cancelling"),
        desk_event("order", END + 1_400, order=exit_, state="working"),
        desk_event("order", END + 1_600, order=entry, state="working"),
        desk_event("order", END + 9_000, order=stop, state="working"),
    ]
    asked = [
        SeenRequest(END + 900, END + 901, "GET", "/v5/market/kline?symbol=BTCUSDT", ""),
        SeenRequest(END + 1_100, END + 1_101, "GET", "/v5/market/kline?symbol=ETHUSDT", ""),
        SeenRequest(END + 1_330, END + 1_331, "POST", "/v5/order/create", f'{{"orderLinkId":"{exit_}"}}'),
        SeenRequest(END + 1_550, END + 1_551, "POST", "/v5/order/create", f'{{"orderLinkId":"{entry}"}}'),
    ]
    (found,) = closes_of(events, asked)
    assert found == (1_101, 1_300, 1_550, 1_600, True)


def test_a_position_is_bare_until_conditional_orders_stand_against_all_of_it() -> None:
    """A stop for half of it does not end the spell, one on the other side neither; counted from the first execution."""
    clock = HandClock()
    exchange = small_exchange(clock, flat_path(600_000), contract=BTC)
    exchange.place(Order("e", "BTC", 1, 200))
    clock.step(100)
    exchange.place_algo(Algo("half", "BTC", -1, 100, stop=590_000))
    clock.step(100)
    exchange.place_algo(Algo("other side", "BTC", 1, 200, stop=610_000))
    clock.step(100)
    exchange.place_algo(Algo("rest", "BTC", -1, 100, stop=590_000))
    assert bare_spells(exchange.ledger) == [300.0]
    held = LedgerState()
    for event in exchange.ledger:
        held.take(event)
    assert not held.flat


def test_flat_means_no_position_and_no_order() -> None:
    """Stops are orders too."""
    exchange = small_exchange(HandClock(), flat_path(600_000))
    exchange.place(Order("e", "BTC", 1, 100))
    algo = exchange.place_algo(Algo("s", "BTC", -1, 100, stop=590_000))
    exchange.place(Order("x", "BTC", -1, 100, reduce_only=True))
    held, flat = LedgerState(), list[bool]()
    exchange.cancel_algo(algo.id)
    for event in exchange.ledger:
        held.take(event)
        flat.append(held.flat)
    assert exchange.ledger[-1].kind == ledger.ALGO_ENDED
    assert flat == [False] * (len(flat) - 1) + [True]


def test_percentiles_are_values_that_were_seen() -> None:
    """The 51st of a hundred, the 100th, the worst."""
    assert spread(range(100)) == (100, 50, 99, 99)
