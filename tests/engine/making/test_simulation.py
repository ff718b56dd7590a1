"""A maker's orders at the simulated venue: latency, queue, cancellations, post-only, pulls; and the same bits compiled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput
from engine.l2.checks import OpenTape, open_tape
from engine.l2.features import computed, flow
from engine.l2.moments import moments_of
from engine.l2.tape import TapeTrades
from engine.making.loop import net_flow
from engine.making.resting import (
    BID_NS,
    FILLS,
    INVENTORY,
    L_CANCEL_SENT,
    L_END,
    L_OUTCOME,
    L_PRICE,
    L_SENT,
    L_SIDE,
    OUTCOMES,
    STALE_PULLS,
    TAIL,
    TOXIC_PULLS,
    MakerState,
)
from engine.making.simulation import MakingOptions, simulate, terms_of, trades_from
from tests.fakes.book_tapes import START_NS, STEP_NS, BookMessage, Maker, made, write_rows, write_tape, write_trades
from tests.fakes.book_tapes import rows_of as tape_rows
from tests.fakes.maker_markets import SECOND, fills_of, level, opened_market, ran, shifted

BID, ASK = 29_999, 30_000  # at the start
PER_MESSAGE = ("row", "seq", "kind", "recv_ns", "exch_ms", "first_id", "last_id", "prev_id")


def busy_market(folder: Path, seed: int = 5, count: int = 400) -> OpenTape:
    """A random book with trades at and beyond its best prices."""
    messages = made(Maker(seed), count)
    path = write_tape(folder, messages)
    rng, trades = np.random.default_rng(seed), []
    for n in range(5, count - 1):
        bid, _, ask, _ = messages[n].best
        for _ in range(int(rng.integers(0, 4))):
            sold, beyond, after = bool(rng.integers(2)), 0.1 * int(rng.integers(0, 3)), int(rng.integers(1, STEP_NS))
            price = bid - beyond if sold else ask + beyond
            trades.append(((n + 1) * STEP_NS + after, round(price, 1), int(rng.integers(1, 9000)) / 1000, sold))
    write_trades(folder, sorted(trades))
    return open_tape(path)


def test_an_order_waits_behind_what_is_there_and_fills_in_part(tmp_path: Path) -> None:
    """1,000 lots wait at the bid: after they traded, 3 of 10 lots are ours, then a trade beyond takes the rest."""
    sales = [(0.5, 2999.9, 0.6, True), (0.7, 2999.9, 0.4, True), (0.9, 2999.9, 0.003, True), (1.15, 2999.8, 0.001, True)]
    run = ran(opened_market(tmp_path, {}, sales), inventory=0.01, inventory_max=1.0)
    assert fills_of(run)[:2] == [(0.9, 1, BID, 3, "queue"), (1.15, 1, BID, 7, "through")]


def test_a_trade_of_the_other_side_or_short_of_the_price_fills_nothing(tmp_path: Path) -> None:
    """Purchases at the bid's price and sales above it are nothing to a buy; nor is a trade before the order has arrived."""
    trades = [(0.105, 2990.0, 5.0, True), (0.5, 2999.9, 5.0, False), (0.6, 3000.0, 5.0, True)]
    run = ran(opened_market(tmp_path, {}, trades), inventory=0.01)
    assert [f for f in fills_of(run) if f[1] == 1] == []


def test_who_cancels_was_behind_or_everywhere(tmp_path: Path) -> None:
    """As many lots join behind us, then 1,000 of 2,000 are cancelled: all behind (last), or half of those ahead (even)."""
    events = {5: level("b", BID, 2000), 8: level("b", BID, 1000)}
    opened = opened_market(tmp_path, events, [(1.2, 2999.9, 0.6, True)])
    assert fills_of(ran(opened, inventory=0.01)) == []
    assert fills_of(ran(opened, inventory=0.01, queue="even")) == [(1.2, 1, BID, 10, "queue")]


