"""Lots, ticks, margins and costs: figures with a source, overridable, never guessed."""

from pathlib import Path

import numpy as np
import pytest

from engine.data.files import read_any
from engine.errors import BadInput
from engine.venues.instruments import costs_of, instrument_of, instruments


def test_every_instrument_of_the_table_has_whole_figures_with_source_and_date() -> None:
    """Five coins on every venue; fees, spread and impact are fractions; each has a page and a day."""
    known = {tuple(key.split(":")) for key in instruments()}
    for venue in ("binance", "okx", "bybit", "synthetic"):
        for coin in ("BTC", "ETH", "SOL", "XRP", "BNB"):
            assert (venue, f"{coin}-USDT", "perp") in known
    for key in known:
        instrument, costs = instrument_of(*key), costs_of(*key)
        assert instrument[:3] == key
        assert instrument.lot_size > 0
        assert instrument.tick > 0
        assert 0 < costs.taker_frac < 0.002
        assert 0 < costs.half_spread_frac < 0.001
        assert costs.source
        assert costs.dated.startswith("2026-")
        assert (instrument.maintenance_frac > 0) == (key[2] == "perp")


@pytest.mark.parametrize("key", [("kraken", "BTC-USDT"), ("binance", "DOGE-USDT"), ("binance", "BTC-USD"), ("okx", "BTC")])
def test_an_unknown_instrument_is_refused_with_a_way_out(key: tuple[str, str]) -> None:
    """No figure is guessed for it."""
    with pytest.raises(BadInput, match=r"unknown instrument.*desk\.toml"):
        instrument_of(*key)
    with pytest.raises(BadInput, match="no costs for"):
        costs_of(*key)


def test_overrides_change_single_figures_and_say_so() -> None:
    """A fee tier of one's own: the other figures stay, the source names the change."""
    own = {"binance:BTC-USDT:perp": {"taker_frac": 0.0003, "lot_size": 0.01}}
    costs = costs_of("binance", "BTC-USDT", overrides=own)
    assert (costs.taker_frac, costs.maker_frac) == (0.0003, 0.0002)
    assert "desk.toml: taker_frac" in costs.source
    assert instrument_of("binance", "BTC-USDT", overrides=own).lot_size == 0.01


def test_an_instrument_can_be_described_whole_in_desk_toml() -> None:
    """What the table lacks, a person may give."""
    own = {"okx:DOGE-USDT:perp": {"lot_size": 10, "tick": 1e-5, "maintenance_frac": 0.01, "maker_frac": 0.0002,
                                  "taker_frac": 0.0005, "half_spread_frac": 0.0001, "dated": "2026-11-01"}}  # fmt: skip
    assert instrument_of("okx", "DOGE-USDT", overrides=own).lot_size == 10.0
    assert costs_of("okx", "DOGE-USDT", overrides=own).source == "desk.toml"


@pytest.mark.parametrize("own", [{"lot_size": 0}, {"tick": -1}, {"maintenance_frac": 1.5}, {"lot_size": "much"}, {"tick": None}])
def test_an_override_that_makes_no_instrument_is_refused(own: dict) -> None:
    """Zero lots, negative ticks, words."""
    with pytest.raises(BadInput):
        instrument_of("binance", "BTC-USDT", overrides={"binance:BTC-USDT:perp": own})


@pytest.mark.parametrize("own", [{"taker_frac": 5}, {"half_spread_frac": -1}, {"maker_frac": "free"}])
def test_a_cost_out_of_bounds_is_refused(own: dict) -> None:
    """5 for 0.0005 is the usual slip."""
    with pytest.raises(BadInput):
        costs_of("binance", "BTC-USDT", overrides={"binance:BTC-USDT:perp": own})


