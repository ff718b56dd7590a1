"""Labels of a resting order: filled when a taker went through it, moves in its favour, null where nobody can know."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput
from engine.l2.checks import open_tape, sound_tape
from engine.l2.moments import changes_of, moments_of
from engine.l2.outcomes import RestingOrders, by_speed, labels_of
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.book_tapes import STEP_NS, BookMessage, Maker, write_tape, write_trades

SECOND = 1_000_000_000
ALIVE = 300  # messages of 100 ms
BUY, SELL = 0, 1


def moved(maker: Maker, ticks: int) -> BookMessage:
    """A message after which both sides are so many ticks away."""
    changes = []
    for side in "ba":
        levels = dict(maker.sides[side])
        changes += [maker.change(side, tick, 0) for tick in levels if tick + ticks not in levels]
        changes += [maker.change(side, tick + ticks, 1000) for tick in levels]
    return maker.delta(changes)


def market(folder: Path, moves: dict[int, int], trades: list[tuple[float, float, float, bool]], **options: Any) -> RestingOrders:
    """Orders laid at 0.1 s, when bid is 2999.9 and ask 3000.0, a unit at each level.

    moves: message number -> ticks that both sides move; trades: (seconds after the start, price, quantity, taker sold).
    """
    maker = Maker(1, depth=12)
    for side in "ba":
        maker.sides[side] = dict.fromkeys(maker.sides[side], 1000)
    messages = [maker.snapshot()]
    for n in range(2, ALIVE + 1):
        messages.append(moved(maker, moves[n]) if n in moves else maker.delta([]))
    path = write_tape(folder, messages)
    last = (ALIVE * STEP_NS, 1.0e3, 0.001, False)  # trades were recorded to the end
    write_trades(folder, [*((int(at * SECOND), *rest) for at, *rest in trades), last])
    opened = open_tape(path)
    assert opened.trades is not None
    changes = changes_of(opened.report.replayed, opened.tape)
    first = moments_of(opened.tape, opened.report.replayed, opened.trades, 100)
    first = type(first)(*(column[:1] for column in first))
    return labels_of(opened.tape, changes, first, opened.trades, **options)


def test_a_trade_beyond_the_price_fills(tmp_path: Path) -> None:
    """A sale below the bid; one at the bid does not, nor a purchase below it, nor one before the order."""
    sales = [(0.05, 2990.0, 1.0, True), (0.5, 2999.9, 5.0, True), (0.6, 2999.0, 1.0, False), (1.3, 2999.8, 0.001, True)]
    orders = market(tmp_path, {}, sales, life_s=10.0, horizons_s=(1,))
    assert orders.side.tolist() == [1, -1]
    assert orders.price.tolist() == [29999, 30000]
    assert orders.filled.tolist() == [1.0, 0.0]
    assert orders.time_to_fill_ms[BUY] == pytest.approx(1200.0)
    assert np.isnan(orders.time_to_fill_ms[SELL])
    assert orders.known_ns[BUY] - orders.placed_ns[BUY] == 1.2 * SECOND + SECOND
    assert orders.known_ns[SELL] - orders.placed_ns[SELL] == 10 * SECOND


def test_a_queue_that_traded_away_fills(tmp_path: Path) -> None:
    """By `queue` an order is filled once more traded at its price than waited before it; by `through` not."""
    buys = [(0.5, 3000.0, 0.6, False), (0.9, 3000.0, 0.4, False), (1.4, 3000.0, 0.001, False)]
    orders = market(tmp_path, {}, buys, life_s=10.0, horizons_s=(1,), fill="queue")
    assert orders.filled.tolist() == [0.0, 1.0]
    assert orders.time_to_fill_ms[SELL] == pytest.approx(1300.0)
    assert market(tmp_path, {}, buys, life_s=10.0, horizons_s=(1,)).filled.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("side", [BUY, SELL])
def test_moves_are_in_favour_of_the_order(tmp_path: Path, side: int) -> None:
    """Filled at 0.5 s; the market goes 30 ticks against it, then 50 for it: move, MFE and MAE, both sides alike."""
    sign = 1 if side == BUY else -1
    price = 2999.9 if side == BUY else 3000.0
    moves = {10: -30 * sign, 30: 80 * sign}  # at 1.0 s and 3.0 s
    fill = [(0.5, price - 0.1 * sign, 1.0, side == BUY)]
    orders = market(tmp_path, moves, fill, life_s=5.0, horizons_s=(1, 4))
    middle = 2999.95
    bps = [sign * ((middle + sign * tick / 10) / price - 1) * 1e4 for tick in (0, -30, 50)]
    assert orders.move_bps[side] == pytest.approx([bps[1], bps[2]])
    assert orders.mfe_bps[side] == pytest.approx([bps[0], bps[2]])
    assert orders.mae_bps[side] == pytest.approx([bps[1], bps[1]])
    assert orders.filled[1 - side] == 0.0
    assert np.isnan(orders.move_bps[1 - side]).all()


def test_what_the_tape_ends_too_early_for_is_null(tmp_path: Path) -> None:
    """Not unfilled: nobody knows. A horizon beyond the end is null though the fill is known."""
    late = market(tmp_path, {}, [(2.0, 2999.0, 1.0, True)], life_s=31.0, horizons_s=(1,))
    assert np.isnan(late.filled).all()
    known = market(tmp_path, {}, [(2.0, 2999.0, 1.0, True)], life_s=29.0, horizons_s=(1, 29))
    assert known.filled.tolist() == [1.0, 0.0]
    assert np.isfinite(known.move_bps[BUY]).tolist() == [True, False]


def test_a_lost_book_hides_what_happened(tmp_path: Path) -> None:
    """A gap while an order rests or while its move is watched: null, whatever the trades say."""
    maker = Maker(1, depth=12)
    messages = [maker.snapshot(), *(maker.delta([]) for _ in range(20))]
    maker.delta([])
    messages += [maker.delta([]), maker.snapshot(), *(maker.delta([]) for _ in range(100))]
    path = write_tape(tmp_path, messages)
    write_trades(tmp_path, [(int(0.5 * SECOND), 2999.0, 1.0, True), (12 * SECOND, 3000.0, 1.0, True)])
    opened = open_tape(path)
    assert opened.trades is not None
    changes = changes_of(opened.report.replayed, opened.tape)
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, 100)
    orders = labels_of(opened.tape, changes, moments, opened.trades, life_s=5.0, horizons_s=(0.5, 3))
    assert orders.filled[BUY] == 1.0
    assert np.isfinite(orders.move_bps[BUY]).tolist() == [True, False]
    assert np.isnan(orders.filled[SELL])


NAN = float("nan")
TERMS: list[dict[str, Any]] = [
    *({"life_s": value} for value in (0.0, NAN, 1e9)),
    *({"horizons_s": value} for value in ((), (-1,), (NAN,), tuple(range(1, 40)))),
    {"fill": "magic"},
]


@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_terms_that_are_none_are_refused(tmp_path: Path, terms: dict[str, Any]) -> None:
    """A life, horizon or way of filling that is none; NaN is none."""
    with pytest.raises(BadInput):
        market(tmp_path, {}, [], **terms)


@pytest.mark.parametrize("market_name", ["perp", "spot"])
def test_fast_fills_of_the_recorded_tape_are_adverse(market_data: Path, market_name: str) -> None:
    """What the published makers lost by: an order filled within a second has the market against it, before any fee."""
    opened = sound_tape(recorded_tape(market_data, market_name))
    assert opened.trades is not None
    changes = changes_of(opened.report.replayed, opened.tape)
    moments = moments_of(opened.tape, opened.report.replayed, opened.trades, 500)
    horizons = (1, 5, 10, 30)
    orders = labels_of(opened.tape, changes, moments, opened.trades, horizons_s=horizons)
    for h in horizons:
        fast = by_speed(orders, horizons, h)[0]
        assert fast["orders"] > 200
        assert fast["move_bps"] < -0.9
        assert fast["adverse_frac"] > 0.55
        assert fast["mae_bps"] <= 0.0 <= fast["mfe_bps"]
    queue = labels_of(opened.tape, changes, moments, opened.trades, horizons_s=horizons, fill="queue")
    both = np.isfinite(orders.filled)
    assert (queue.filled[both] >= orders.filled[both]).all()