def test_what_is_ahead_is_never_more_than_the_level(tmp_path: Path) -> None:
    """The level shrinks to 5 lots without a trade: 8 traded lots fill 3 of ours, by either rule."""
    opened = opened_market(tmp_path, {5: level("b", BID, 5)}, [(0.9, 2999.9, 0.008, True)])
    for queue in ("last", "even"):
        assert fills_of(ran(opened, inventory=0.01, queue=queue)) == [(0.9, 1, BID, 3, "queue")]


def test_a_trade_is_not_a_cancellation_too(tmp_path: Path) -> None:
    """400 lots trade and the book shows it after: by `even` nobody else left, so 600 are still ahead."""
    opened = opened_market(
        tmp_path, {5: level("b", BID, 600)}, [(0.45, 2999.9, 0.4, True), (0.9, 2999.9, 0.599, True), (1.0, 2999.9, 0.002, True)]
    )
    assert fills_of(ran(opened, inventory=0.01, queue="even")) == [(1.0, 1, BID, 1, "queue")]


def test_a_book_that_crosses_an_order_fills_it(tmp_path: Path) -> None:
    """The market falls by 20 ticks between two messages, without a recorded trade: our bid was taken, at its price."""
    run = ran(opened_market(tmp_path, {10: shifted(-20)}, []), inventory=0.01)
    assert fills_of(run)[0] == (1.0, 1, BID, 10, "book")


def test_a_post_only_order_that_would_take_is_rejected(tmp_path: Path) -> None:
    """The book falls while the order is on its way: it is rejected, the venue's answer comes a response later, none is filled."""
    run = ran(opened_market(tmp_path, {2: shifted(-20)}, []), inventory=0.01, latency_ms=150)
    first = run.orders[0]
    assert OUTCOMES[first[L_OUTCOME]] == "rejected"
    assert (first[L_SENT] - START_NS, first[L_END] - START_NS) == (STEP_NS, 2.5 * STEP_NS)
    assert len(run.fills) == 0


def test_a_fill_on_the_way_of_a_cancel_counts(tmp_path: Path) -> None:
    """The market rises by 30 ticks at 1 s, the bid's cancel arrives 50 ms later; a trade in between fills, one after does not."""
    for at, expected in ((1.03, 1), (1.06, 0)):
        opened = opened_market(tmp_path, {10: shifted(30)}, [(at, 2999.8, 1.0, True)])
        run = ran(opened, inventory=0.01, latency_ms=50, requote_bps=0.1)
        first = run.orders[(run.orders[:, L_SIDE] == 1) & (run.orders[:, L_PRICE] == BID)][0]
        assert first[L_CANCEL_SENT] == START_NS + SECOND
        assert OUTCOMES[first[L_OUTCOME]] == ("filled" if expected else "cancelled")
        assert sum(f[1:3] == (1, BID) for f in fills_of(run)) == expected


def test_a_fill_is_known_a_response_later(tmp_path: Path) -> None:
    """Nothing is sent in its place before the answer; the next order is."""
    run = ran(opened_market(tmp_path, {}, [(0.95, 2999.8, 0.001, True)]), inventory=0.02, response_ms=30)
    bids = run.orders[run.orders[:, L_SIDE] == 1]
    assert bids[1, L_SENT] - START_NS == 0.98 * SECOND


def test_a_stale_book_is_pulled(tmp_path: Path) -> None:
    """Nothing is heard for 3 s: cancels at the moment the book is 500 ms old; quotes again with the next message."""
    rows = tape_rows(made(Maker(3), 40, early=0))
    for row in rows:
        row["recv_ns"] += 3 * SECOND if row["seq"] > 20 else 0
    path = write_rows(tmp_path, rows)
    write_trades(tmp_path, [(60 * STEP_NS, 1.0, 0.001, False)])
    run = ran(open_tape(path), stale_ms=500, requote_bps=500.0)
    sent = (run.orders[:, L_SENT] - START_NS) / SECOND
    assert set((run.orders[run.orders[:, L_CANCEL_SENT] > 0, L_CANCEL_SENT] - START_NS).tolist()) == {2.5 * SECOND}
    assert run.tally[STALE_PULLS] >= 1
    assert min(t for t in sent if t > 2.5) == 5.1