RECORDED = [
    "binance_BTC-USDT_perp_15m",
    "binance_ETH-USDT_perp_15m",
    "binance_SOL-USDT_perp_1m",
    "binance_XRP-USDT_perp_1m",
    "binance_BNB-USDT_perp_5m",
    "okx_BTC-USDT_perp_15m",
    "okx_SOL-USDT_perp_15m",
    "bybit_BTC-USDT_perp_15m",
    "bybit_ETH-USDT_perp_15m",
    "bybit_SOL-USDT_perp_15m",
    "binance_BTC-USDT_spot_15m",
    "binance_ETH-USDT_spot_15m",
]


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_prices_and_volumes_stand_on_tick_and_lot(market_data: Path, name: str) -> None:
    """The last thousand recorded bars are multiples of both figures, and of nothing ten times coarser."""
    raw = read_any(market_data / "ohlcv" / f"{name}.parquet")
    instrument = instrument_of(*raw.named[:3])
    tail = raw.frame.tail(1000)
    for column, grid in (("close", instrument.tick), ("volume", instrument.lot_size)):
        steps = tail[column].to_numpy() / grid
        assert np.abs(steps - np.round(steps)).max() < 1e-3
        assert np.abs(steps / 10 - np.round(steps / 10)).max() > 0.05


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("own", "fine"),
    [
        ({"lot_size": INF}, False),
        ({"lot_size": NAN}, False),
        ({"tick": INF}, False),
        ({"maintenance_frac": 0.0}, True),
        ({"maintenance_frac": 1.0}, False),
        ({"maintenance_frac": NAN}, False),
        ({"lot_size": 5e-324}, True),
    ],
)
def test_a_figure_of_an_instrument_is_finite_and_within_its_bounds(own: dict, fine: bool) -> None:
    """TOML can write inf and nan: neither is a lot, a tick or a margin."""
    overrides = {"binance:BTC-USDT:perp": own}
    if fine:
        found = instrument_of("binance", "BTC-USDT", overrides=overrides)
        assert [getattr(found, name) for name in own] == list(own.values())
    else:
        with pytest.raises(BadInput, match="binance:BTC-USDT:perp"):
            instrument_of("binance", "BTC-USDT", overrides=overrides)


@pytest.mark.parametrize(
    ("own", "fine"),
    [
        ({"maker_frac": -0.01}, True),  # a rebate
        ({"maker_frac": -0.011}, False),
        ({"maker_frac": 0.1}, False),
        ({"taker_frac": 0.0}, True),
        ({"taker_frac": -0.0001}, False),
        ({"taker_frac": 0.0999}, True),
        ({"taker_frac": NAN}, False),
        ({"half_spread_frac": 0.0}, True),
        ({"half_spread_frac": 0.1}, False),
        ({"impact_y": 0.0}, True),
        ({"impact_y": 10.0}, True),
        ({"impact_y": 10.1}, False),
        ({"impact_y": -0.1}, False),  # the core would keep its last figure, none: fills without impact, and nobody is told
        ({"impact_y": NAN}, False),
        ({"impact_y": INF}, False),
    ],
)
def test_a_cost_is_taken_up_to_its_bounds(own: dict, fine: bool) -> None:
    """At each bound and one past it; a figure that cannot be computed with is refused where it is read."""
    overrides = {"binance:BTC-USDT:perp": own}
    if fine:
        found = costs_of("binance", "BTC-USDT", overrides=overrides)
        assert [getattr(found, name) for name in own] == list(own.values())
    else:
        with pytest.raises(BadInput, match="binance:BTC-USDT:perp"):
            costs_of("binance", "BTC-USDT", overrides=overrides)


def test_an_override_of_another_instrument_changes_nothing() -> None:
    """Keys are whole names: another venue, market or symbol is another instrument."""
    for key in ("okx:BTC-USDT:perp", "binance:BTC-USDT:spot", "binance:BTC-USDC:perp", "BTC-USDT", ""):
        own = {key: {"lot_size": 7.0, "taker_frac": 0.09}}
        assert instrument_of("binance", "BTC-USDT", overrides=own) == instrument_of("binance", "BTC-USDT")
        assert costs_of("binance", "BTC-USDT", overrides=own) == costs_of("binance", "BTC-USDT")


