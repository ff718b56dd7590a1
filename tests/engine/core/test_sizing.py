"""How much: golden values of D1 and D17, every cap, whole lots by steps, nothing from a missing input."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.sizing import kelly, liquidation_distance, risk_frac, size, whole_lots, win_rate_lower
from engine.core.state import CAP_FIXED, CAP_LEVERAGE, CAP_NOTIONAL, CAP_PARTICIPATION, CAP_RISK, CAP_VOL, Rules, Signal, start
from tests.fakes.desks import RULES

LEDGER = start(10_000.0).ledger
SIGNAL = Signal(1, 1.0, 100.0, 0.4, 1e-4, 1e-5, 0.0, 0, 1)
WIDE = RULES._replace(vol_target=0.0, notional_frac_max=1e9, leverage_max=1e9, participation_max=1e9)


def test_golden_quarter_kelly() -> None:
    """p 0.55, odds 1.2 (D1): f* 0.175, a quarter of it 0.04375."""
    assert kelly(0.55, 1.2) == pytest.approx(0.175)
    assert 0.25 * kelly(0.55, 1.2) == pytest.approx(0.04375)


def test_wilson_lower_bound_against_the_closed_form() -> None:
    """z from the normal quantile of 80 %, 45 wins of 100."""
    z, p, n = 0.8416212335729143, 0.45, 100
    centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert win_rate_lower(45, 100) == pytest.approx((centre - spread) / (1 + z * z / n))


@pytest.mark.parametrize(
    ("trips", "wins", "losses", "gain", "loss", "expected"),
    [
        (29, 20, 9, 40.0, 9.0, 0.0025),  # too few round trips say nothing
        (30, 30, 0, 40.0, 0.0, 0.0025),  # no losses among them
        (30, 0, 30, 0.0, 30.0, 0.0025),  # no wins
        (100, 90, 10, 180.0, 10.0, 0.02),  # a great record is capped
        (100, 20, 80, 20.0, 80.0, 0.001),  # a bad one keeps the floor: zero would be absorbing
    ],
)
def test_risk_follows_the_record(trips: int, wins: int, losses: int, gain: float, loss: float, expected: float) -> None:
    """The start value before 30 round trips, then a quarter of Kelly at the lower bound, between floor and maximum (D1)."""
    ledger = LEDGER._replace(trips=trips, wins=wins, losses=losses, gain=gain, loss=loss)
    assert risk_frac(ledger, RULES) == pytest.approx(expected)


def test_risk_is_money_lost_at_the_stop_costs_included() -> None:
    """0.25 % of 10,000 over a 200 stop plus fees and slippage of both sides."""
    found = size(LEDGER, WIDE, SIGNAL, 50_000.0, 200.0, 1e9)
    lost = 200.0 + 50_000.0 * (2 * 0.0005 + 2 * 1e-4)
    assert found.wanted == pytest.approx(25.0 / lost)
    assert found.binding == CAP_RISK
    assert found.lots == math.floor(25.0 / lost / 0.001)


def test_golden_volatility_target() -> None:
    """sigma 0.18719 and 20 % a year on 10,000 is 10,684.35 of notional (D17)."""
    sigma = 0.001 * math.sqrt(365 * 96)
    rules = WIDE._replace(vol_target=0.20, risk_start_frac=1.0, risk_max_frac=1.0)
    found = size(LEDGER, rules, SIGNAL._replace(vol_annual=sigma), 100.0, 1.0, 1e9)
    assert found.binding == CAP_VOL
    assert found.cap_vol * 100.0 == pytest.approx(10_684.35, abs=0.01)


@pytest.mark.parametrize(
    ("changed", "binding", "units"),
    [
        ({"notional_frac_max": 0.5}, CAP_NOTIONAL, 5_000.0 / 100.0),
        ({"leverage_max": 0.3}, CAP_LEVERAGE, 3_000.0 / 100.0),
        ({"participation_max": 0.01}, CAP_PARTICIPATION, 10.0),
        ({"fixed_lots": 7}, CAP_FIXED, 0.007),
    ],
)
def test_each_cap_binds(changed: dict, binding: int, units: float) -> None:
    """The smallest cap decides and is named."""
    rules = WIDE._replace(risk_start_frac=1.0, risk_max_frac=1.0)._replace(**changed)
    found = size(LEDGER, rules, SIGNAL, 100.0, 1.0, 1_000.0)
    assert (found.binding, found.lots) == (binding, round(units / 0.001))


@pytest.mark.parametrize("bad", [0.0, math.nan, -1.0])
def test_a_missing_input_sizes_nothing(bad: float) -> None:
    """Price, stop, volatility, equity: what cannot be computed is no order."""
    rules = WIDE._replace(vol_target=0.2)
    assert size(LEDGER, rules, SIGNAL, bad, 200.0, 1e9).lots == 0
    assert size(LEDGER, rules, SIGNAL, 100.0, bad, 1e9).lots == 0
    assert size(LEDGER, rules, SIGNAL._replace(vol_annual=bad), 100.0, 1.0, 1e9).lots == 0
    assert size(LEDGER._replace(equity=bad), rules, SIGNAL, 100.0, 1.0, 1e9).lots == 0
    assert size(LEDGER, rules, SIGNAL, 100.0, 1.0, math.nan).lots == 0


def test_three_lots_of_a_tenth_are_three() -> None:
    """Float division loses a lot here: floor(0.3 / 0.1) is 2."""
    assert whole_lots(0.3, 0.1) == 3


@given(st.integers(1, 10**9), st.sampled_from([1.0, 0.1, 0.01, 0.001, 1e-8, 0.5, 10.0]))
def test_whole_lots_round_trip(lots: int, lot_size: float) -> None:
    """n lots of any size are n lots again, and a little less is never more."""
    assert whole_lots(lots * lot_size, lot_size) == lots
    assert whole_lots(lots * lot_size * (1 - 1e-9), lot_size) <= lots


@pytest.mark.parametrize("units", [math.nan, math.inf, -1.0, 0.0, 1e300])
def test_whole_lots_of_nonsense_are_none(units: float) -> None:
    """NaN, infinite, negative, absurd."""
    assert whole_lots(units, 0.01) == 0


def test_golden_liquidation_distance() -> None:
    """1 BTC at 60,000, ten times isolated, 0.4 % maintenance: 54,216.867 and 65,737.052 (D5)."""
    assert 60_000 - liquidation_distance(6_000.0, 1.0, 60_000.0, 1, 0.004) == pytest.approx(54_216.867, abs=1e-3)
    assert 60_000 + liquidation_distance(6_000.0, 1.0, 60_000.0, -1, 0.004) == pytest.approx(65_737.052, abs=1e-3)


@pytest.mark.parametrize(
    ("rules", "signal", "volume"),
    [
        (WIDE, SIGNAL, 1e9),
        (WIDE._replace(vol_target=0.05), SIGNAL, 1e9),
        (WIDE._replace(notional_frac_max=0.2), SIGNAL, 1e9),
        (WIDE._replace(leverage_max=0.2), SIGNAL, 1e9),
        (WIDE._replace(participation_max=0.05), SIGNAL, 1.0),
        (WIDE._replace(fixed_lots=400), SIGNAL, 1e9),
        (WIDE, SIGNAL._replace(size_frac=0.1), 1e9),
    ],
    ids=["risk", "volatility", "notional", "leverage", "participation", "fixed lots", "the strategy's own"],
)
def test_a_part_of_the_size_is_that_part_whatever_binds(rules: Rules, signal: Signal, volume: float) -> None:
    """A canary's factor: a quarter of what the whole size is, to the lot, by the same cap; 1 changes no bit."""
    whole, part = (size(LEDGER, rules._replace(size_part=x), signal, 5_000.0, 200.0, volume) for x in (1.0, 0.25))
    assert whole.lots > 8
    assert part.lots == pytest.approx(whole.lots / 4, abs=1)
    assert part.binding == whole.binding
    assert size(LEDGER, rules, signal, 5_000.0, 200.0, volume) == whole


def test_layers_of_a_part_come_to_that_part_of_the_cap() -> None:
    """What is open already counts against the part of the cap, not against the whole."""
    rules = WIDE._replace(notional_frac_max=0.2, size_part=0.25)
    held = LEDGER._replace(notional=0.25 * 0.2 * 10_000.0)
    assert size(held, rules, SIGNAL, 5_000.0, 200.0, 1e9).lots == 0


@pytest.mark.parametrize("part", [0.0, -0.5, 1.5, math.nan])
def test_what_is_no_part_is_no_size(part: float) -> None:
    """It never enlarges, and a missing one enters nothing."""
    assert size(LEDGER, WIDE._replace(size_part=part), SIGNAL, 5_000.0, 200.0, 1e9).lots == 0