def test_a_lost_book_has_no_quotes(tmp_path: Path) -> None:
    """A missing id unsyncs the book: both quotes are cancelled at once, and come back with the next snapshot alone."""
    maker = Maker(4)
    messages: list[BookMessage] = [maker.snapshot(), *(maker.delta([]) for _ in range(9))]
    maker.delta([])  # lost
    messages += [maker.delta([]) for _ in range(10)]
    messages += [maker.snapshot(), *(maker.delta([]) for _ in range(5))]
    path = write_tape(tmp_path, messages)
    write_trades(tmp_path, [(STEP_NS, 1.0, 0.001, False)])
    run = ran(open_tape(path), stale_ms=600_000)
    assert set(run.orders[:2, L_CANCEL_SENT].tolist()) == {START_NS + 11 * STEP_NS}
    assert [(row[L_SENT] - START_NS) // STEP_NS for row in run.orders.tolist()] == [1, 1, 21, 21]


def test_toxic_flow_pulls_the_side_that_it_runs_over(tmp_path: Path) -> None:
    """Takers sell 0.5 within a second: the bid goes, the ask stays; a second later the bid is back."""
    run = ran(opened_market(tmp_path, {}, [(1.05, 2999.9, 0.5, True)]), toxic_flow=0.4)
    bids, asks = (run.orders[run.orders[:, L_SIDE] == side] for side in (1, -1))
    assert bids[0, L_CANCEL_SENT] - START_NS == 1.05 * SECOND
    assert asks[:, L_CANCEL_SENT].tolist() == [0]
    assert (bids[1, L_SENT] - START_NS) / SECOND == 2.1
    assert run.tally[TOXIC_PULLS] == 1
    assert ran(opened_market(tmp_path, {}, [(1.05, 2999.9, 0.3, True)]), toxic_flow=0.4).tally[TOXIC_PULLS] == 0


def test_flow_is_the_feature_of_level_2(tmp_path: Path) -> None:
    """What the maker calls flow is features.flow, at each 100 ms of the window: one definition."""
    opened = busy_market(tmp_path)
    trades = opened.trades
    assert trades is not None
    moments = moments_of(opened.tape, opened.report.replayed, trades, 100)
    (column,) = computed(moments, ((flow, (1000,)),))
    terms = terms_of(opened.tape.scale, MakingOptions(), 0.0)
    made_trades = trades_from(trades, int(trades.recv_ns[0]))
    ints = np.zeros((1, 1), np.int64)
    state = MakerState(ints, np.zeros(1), np.zeros(TAIL + 1, np.int64), np.zeros(1), ints[0], ints, ints)
    compared = 0
    for when, value in zip(moments.when_ns.tolist(), column.values.tolist(), strict=True):
        k = int(np.searchsorted(trades.recv_ns, when, side="right"))
        ours = net_flow(made_trades, terms, state, k, when)
        if np.isfinite(value):
            compared += 1
            assert ours == round(value * 1000)
    assert compared > 300


@pytest.mark.parametrize("quoter", ["symmetric", "as"])
def test_inventory_stays_within_its_limit(tmp_path: Path, quoter: str) -> None:
    """Under a random storm of fills inventory never passes the limit, not even with slow answers."""
    run = ran(busy_market(tmp_path), quoter=quoter, inventory=0.02, response_ms=400, latency_ms=150, variance_ms=1000)
    path = np.cumsum(run.fills[:, 1] * run.fills[:, 3])
    assert len(path) > 5
    assert 0 < np.abs(path).max() <= 20


@pytest.mark.parametrize("half_spread_bps", [0.0, 0.1])
def test_a_makers_orders_never_meet_each_other(tmp_path: Path, half_spread_bps: float) -> None:
    """A venue refuses a post-only order that would take the maker's own, so none is sent while that rests or is on its way."""
    run = ran(busy_market(tmp_path, seed=6, count=800), half_spread_bps=half_spread_bps, requote_bps=1.0, loss_max=1e9)
    rows = [row for row in run.orders.tolist() if OUTCOMES[row[L_OUTCOME]] != "rejected"]
    lived = [(row, row[L_SENT], row[L_END] or START_NS * 2) for row in rows]
    buys, sells = ([one for one in lived if one[0][L_SIDE] == side] for side in (1, -1))
    both = [(b, s) for b, *spans in buys for s, *other in sells if max(spans[0], other[0]) < min(spans[1], other[1])]
    assert len(both) > 50
    assert [(b[L_PRICE], s[L_PRICE]) for b, s in both if b[L_PRICE] >= s[L_PRICE]] == []


@pytest.mark.parametrize("options", [{}, {"quoter": "as", "variance_ms": 1000}, {"queue": "even", "toxic_flow": 3.0}])
def test_compiled_and_plain_are_the_same_bits(tmp_path: Path, options: dict[str, Any]) -> None:
    """Every fill, order, count and float."""
    opened = busy_market(tmp_path, seed=8)
    plain, compiled = ran(opened, **options), ran(opened, compiled=True, **options)
    assert plain.tally[FILLS] > 5
    for a, b in zip((plain.fills, plain.orders, plain.tally, plain.rates), compiled[2:6], strict=True):
        assert a.tobytes() == b.tobytes()


def test_nothing_depends_on_what_comes_after(tmp_path: Path) -> None:
    """A tape that ends earlier gives the same requests and fills up to its end."""
    opened = busy_market(tmp_path, seed=9)
    whole = ran(opened, quoter="as", variance_ms=1000, compiled=True)
    tape, trades, cut = opened.tape, opened.trades, 250
    assert trades is not None
    ends = tape.start[cut]
    short = tape._replace(
        **{
            name: getattr(tape, name)[:cut]
            for name in ("row", "seq", "kind", "recv_ns", "exch_ms", "first_id", "last_id", "prev_id")
        },
        start=tape.start[: cut + 1],
        **{name: getattr(tape, name)[:ends] for name in ("side", "price", "lots")},
    )
    early = TapeTrades(*(column[trades.recv_ns <= short.recv_ns[-1]] for column in trades))
    part = simulate(short, early, whole.terms, compiled=True)
    last = int(short.recv_ns[-1])
    assert len(part.fills) > 5
    assert part.fills.tolist() == whole.fills[whole.fills[:, 0] <= last].tolist()
    assert part.orders[:, :4].tolist() == whole.orders[whole.orders[:, L_SENT] <= last, :4].tolist()


def test_time_quoted_is_the_time_at_the_venue(tmp_path: Path) -> None:
    """From the arrival (20 ms after the first message) to the end of the tape."""
    run = ran(opened_market(tmp_path, {}, [], alive=20))
    assert run.tally[BID_NS] == 19 * STEP_NS - 20_000_000
    assert run.tally[INVENTORY] == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"quoter": "magic"}, "quoter 'magic'"),
        ({"queue": "first"}, "queue 'first'"),
        ({"size": 0.0}, "size 0"),
        ({"size": 0.0005}, "size 0.0005"),
        ({"size": float("nan")}, "size nan"),
        ({"gamma": 0.0}, "gamma 0"),
        ({"half_spread_bps": float("nan")}, "half_spread_bps nan"),
        ({"latency_ms": -1}, "latency_ms -1"),
        ({"orders_second_max": 0}, "orders_second_max 0"),
        ({"loss_max": float("inf")}, "loss_max inf"),
        ({"inventory": 1e12}, "inventory"),
    ],
)
def test_terms_out_of_bounds_are_refused(tmp_path: Path, wrong: dict[str, Any], named: str) -> None:
    """One line that names the term."""
    opened = opened_market(tmp_path, {}, [], alive=3)
    with pytest.raises(BadInput, match=named):
        ran(opened, **wrong)
