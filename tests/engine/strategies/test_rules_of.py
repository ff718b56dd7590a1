"""rules_of: the one map from params, instrument and costs to what the core reads."""

import pytest

from engine.core.state import FILL_MODES, REFERENCE, Rules
from engine.errors import BadInput
from engine.strategies import cross, trend
from engine.strategies.base import parse_params
from engine.strategies.rules import SAME, SLEEVE_LIMITS, rules_of
from engine.venues.instruments import costs_of, instrument_of

INSTRUMENT, COSTS = instrument_of("binance", "BTC-USDT"), costs_of("binance", "BTC-USDT")
QUARTER_MS = 900_000


def test_every_parameter_reaches_the_core() -> None:
    """A changed param changes the rule of its name; instrument and costs come through as they are."""
    values = {"stop_atr": 3.0, "trail_frac": 0.01, "layers_max": 4, "fade_below": 0.2, "vol_target": 0.1, "add_atr": 2.0}
    rules = rules_of(parse_params(trend, values), INSTRUMENT, COSTS, 2, "optimistic", QUARTER_MS)
    assert all(getattr(rules, key) == value for key, value in values.items())
    assert (rules.instrument, rules.mode, rules.bar_ms) == (2, FILL_MODES.index("optimistic"), QUARTER_MS)
    assert (rules.lot_size, rules.tick, rules.maintenance_frac) == INSTRUMENT[3:6]
    assert (rules.maker_frac, rules.taker_frac) == COSTS[:2]


def test_shared_names_are_fields_of_both_sides() -> None:
    """No name is copied that one side does not have, and every common param that the core reads is mapped."""
    assert set(SAME) <= set(Rules._fields) & set(trend.Params.model_fields)
    own = {"risk_start_frac", "risk_floor_frac", "risk_max_frac", "leverage_max"}
    assert set(Rules._fields) & set(trend.Params.model_fields) == set(SAME) | own


def test_kinds_are_what_the_kernel_stores() -> None:
    """An int where the core says int, a float where it says float: the kernel refuses anything else."""
    words = {"stop_atr": "3", "target_atr": 5, "layers_max": "2", "fixed_qty": "1"}
    free = COSTS._replace(maker_frac=0, taker_frac=0)
    rules = rules_of(parse_params(trend, words), INSTRUMENT, free, 0, 0, QUARTER_MS, SLEEVE_LIMITS._replace(leverage_max=2))
    assert all(type(getattr(rules, name)) is kind for name, kind in Rules.__annotations__.items() if name != "tiers")
    tiered = rules_of(trend.Params(), INSTRUMENT._replace(tiers=((1, 0.1), (2, 0.2))), COSTS, 0, 0, QUARTER_MS)
    assert all(type(value) is float for tier in (*rules.tiers, *tiered.tiers) for value in tier)


def test_hard_limits_stand_above_the_params() -> None:
    """The stricter of params and limits holds; the limits' own rules come through (D19)."""
    strict = SLEEVE_LIMITS._replace(risk_frac_max=0.001, leverage_max=2.0, pause_hours=1.5, streak_max=5)
    rules = rules_of(trend.Params(), INSTRUMENT, COSTS, 0, 0, QUARTER_MS, strict)
    assert (rules.risk_max_frac, rules.risk_start_frac, rules.risk_floor_frac) == (0.001, 0.001, 0.001)
    assert (rules.leverage_max, rules.pause_ms, rules.streak_max) == (2.0, 5_400_000, 5)
    usual = rules_of(trend.Params(), INSTRUMENT, COSTS, 0, 0, QUARTER_MS)
    assert (usual.day_loss_frac_max, usual.streak_max, usual.day_entries_max) == (0.03, 3, 20)
    assert (usual.pause_ms, usual.leverage_max, usual.risk_max_frac) == (86_400_000, 3.0, 0.02)


def test_what_a_market_allows_reaches_the_core() -> None:
    """Spot is bought with its cash and never sold short; a perp may be; the least order is whole lots, rounded up."""
    spot, costs = instrument_of("binance", "BTC-USDT", "spot"), costs_of("binance", "BTC-USDT", "spot")
    rules = rules_of(trend.Params(), spot, costs, 0, 0, QUARTER_MS)
    assert (rules.shorts, rules.leverage_max, rules.least_lots, rules.least_notional) == (0, 0.995, 1, 5.0)
    perp = rules_of(trend.Params(), INSTRUMENT, COSTS, 0, 0, QUARTER_MS, SLEEVE_LIMITS._replace(risk_frac_max=0.01))
    assert (perp.shorts, perp.leverage_max, perp.least_notional, perp.risk_limit_frac) == (1, 3.0, 100.0, 0.01)
    for qty, lots in ((0.0, 1), (0.001, 1), (0.003, 3), (0.0031, 4), (0.3, 300)):
        assert rules_of(trend.Params(), INSTRUMENT._replace(least_qty=qty), COSTS, 0, 0, QUARTER_MS).least_lots == lots


def test_a_fixed_quantity_is_whole_lots() -> None:
    """0.3 at a lot of 0.1 is three lots, not two; less than a lot is refused; 0 leaves sizing to risk."""
    lots = {0.3: 3, 1.0: 10, 0.0: 0, 0.55: 5}
    for qty, expected in lots.items():
        params = parse_params(cross, {"fixed_qty": qty})
        assert rules_of(params, INSTRUMENT._replace(lot_size=0.1), COSTS, 0, REFERENCE, QUARTER_MS).fixed_lots == expected
    with pytest.raises(BadInput, match=r"fixed_qty = 0\.05 is less than one lot of BTC-USDT, 0\.1"):
        rules_of(parse_params(cross, {"fixed_qty": 0.05}), INSTRUMENT._replace(lot_size=0.1), COSTS, 0, 0, QUARTER_MS)


def test_an_unknown_fill_mode_is_refused() -> None:
    """One line with the modes there are."""
    with pytest.raises(BadInput, match="fills = 'lucky' is not one of pessimistic, optimistic, reference"):
        rules_of(trend.Params(), INSTRUMENT, COSTS, 0, "lucky", QUARTER_MS)


def test_margin_tiers_and_the_fee_of_a_liquidation_reach_the_core() -> None:
    """Amounts follow from caps and rates, without a jump at a cap; OKX holds the closing fee with the margin; the fee is at least
    the taker fee."""
    tiered = INSTRUMENT._replace(maintenance_frac=0.01, tiers=((1_000.0, 0.01), (5_000.0, 0.02), (20_000.0, 0.05)))
    rules = rules_of(trend.Params(), tiered, COSTS, 0, 0, QUARTER_MS)
    assert [tuple(tier) for tier in rules.tiers[:3]] == [(0.02, pytest.approx(10.0)), (0.05, pytest.approx(160.0)), (0.0, 0.0)]
    assert (rules.maintenance_frac, rules.liquidation_fee_frac) == (0.01, 0.012)
    okx = rules_of(trend.Params(), tiered._replace(venue="okx", liquidation_fee_frac=0.0), COSTS, 0, 0, QUARTER_MS)
    assert (okx.maintenance_frac, okx.tiers[0].rate) == (0.01 + COSTS.taker_frac, 0.02 + COSTS.taker_frac)
    assert okx.liquidation_fee_frac == COSTS.taker_frac
