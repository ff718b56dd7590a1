"""A sudden move and worst days of a basket are what its paper desk would live through: the same core, asked of a copy."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from engine.book.bar_signals import NO_SIGNAL, as_written
from engine.clock import DAY_MS
from engine.core.state import DESK_DRAWDOWN, Bar
from engine.data.align import Market
from engine.watch.shock import moved, shocked
from engine.watch.stress import stress_of
from tests.fakes.basket_desks import PaperBasket
from tests.fakes.baskets import HOUR_MS, hostile, swinging

NAMES = ("open", "high", "low", "close", "volume")


def lived_through(desk: PaperBasket, bars: list[Bar]) -> PaperBasket:
    """The same desk after one more bar of each leg, at which no spread is known."""
    after = deepcopy(desk)
    rows = [[getattr(bar, name) for name in NAMES] + [0.0, 0.0] for bar in bars]
    body: dict[str, Any] = desk.body(0) | {
        "close_ms": bars[0].close_ms,
        "bars": dict(zip(after.book.instruments, rows, strict=True)),
        "signals": {name: as_written(NO_SIGNAL) for name in after.book.names},
        "basket": {"logs": [None] * after.k, "fits": [[None] * 3] * after.p},
    }
    after.trade(body)
    return after


@pytest.mark.slow
@pytest.mark.parametrize("move", [-0.5, -0.1, 0.4])
def test_a_move_does_to_a_copy_what_it_would_do_to_the_desk(move: float) -> None:
    """Stops, orders that wait for the open, liquidation, the breaker: equity of the desk and of each leg, to the bit."""
    seen = {"stop": 0, "order": 0, "halts": 0}
    desk = PaperBasket(hostile(192, 60))
    for t in range(60):
        desk.bar(t)
        before = deepcopy(desk.book)
        found = shocked(deepcopy(desk.book), move, None, gap=t % 2 == 0)
        bars = [moved(bar, move, desk.book.bars[0].close_ms, gap=t % 2 == 0) for bar in desk.book.bars]
        after = lived_through(desk, bars)
        assert after.book.basket is not None
        assert desk.book == before, "the desk is left as it is"
        assert found.after == after.book.basket.whole.ledger.equity
        assert [one.after - after.book.basket.part for one in found.sleeves] == pytest.approx(
            [leg.ledger.equity for leg in after.book.sleeves]
        )
        assert found.halts == (bool(after.book.desk.tripped & DESK_DRAWDOWN) and not desk.book.desk.tripped & DESK_DRAWDOWN)
        assert sum(one.before for one in found.sleeves) == pytest.approx(desk.book.desk.equity)
        seen["stop"] += any("stop" in one.exits for one in found.sleeves)
        seen["order"] += any(order.side for order in before.basket.orders) if before.basket else 0
        seen["halts"] += found.halts
    assert seen["order"] > 10
    assert seen["stop"] > 3 or move > -0.3


def test_one_coin_alone_may_move() -> None:
    """A pair then loses on one leg what its mate does not make up for."""
    desk = PaperBasket(swinging(1, 40))
    for t in range(40):
        desk.bar(t)
        if sum(bool(pair.lots_a) for pair in desk.book.basket.pairs) >= 2:
            break
    both, alone = (shocked(deepcopy(desk.book), 0.05, symbol, gap=True) for symbol in (None, "A-USDT"))
    assert abs(both.after - both.before) < abs(alone.after - alone.before)
    assert {one.instrument for one in alone.sleeves if abs(one.after - one.before) > 1.0} <= {"synthetic:A-USDT:perp"}


def test_the_worst_day_is_the_one_that_the_desk_would_have_lost_most_on() -> None:
    """Ten calm days and one in which the coins part: its bars, played through the paper desk, come to the same."""
    desk = PaperBasket(swinging(1, 40))
    for t in range(40):
        desk.bar(t)
        if sum(bool(pair.lots_a) for pair in desk.book.basket.pairs) >= 2:
            break
    market = days_of(desk, 11, 7)
    found = stress_of(desk.book, market, 2, "e")
    assert found.held
    assert found.before == pytest.approx(desk.book.desk.equity)
    worst = found.days[0]
    assert worst.day_ms == market.close_ms[0] - HOUR_MS + 7 * DAY_MS
    assert worst.lowest < found.before * 0.99
    assert worst.exits
    after, lowest, start = desk, float("inf"), 7 * 24
    midnight = -(-desk.book.close_ms // DAY_MS) * DAY_MS
    for t in range(start, start + 24):
        scale = [desk.book.bars[k].close / market.open[start, k] for k in range(desk.k)]
        prices = [[float(getattr(market, name)[t, k]) * scale[k] for name in NAMES[:4]] for k in range(desk.k)]
        close_ms = midnight + (t - start + 1) * HOUR_MS
        bars = [Bar(close_ms, *row, float(market.volume[t, k]) / scale[k], 0.0, 0.0) for k, row in enumerate(prices)]
        after = lived_through(after, bars)
        lowest = min(lowest, after.book.desk.equity)
    assert (worst.lowest, worst.after) == pytest.approx((lowest, after.book.desk.equity))


def days_of(desk: PaperBasket, count: int, wild: int) -> Market:
    """Whole days of hourly bars; on one of them the first coin rises by half and the others fall by a third, or the reverse."""
    n, k = count * 24, desk.k
    pair = next(pair for pair in desk.book.basket.pairs if pair.lots_a)
    closes = np.full((n, k), 100.0) * (1.0 + 0.001 * np.sin(np.arange(n))[:, None])
    ramp = np.linspace(0.0, 1.0, 24)
    for leg in (pair.a, pair.b):
        long = (pair.lots_a if leg == pair.a else pair.lots_b) > 0
        closes[wild * 24 : (wild + 1) * 24, leg] *= 1.0 + (-0.45 if long else 0.6) * ramp
    opens = np.vstack([closes[:1], closes[:-1]])
    opens[::24] = closes[::24]
    nothing, close_ms = np.zeros((n, k)), DAY_MS * 20_000 + HOUR_MS * np.arange(1, n + 1)
    prices = opens, np.maximum(opens, closes), np.minimum(opens, closes), closes
    return Market(tuple(desk.book.instruments), HOUR_MS, close_ms, *prices, nothing + 1e9, nothing, nothing, ())
