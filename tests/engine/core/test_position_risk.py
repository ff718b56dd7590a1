"""What a whole position may lose at its stops: counted with every layer, bounded whatever the sizing, and told as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import state
from engine.core.kernel import ROW_VIEW
from engine.core.sizing import position_risk
from engine.core.state import Layer, Sleeve, start
from tests.fakes.desks import RULES, both_ways, hostile, hostile_rules

RULE = RULES._replace(lot_size=0.01, taker_frac=0.001)
SLIP = 0.0005
COSTS = 2 * RULE.taker_frac + 2 * SLIP


def holding(side: int, trail: float, *layers: tuple[int, float, float], equity: float = 10_000.0) -> Sleeve:
    """A sleeve with such layers: lots, entry, stop."""
    sleeve = start(equity)
    made = [Layer(k + 1, *values, 0.0, 0) for k, values in enumerate(layers)]
    made += list(sleeve.position.layers[len(made) :])
    position = sleeve.position._replace(side=side, open_layers=len(layers), trail=trail, layers=tuple(made))
    return sleeve._replace(position=position)


def test_a_first_entry_risks_its_stop_and_its_costs() -> None:
    """Two units from 100 with a stop five away: 10, and twice fee and spread on 200."""
    found = position_risk(start(10_000.0), RULE, SLIP, 200, 100.0, 5.0)
    assert found == pytest.approx((10.0 + 200.0 * COSTS) / 10_000.0)


def test_layers_add_up_and_a_locked_gain_counts_against_them() -> None:
    """One layer at its first stop, one whose stop the trail has passed."""
    sleeve = holding(1, 104.0, (100, 100.0, 95.0), (50, 106.0, 101.0))
    by_hand = 1.0 * (100.0 - 104.0) + 0.5 * (106.0 - 104.0) + 2.0 * 3.0
    costs = (1.0 * 100.0 + 0.5 * 106.0 + 2.0 * 110.0) * COSTS
    assert position_risk(sleeve, RULE, SLIP, 200, 110.0, 3.0) == pytest.approx((by_hand + costs) / 10_000.0)


layer = st.tuples(st.integers(1, 500), st.floats(50.0, 200.0), st.floats(0.1, 20.0))


@given(st.sampled_from([1, -1]), st.lists(layer, max_size=5), layer, st.floats(100.0, 1e6))
def test_it_is_the_money_that_leaving_at_every_stop_costs(
    side: int, layers: list[tuple[int, float, float]], new: tuple[int, float, float], equity: float
) -> None:
    """Against a plain sum over the layers, long and short, without a trail."""
    sleeve = holding(side, 0.0, *((lots, entry, entry - side * away) for lots, entry, away in layers), equity=equity)
    lost = sum(lots * 0.01 * (away + entry * COSTS) for lots, entry, away in (*layers, new))
    assert position_risk(sleeve, RULE, SLIP, new[0], new[1], new[2]) == pytest.approx(lost / equity, rel=1e-9)


def test_an_equity_that_is_gone_risks_everything() -> None:
    """No division by nothing: the guardrail refuses."""
    assert position_risk(start(0.0), RULE, SLIP, 1, 100.0, 1.0) > 1e200


@pytest.mark.sample(3)
@pytest.mark.parametrize("seed", range(12))
def test_no_entry_that_a_hostile_market_gets_exceeds_its_limit(seed: int) -> None:
    """Fixed sizes and many layers too: every approved size tells a risk within its sleeve's limit, and some are refused."""
    bars, signals = hostile(seed, bars=800, instruments=3, sleeves=7)
    rules = [r._replace(risk_limit_frac=0.01, risk_start_frac=0.008, layers_max=5) for r in hostile_rules(seed)]
    _, fast = both_ways(bars, signals, rules, state.Limits(0.9, 100.0, 100.0, 10_000), 100_000.0)
    rows = fast[0].view(ROW_VIEW)
    sizes = rows[(rows["kind"] == state.K_SIZE) & (rows["lots"] > 0)]
    entered = sizes["code"] != state.REFUSED
    assert (sizes["fee"][entered] <= 0.01 * (1 + 1e-9)).all()
    assert entered.sum() > 20
    refused = rows[(rows["kind"] == state.K_DECISION) & (rows["rule"] == state.R_RISK)]
    assert len(refused) > 0
    assert np.isfinite(sizes["fee"]).all()
