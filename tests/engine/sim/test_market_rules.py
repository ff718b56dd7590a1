"""What no market allows does not happen in a backtest: spot sold short or on credit, orders below the venue's least."""

from pathlib import Path

import polars as pl
import pytest

from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.sim.backtest import Backtest, simulate
from engine.sim.request import Request, SleeveRequest, moment, plan, request_of
from engine.venues.instruments import instrument_of

SPAN = (moment("2024-01"), moment("2024-07"))


def run(market_data: Path, sleeve: SleeveRequest, **overrides: object) -> Backtest:
    """Half a recorded year of hourly bars."""
    own = {f"{sleeve.venue}:{sleeve.symbol}:{sleeve.market}": overrides} if overrides else None
    return simulate(plan(Request((sleeve,), "1h", *SPAN), Catalog([(market_data, "recorded")]), None, own))


def test_spot_is_bought_with_its_cash_and_never_sold_short(market_data: Path) -> None:
    """Shorts are refused by name; at no fill is more held than the equity pays for."""
    found = run(
        market_data, SleeveRequest("trend", "BTC-USDT", market="spot", params={"leverage_max": 10, "notional_frac_max": 10})
    )
    assert set(found.round_trips["side"]) == {"long"}
    assert found.report["refused"]["spot cannot be sold short"] > 10
    assert (found.fills["cash_after"] > 0).all()
    assert not found.report["metrics"]["funding"]


def test_a_perp_of_the_same_hours_is_sold_short(market_data: Path) -> None:
    """The rule is the market's, not the strategy's."""
    assert set(run(market_data, SleeveRequest("trend", "BTC-USDT")).round_trips["side"]) == {"long", "short"}


def test_an_entry_below_the_venues_least_is_refused_by_name(market_data: Path) -> None:
    """With little cash every entry is too small for the venue; with the rule switched off in desk.toml they go."""
    small = SleeveRequest("trend", "ETH-USDT", cash=60.0)
    found = run(market_data, small)
    assert found.report["refused"]["below the venue's least order"] > 10
    assert (found.fills.filter(pl.col("reason") == "none").select(pl.col("units") * pl.col("price")).to_series() >= 20.0).all()
    assert len(run(market_data, small, least_notional=0).round_trips) > len(found.round_trips)
    assert "below the venue's least order" in run(market_data, small, least_notional=0, least_qty=1.0).report["refused"]


def test_a_fixed_size_risks_no_more_than_the_limit(market_data: Path) -> None:
    """One coin on 10,000 of cash would lose a fifth at its stop: refused by name; what is explained is the true risk."""
    found = run(
        market_data, SleeveRequest("trend", "BTC-USDT", params={"fixed_qty": 1.0, "leverage_max": 10, "notional_frac_max": 10})
    )
    assert found.round_trips.is_empty()
    assert found.report["refused"]["risk_frac_max"] > 0
    fits = run(market_data, SleeveRequest("trend", "BTC-USDT", params={"fixed_qty": 0.05}))
    sized = fits.decisions.filter(pl.col("action") == "enter")
    assert len(sized) > 10
    assert sized["risk_frac"].max() <= 0.02
    by_hand = sized["lots_approved"] * 0.001 * (sized["stop_distance"] + sized["price_reviewed"] * 0.001046) / sized["equity"]
    assert (by_hand - sized["risk_frac"]).abs().max() < 0.002
    assert sized["risk_frac"].n_unique() > 10


def test_market_rules_are_part_of_a_stored_run(market_data: Path) -> None:
    """Instrument figures and where they come from are in the configuration, and come back from it."""
    found = run(market_data, SleeveRequest("trend", "BTC-USDT"), least_notional=250)
    kept = found.plan.config["instruments"]["binance:BTC-USDT:perp"]
    assert (kept["least_notional"], kept["rules_dated"]) == (250.0, "2025-12-31")
    assert kept["rules_source"].endswith("desk.toml: least_notional")
    request, overrides = request_of(found.plan.config)
    again = plan(request, Catalog([(market_data, "recorded")]), None, overrides)
    assert again.config_hash == found.plan.config_hash


@pytest.mark.parametrize(
    "wrong", [{"least_qty": -1}, {"least_notional": float("nan")}, {"least_notional": "much"}, {"least_qty": 1e309}]
)
def test_a_least_order_that_is_no_number_is_refused(wrong: dict[str, object]) -> None:
    """One line that names the instrument."""
    with pytest.raises(BadInput, match="binance:BTC-USDT:perp"):
        instrument_of("binance", "BTC-USDT", "perp", {"binance:BTC-USDT:perp": wrong})
