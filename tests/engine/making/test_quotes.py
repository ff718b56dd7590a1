"""Where to quote: by hand, by the published formula, on the grid, within the limits."""

from math import log

import pytest

from engine.errors import BadInput
from engine.l2.tape import Scale
from engine.making.quotes import MakingTerms, desired, liquidity_term, moved_away, spread_of
from engine.making.simulation import MakingOptions, terms_of

GRID = Scale(price_digits=1, lot_digits=3, tick=1)
BID, ASK = 600_000, 600_001  # 60,000.0 and 60,000.1


def terms(grid: Scale = GRID, **options: object) -> MakingTerms:
    """Terms of these options."""
    return terms_of(grid, MakingOptions(**options), 0.0)  # type: ignore[arg-type]


def quoted(t: MakingTerms, variance: float = 0.0, weight: float = 1.0, inventory: int = 0, flow: int = 0) -> tuple[int, int]:
    """What is desired at BID and ASK."""
    return desired(t, BID, ASK, variance, weight, inventory, flow, t.lots, t.lots)


def test_symmetric_is_around_the_middle() -> None:
    """1 bps of 60,000.05 is 6.000005: 59,994.0499 and 60,006.0500 are rounded away from the middle."""
    assert quoted(terms(half_spread_bps=1.0)) == (599_940, 600_061)
    assert quoted(terms(half_spread_bps=0.0)) == (BID, ASK)


def test_a_middle_on_a_tick_makes_no_order_that_takes_the_other() -> None:
    """Two ticks between the best: without a half-spread both sides would have the middle; they join the best instead."""
    t = terms(half_spread_bps=0.0)
    assert desired(t, BID, BID + 2, 0.0, 1.0, 0, 0, t.lots, t.lots) == (BID, BID + 2)
    assert desired(t, BID, BID + 3, 0.0, 1.0, 0, 0, t.lots, t.lots) == (BID + 1, BID + 2)


def test_the_formula_of_avellaneda_and_stoikov() -> None:
    """q = 2 sizes long, g = 0.1, k = 1.5, v = 1.69 bps squared a second, 10 s: written out."""
    t = terms(quoter="as", gamma=0.1, kappa=1.5, horizon_s=10.0)
    away, half = spread_of(t, 1.69, 20)
    assert away == pytest.approx(-2 * 0.1 * 1.69 * 10.0)
    assert 2 * half == pytest.approx(0.1 * 1.69 * 10.0 + 2 / 0.1 * log(1 + 0.1 / 1.5))


def test_inventory_skews_both_quotes_against_itself() -> None:
    """Long: both lower; short: both higher, by as much."""
    t = terms(quoter="as", inventory=1.0)
    (flat_buy, flat_sell), (buy, sell), (short_buy, short_sell) = (quoted(t, 1.0, inventory=q) for q in (0, 10, -10))
    assert buy < flat_buy < short_buy
    assert sell < flat_sell < short_sell
    assert flat_buy - buy == pytest.approx(short_buy - flat_buy, abs=1)


def test_a_quote_never_takes_and_is_on_the_grid() -> None:
    """A reserve price far beyond the book ends a tick before the other side's best; ticks of 5 units are kept."""
    t = terms(Scale(1, 3, 5), quoter="as", gamma=1.0, inventory=1.0)
    buy, sell = desired(t, 600_000, 600_005, 10.0, 1.0, -50, 0, 10, 10)
    assert buy == 600_000
    assert sell % 5 == 0
    buy, sell = desired(t, 600_000, 600_005, 10.0, 1.0, 50, 0, 10, 10)
    assert sell == 600_005
    assert buy % 5 == 0


def test_a_variance_that_has_seen_nothing_quotes_nothing() -> None:
    """Half of its time at least; the symmetric quoter needs none."""
    assert quoted(terms(quoter="as"), 1.0, weight=0.49) == (0, 0)
    assert 0 not in quoted(terms(quoter="as"), 1.0, weight=0.5)
    assert 0 not in quoted(terms(), 0.0, weight=0.0)


def test_a_quote_out_of_all_measure_is_none() -> None:
    """A variance that exploded, or is none: nothing is quoted, nothing overflows."""
    for variance in (1e9, 1e300, float("inf"), float("nan")):
        assert quoted(terms(quoter="as"), variance, inventory=10) == (0, 0)


def test_limits_and_toxic_flow_take_a_side_away() -> None:
    """Inventory 40 of 50 with 20 a quote: no buy; flow against a side: not that side."""
    t = terms(size=0.02, inventory=0.05, toxic_flow=1.0)
    assert quoted(t, inventory=40)[0] == 0
    assert quoted(t, inventory=40)[1] > 0
    assert quoted(t, inventory=-40)[1] == 0
    assert quoted(t, flow=-1000)[0] == 0
    assert quoted(t, flow=1000)[1] == 0
    assert 0 not in quoted(t, flow=999)


def test_a_quote_near_its_place_stays() -> None:
    """Half a bps of 60,000 is 3.0: 30 units stay, 31 do not, and nowhere is never near."""
    t = terms(requote_bps=0.5)
    assert not moved_away(t, 599_940, 599_970, 600_000.0)
    assert moved_away(t, 599_940, 599_971, 600_000.0)
    assert moved_away(t, 599_940, 0, 600_000.0)


@pytest.mark.parametrize(("gamma", "kappa"), [(0.0, 1.0), (1.0, 0.0), (float("nan"), 1.0), (1.0, 101.0)])
def test_numbers_that_the_formula_does_not_take(gamma: float, kappa: float) -> None:
    """Refused, not computed with."""
    with pytest.raises(BadInput, match="gamma"):
        liquidity_term(gamma, kappa)
