"""One pair of a basket against the simulator of `nightdesk pairs scan`, which shares no code with the core: the same trades, for
the same reasons, with the same money."""

from typing import Any

import numpy as np
import pytest

from engine.core.basket import SpreadTerms
from engine.core.state import ENTRY, EXIT, K_DECISION, STOP
from engine.features.hedge import Fit, fit
from engine.research.pairs.spread import Leg, SpreadRule, trades_of
from engine.sim.basket_trips import trips_of
from tests.engine.core.test_basket import fills
from tests.fakes.baskets import FIRST_MS, HOUR_MS, LEG, BasketCase, inputs
from tests.fakes.desks import LOOSE

BARS, WINDOW, STEP, COST = 1_500, 200, 40, 0.0007
ALONE = LEG._replace(  # nothing but the spread's rule decides
    lot_size=1e-8,
    taker_frac=COST,
    stop_frac=0.9,
    risk_limit_frac=1e9,
    leverage_max=1e6,
    notional_frac_max=1e6,
    maintenance_frac=0.0,
)


def market(seed: int) -> tuple[np.ndarray, np.ndarray, list[tuple[int, Fit | None, bool]]]:
    """Closes of two legs that return to each other, loosely enough that some trades are stopped; opens; fits on their past."""
    dice = np.random.default_rng(seed)
    walk, spread = np.cumsum(dice.normal(0.0, 0.01, BARS)), np.zeros(BARS)
    for t in range(1, BARS):
        spread[t] = 0.93 * spread[t - 1] + dice.normal(0.0, 0.006) * (3.0 if dice.random() < 0.02 else 1.0)
    closes = 100.0 * np.exp(np.stack([1.3 * walk + spread, walk], axis=1))
    opens = np.vstack([closes[:1], closes[:-1]])
    logs = np.log(closes)
    starts = range(WINDOW, BARS, STEP)
    return opens, closes, [(t, fit(logs[t - WINDOW : t, 0], logs[t - WINDOW : t, 1]), True) for t in starts]


def columns(fits: list[tuple[int, Fit | None, bool]]) -> dict[str, np.ndarray]:
    """The fits at each bar, as the core reads them."""
    found = {name: np.full(BARS, np.nan) for name in Fit._fields}
    for first, one, _ in fits:
        for name in Fit._fields:
            found[name][first:] = np.nan if one is None else getattr(one, name)
    return found


def decisions(found: Any) -> list[int]:
    """The reason of every decided exit."""
    return [int(row["rule"]) for row in found.rows if row["kind"] == K_DECISION and row["code"] == EXIT]


@pytest.mark.parametrize("seed", range(6))
def test_one_pair_trades_as_the_scan_does(seed: int) -> None:
    """Bars of entry and exit, stop or mean, and each part of the money."""
    opens, closes, fits = market(seed)
    dice = np.random.default_rng(seed + 100)
    settles = (np.arange(BARS) % 8 == 0)[:, None]
    marks, rates = np.where(settles, opens, 0.0), np.where(settles, dice.normal(1e-4, 2e-4, (BARS, 2)), 0.0)
    rule = SpreadRule(2.0, 0.25, 3.0)
    oracle = trades_of(tuple(Leg(opens[:, k], closes[:, k], rates[:, k], marks[:, k], COST) for k in range(2)), fits, rule)
    given = inputs(opens, closes, funding_mark=marks, funding_rate=rates)._replace(**columns(fits))
    terms = SpreadTerms(rule.enter, rule.leave, rule.stop, 0, 1e6)
    found = BasketCase(
        given, [ALONE] * 2, [(0, 1)], terms, LOOSE._replace(drawdown_frac_max=9.0, gross_frac_max=1e9, instrument_frac_max=1e9)
    ).run()

    gross = dict[int, float]()  # of each entry, by its bar
    for bar, _, _, row in fills(found):
        if row.slot == ENTRY:
            gross[bar] = gross.get(bar, 0.0) + row.lots * 1e-8 * row.price
    all_trips = trips_of(found.rows, [(0, 1)], [1e-8] * 2, list(closes[-1]), HOUR_MS)
    mine = [trip for trip in all_trips if trip.exit_ms is not None]
    theirs = [trade for trade in oracle if trade.exit != "end"]
    assert len(theirs) > 10
    assert {trade.exit for trade in theirs} == {"mean", "stop"}
    at = [((trip.entry_ms - FIRST_MS) // HOUR_MS, (trip.exit_ms - FIRST_MS) // HOUR_MS) for trip in mine]
    assert at == [(trade.opened, trade.closed) for trade in theirs]
    assert [reason == STOP for reason in decisions(found)][: len(theirs)] == [trade.exit == "stop" for trade in theirs]
    for trip, (opened, _), trade in zip(mine, at, theirs, strict=True):
        of_gross = [
            money / gross[opened] for money in (trip.of_both("gross"), -trip.of_both("fees"), trip.of_both("funding"), trip.net)
        ]
        assert of_gross == pytest.approx([trade.moved, trade.costs, trade.funding, trade.net], abs=1e-6)
