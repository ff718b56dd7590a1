"""Pairs: what is planted is found, what is chance is not; costs, funding and fills of a spread by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.features.hedge import Fit, fit
from engine.research.pairs import cointegration
from engine.research.pairs.scan import PairRow, ScanWindows, scan
from engine.research.pairs.spread import Leg, SpreadRule, trades_of

BARS, WINDOWS, STEP = 1_200, ScanWindows(300, 60), 0.005
FREE = 0.0


def leg(close: Sequence[float] | np.ndarray, cost: float = FREE, opens: Sequence[float] | None = None) -> Leg:
    """Bars that open where the one before closed, without funding."""
    price = np.asarray(close, dtype=float)
    nothing = np.zeros(len(price))
    return Leg(np.r_[price[0], price[:-1]] if opens is None else np.asarray(opens), price, nothing, nothing.copy(), cost)


def walks(seed: int, count: int) -> list[np.ndarray]:
    """Independent random walks, as prices."""
    steps = np.random.default_rng(seed).normal(0.0, STEP, (count, BARS))
    return [np.exp(4.0 + np.cumsum(one)) for one in steps]


def tied(price: np.ndarray, hedge: float, half_life: float, seed: int) -> np.ndarray:
    """A price whose log is `hedge` times the other's, and a spread that returns."""
    dice, kept = np.random.default_rng(seed), 0.5 ** (1.0 / half_life)
    spread = np.zeros(len(price))
    for t in range(1, len(price)):
        spread[t] = kept * spread[t - 1] + dice.normal(0.0, 0.01 * math.sqrt(1.0 - kept * kept))
    return np.asarray(np.exp(1.0 + hedge * np.log(price) + spread))


def scanned(prices: dict[str, np.ndarray], cost: float = 5e-4, seed: int = 0) -> dict[tuple[str, str], PairRow]:
    """Every pair's row."""
    rows, _ = scan(list(prices), [leg(price, cost) for price in prices.values()], WINDOWS, SpreadRule(), seed, controls=20)
    return {(row.a, row.b): row for row in rows}


def test_planted_pairs_are_found_and_random_walks_are_not() -> None:
    """Three walks, two of them with a tied price, ratios 0.5 and 2: exactly those two pairs of 10."""
    base = walks(1, 3)
    prices = {f"W{n}-USDT": price for n, price in enumerate(base)}
    prices |= {"A-USDT": tied(base[0], 0.5, 6.0, 2), "B-USDT": tied(base[1], 2.0, 12.0, 3)}
    rows = scanned(prices)
    assert {pair for pair, row in rows.items() if row.cointegrated} == {("W0-USDT", "A-USDT"), ("W1-USDT", "B-USDT")}
    planted = rows["W1-USDT", "B-USDT"]
    assert planted.hedge == pytest.approx(0.5, abs=0.05)
    assert planted.half_life == pytest.approx(12.0, rel=0.6)
    assert planted.coint_frac is not None
    assert planted.random_walk_frac is not None
    assert planted.random_walk_frac < 0.1
    assert planted.coint_frac > 0.5
    assert all(not row.edge for pair, row in rows.items() if not row.cointegrated)


@pytest.mark.long
def test_of_many_random_walks_hardly_a_pair_is_called_cointegrated() -> None:
    """450 pairs of independent walks, thirty at a time as a person would: at most 1 % by chance."""
    found = [
        row.cointegrated for seed in range(10) for row in scanned({str(n): w for n, w in enumerate(walks(seed, 10))}).values()
    ]
    assert len(found) == 450
    assert sum(found) <= 4


@pytest.mark.slow
def test_two_prices_that_return_by_themselves_are_no_pair() -> None:
    """As stablecoins do: independent, and every test of cointegration passes; a tied price of short life is still found."""
    base = walks(4, 1)[0]
    prices = {f"S{n}-USDT": tied(np.ones(BARS), 1.0, 4.0, 20 + n) for n in range(3)}
    rows = scanned(prices | {"W-USDT": base, "A-USDT": tied(base, 0.8, 4.0, 9)})
    assert {pair for pair, row in rows.items() if row.cointegrated} == {("W-USDT", "A-USDT")}
    alone = [row.why for row in rows.values() if "returns to its mean by itself" in row.why]
    assert len(alone) == 3