@pytest.mark.parametrize("left_out", ["lot_size", "tick", "maintenance_frac", "maker_frac", "taker_frac", "half_spread_frac"])
def test_an_instrument_that_is_described_in_part_is_not_filled_up(left_out: str) -> None:
    """Law 9: a figure that is not there is no zero."""
    whole = {
        "lot_size": 1,
        "tick": 0.1,
        "maintenance_frac": 0.01,
        "maker_frac": 0.0,
        "taker_frac": 0.0005,
        "half_spread_frac": 0.0,
    }
    own = {"kraken:BTC-USDT:perp": {key: value for key, value in whole.items() if key != left_out}}
    read = instrument_of if left_out in ("lot_size", "tick", "maintenance_frac") else costs_of
    with pytest.raises(BadInput, match=r"unknown instrument|no costs for"):
        read("kraken", "BTC-USDT", overrides=own)


def test_spot_pays_no_funding_and_has_no_margin() -> None:
    """A market of its own in every figure."""
    assert instrument_of("binance", "BTC-USDT", "spot").maintenance_frac == 0.0
    assert costs_of("binance", "BTC-USDT", "spot").funding_source == "none"
    with pytest.raises(BadInput, match="unknown instrument okx:BTC-USDT:spot"):
        instrument_of("okx", "BTC-USDT", "spot")


def test_margin_tiers_come_from_desk_toml_and_come_back_from_a_stored_run() -> None:
    """The first rate is the maintenance margin; what a run stores as JSON gives the same instrument again."""
    key, tiers = "binance:BTC-USDT:perp", [[50_000, 0.004], [600_000, 0.005]]
    found = instrument_of("binance", "BTC-USDT", overrides={key: {"tiers": tiers}})
    assert (found.maintenance_frac, found.tiers) == (0.004, ((50_000.0, 0.004), (600_000.0, 0.005)))
    stored = {name: value for name, value in found._asdict().items() if name not in ("venue", "symbol", "market")}
    assert instrument_of("binance", "BTC-USDT", overrides={key: stored}) == found
    assert instrument_of("binance", "BTC-USDT").tiers == ()
    assert instrument_of("binance", "BTC-USDT", "spot", {"binance:BTC-USDT:spot": {"tiers": tiers}}).tiers == ()


@pytest.mark.parametrize(
    "own",
    [
        {"tiers": [[50_000, 0.005], [40_000, 0.006]]},
        {"tiers": [[50_000, 0.005], [60_000, 0.005]]},
        {"tiers": [[50_000, 1.0]]},
        {"tiers": [[NAN, 0.01]]},
        {"tiers": [[50_000]]},
        {"tiers": [["much", 0.01]]},
        {"tiers": [[k + 1.0, 0.01 * (k + 1)] for k in range(8)]},
        {"tiers": [[50_000, 0.004]], "maintenance_frac": 0.005},
        {"contract_size": 0.0},
        {"liquidation_fee_frac": 1.0},
    ],
)
def test_margin_that_cannot_be_is_refused(own: dict) -> None:
    """Caps and rates rise, rates lie within 0 and 1, seven tiers at most, one first rate."""
    with pytest.raises(BadInput):
        instrument_of("binance", "BTC-USDT", overrides={"binance:BTC-USDT:perp": own})


def test_contract_size_and_fee_tier_are_named() -> None:
    """Coins count as one; the fee tier says whose fees, from where and of which day, or that desk.toml says so."""
    found = instrument_of("okx", "BTC-USDT")
    assert found.contract_size == 1.0
    assert found.fee_tier == "no volume tier, no token discount; www.okx.com/fees, 2026-10-16"
    own = {"okx:BTC-USDT:perp": {"taker_frac": 0.0003, "source": "my tier", "dated": "2026-11-01"}}
    assert instrument_of("okx", "BTC-USDT", overrides=own).fee_tier == "desk.toml; my tier; 2026-11-01"