@pytest.mark.slow
def test_costs_decide_whether_a_planted_pair_pays() -> None:
    """The same spread, free and at 60 bps a fill: an edge, and none."""
    base = walks(4, 1)[0]
    prices = {"X": base, "Y": tied(base, 1.0, 5.0, 5)}
    free, dear = scanned(prices, 0.0)["X", "Y"], scanned(prices, 60e-4)["X", "Y"]
    assert free.edge
    assert free.total("net") > 0.1
    assert dear.cointegrated
    assert not dear.edge
    assert "after costs" in dear.why
    assert dear.total("moved") == pytest.approx(free.total("moved"))
    assert dear.total("costs") == pytest.approx(-2 * 60e-4 * len(dear.trades), rel=0.05)


def test_one_price_twice_is_refused() -> None:
    """As between two venues: its test would always pass, and says nothing."""
    base = walks(6, 1)[0]
    noise = np.exp(np.random.default_rng(1).normal(0.0, 1e-5, BARS))
    row = scanned({"BTC": base, "bybit:BTC": base * noise})["BTC", "bybit:BTC"]
    assert "nearly one price" in row.refused
    assert not row.cointegrated
    assert row.p is None
    assert row.trades == ()


def test_short_holed_and_motionless_series_are_refused_by_name() -> None:
    """And the pairs of the others are judged."""
    base = walks(7, 2)
    short, flat = base[0].copy(), np.full(BARS, 7.0)
    short[:-350] = math.nan
    dead = base[1].copy()
    dead[250:] = 64.0
    rows = scanned({"A": base[0], "B": base[1], "short": short, "flat": flat, "dead": dead})
    assert "bars of both" in rows["A", "short"].refused
    assert rows["A", "flat"].refused == rows["A", "dead"].refused == "a price that does not move"
    assert not rows["A", "B"].refused


@pytest.mark.slow
def test_a_negative_hedge_ratio_enters_nothing() -> None:
    """What moves against the other is no hedge: both legs would be on one side."""
    base = walks(8, 1)[0]
    row = scanned({"X": base, "Y": tied(base, -1.0, 6.0, 9)})["X", "Y"]
    assert not row.cointegrated
    assert "wrong sign" in row.why
    assert row.wrong_sign >= row.windows - 1
    assert len(row.trades) <= 1


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_nothing_after_a_bar_changes_what_was_decided_before_it(seed: int) -> None:
    """The future is replaced: trades that were closed by then stay the same."""
    base = walks(11, 1)[0]
    other, cut = tied(base, 1.0, 6.0, 12), 800
    fits = [(t, fit(np.log(base[t - 300 : t]), np.log(other[t - 300 : t])), True) for t in range(300, BARS, 60)]
    dice = np.random.default_rng(seed)
    changed = [np.r_[price[:cut], price[cut:] * np.exp(dice.normal(0, 0.1, BARS - cut))] for price in (base, other)]
    before = trades_of((leg(base), leg(other)), fits)
    after = trades_of((leg(changed[0]), leg(changed[1])), fits)
    whole = [trade for trade in before if trade.closed < cut]
    assert len(whole) > 3
    assert after[: len(whole)] == whole


# ------------------------------------------------------------------------------ one trade, by hand

UNIT = Fit(1.0, 0.0, 0.01)  # the spread is log a - log b, its deviation 1 %
ONE = [(0, UNIT, True)]


def by_hand(spread: Sequence[float], cost: float = FREE, **more: Sequence[float]) -> list[tuple[int, int, float, str]]:
    """(opened, closed, moved, exit) of the trades of a against b = 1, whose spread is given in deviations."""
    a = np.exp(np.array(spread) * 0.01)
    return [
        (one.opened, one.closed, round(one.moved, 6), one.exit)
        for one in trades_of((leg(a, cost, **more), leg(np.ones(len(a)), cost)), ONE)
    ]


def test_a_trade_is_filled_at_the_next_open_and_left_at_the_mean() -> None:
    """Short of the spread at 2.5 deviations, half of the money in each leg."""
    assert by_hand([0, 1, 2.5, 2.4, 1, -0.1, 0, 0]) == [
        (3, 6, round(0.5 * (1 - math.exp(-0.001) / math.exp(0.025)), 6), "mean"),
    ]


def test_a_stop_is_left_and_nothing_enters_before_the_spread_was_inside() -> None:
    """At four deviations; 3 is no entry behind it, and 2.1 is one after 1.9."""
    found = by_hand([0, -2.5, -3, -4.1, -3, -3, -1.9, -2.1, -2, 0.1, 0])
    assert [(opened, closed, why) for opened, closed, _, why in found] == [(2, 4, "stop"), (8, 10, "mean")]
    assert found[0][2] < 0.0 < found[1][2]


def test_what_is_open_at_the_end_is_closed_at_the_last_close_of_both() -> None:
    """A leg whose data ends takes the other with it."""
    found = by_hand([0, 2.5, 2.5, 2.2, 2.0, math.nan, math.nan])
    assert [(opened, closed, why) for opened, closed, _, why in found] == [(2, 4, "end")]


def test_a_missing_bar_fills_nothing() -> None:
    """The fill waits for the next open of both."""
    a = np.exp(np.array([0, 2.5, 2.5, 2.5, 0, 0]) * 0.01)
    opens = np.r_[a[0], a[:-1]]
    opens[2] = math.nan
    found = trades_of((leg(a, opens=opens), leg(np.ones(6))), ONE)
    assert [(one.opened, one.closed) for one in found] == [(3, 5)]


def test_both_legs_pay_costs_and_funding() -> None:
    """Four fills of half the money each; who is short of a receives its funding, who is long of b pays it."""
    a, b = np.exp(np.array([0, 2.5, 2.5, 2.5, 0, 0]) * 0.01), np.ones(6)
    settled = np.array([0, 0, 0, 0.001, 0, 0])
    legs = (
        leg(a, 1e-3)._replace(funding_rate=settled, funding_mark=a),
        leg(b, 1e-3)._replace(funding_rate=settled * 3, funding_mark=b),
    )
    (found,) = trades_of(legs, ONE)
    assert found.costs == pytest.approx(-(0.5 + 0.5) * 1e-3 - (0.5 * a[4] / a[1] + 0.5) * 1e-3)
    assert found.funding == pytest.approx(0.5 * 0.001 - 0.5 * 0.003)
    assert found.net == pytest.approx(found.moved + found.costs + found.funding)


# ------------------------------------------------------------------------------ the tests themselves


def test_engle_granger_is_that_of_statsmodels_in_the_worse_direction() -> None:
    """One that is stationary by itself passes in one direction alone."""
    from statsmodels.tsa.stattools import coint  # a second of CPU, for the process that runs this test alone

    walk = np.log(walks(13, 1)[0])
    still = np.random.default_rng(1).normal(0.0, 0.01, BARS)
    one, other = (float(coint(x, y, maxlag=1, autolag=None)[1]) for x, y in ((still, walk), (walk, still)))
    assert min(one, other) < 0.01
    assert max(one, other) > 0.1
    assert cointegration.engle_granger(still, walk) == max(one, other)


def test_half_life_of_a_known_regression() -> None:
    """Half of it is gone after so many bars; a walk's does not end, an alternating one's is at once."""
    assert cointegration.half_life(0.5 ** (np.arange(200) / 10.0)) == pytest.approx(10.0, rel=1e-6)
    assert cointegration.half_life(np.arange(50.0)) == math.inf
    assert cointegration.half_life(np.array([1.0, -1.0] * 20)) == 0.0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scan_and_another_order_the_same_pairs() -> None:
    """Nothing of it depends on which symbol was named first but the side that is fitted."""
    base = walks(14, 2)
    prices = {"A": base[0], "B": base[1], "C": tied(base[0], 1.0, 6.0, 15)}
    assert scanned(prices) == scanned(prices)
    turned = scanned(dict(reversed(prices.items())))
    assert {frozenset(pair) for pair, row in turned.items() if row.cointegrated} == {frozenset({"A", "C"})}
