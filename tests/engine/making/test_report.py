"""What a run earned: the desk's ledger and the loop's whole numbers agree to the cent, parts add up, fast fills are apart."""

from pathlib import Path

import numpy as np
import pytest

from engine.l2.moments import changes_of
from engine.making.account import account_of
from engine.making.guardrails import worth
from engine.making.report import MakerFees, equity_at, report_of, verdict_of
from engine.making.resting import CASH, FILLS, INVENTORY, MIDDLE2, SEEN, MakerState
from engine.making.simulation import MakingRun
from tests.engine.making.test_simulation import busy_market
from tests.fakes.maker_markets import SECOND, opened_market, ran, shifted

FEES = MakerFees(0.0002, 0.0005, 0.00005)


def state_of(run: MakingRun) -> MakerState:
    """As much of the maker's state as its worth reads."""
    empty = np.zeros((1, 1), np.int64)
    return MakerState(empty, np.zeros(1), run.tally, run.rates, np.zeros(1, np.int64), empty, empty)


@pytest.mark.parametrize("fee_frac", [0.0, 0.0002, -0.00005])
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_desks_ledger_and_the_loop_agree_to_the_cent(tmp_path: Path, seed: int, fee_frac: float) -> None:
    """Cash, inventory, fees and equity after a storm that crosses zero many times; a rebate is a negative fee."""
    opened = busy_market(tmp_path, seed)
    run = ran(opened, fee_frac=fee_frac, compiled=True, size=0.3, inventory=0.9, inventory_max=5.0, loss_max=1e9, response_ms=0)
    assert run.tally[SEEN] == run.tally[FILLS] > 15
    scale = opened.tape.scale
    mark = float(scale.price(run.tally[MIDDLE2] / 2.0))
    sleeve = account_of(run, scale, fee_frac, mark)
    assert sleeve.ledger.trips > 3
    assert sleeve.position.side * sleeve.position.layers[0].lots == run.tally[INVENTORY]
    assert sleeve.ledger.equity == pytest.approx(worth(state_of(run), run.terms), abs=0.005)
    assert sleeve.ledger.fees == pytest.approx(run.rates[2], abs=1e-9)
    money = run.terms.money
    spent = sleeve.position.side * sleeve.position.layers[0].lots * 0.001 * sleeve.position.layers[0].entry
    assert sleeve.ledger.cash - spent == pytest.approx(float(run.tally[CASH]) * money - run.rates[2], abs=0.005)
    changes = changes_of(run.replayed, opened.tape)
    at_the_end = equity_at(run, changes, fee_frac, opened.tape.recv_ns[-1:])
    assert at_the_end[0] == pytest.approx(sleeve.ledger.equity, abs=0.005)


def test_parts_add_up(tmp_path: Path) -> None:
    """gross = spread captured + moves; the windows sum to net; net, gross and rebate differ by their fees on what was traded."""
    opened = busy_market(tmp_path)
    body = report_of(opened.tape, ran(opened, fee_frac=0.0002, compiled=True), FEES)
    pnl = body["pnl"]
    assert pnl["gross"] == pytest.approx(pnl["spread_captured"] + pnl["moves"])
    assert sum(body["windows_net"]) == pytest.approx(pnl["net"], abs=1e-6)
    assert pnl["gross"] - pnl["net"] == pytest.approx(pnl["traded"] * 0.0002)
    assert pnl["with_rebate"] - pnl["gross"] == pytest.approx(pnl["traded"] * 0.00005)
    assert pnl["net_closed"] <= pnl["net"]
    for one in body["after_fills"]:
        assert sum(c["orders"] for c in one["classes"]) <= body["activity"]["fills"]
    assert sum(body["activity"]["outcomes"].values()) == body["activity"]["orders"]


def test_one_fill_by_hand(tmp_path: Path) -> None:
    """Bought 0.01 at 2999.9 as the middle was 2999.95, after 0.93 s at the venue; then the market rises by 10.0."""
    opened = opened_market(tmp_path, {20: shifted(100)}, [(1.05, 2999.8, 0.001, True)], alive=60)
    run = ran(opened, inventory=0.01, fee_frac=0.0002, requote_bps=500.0)
    body = report_of(opened.tape, run, FEES)
    first = run.fills[0]
    assert first[0] == run.orders[0, 3] + 950_000_000
    classes = next(one for one in body["after_fills"] if one["horizon_s"] == 1)["classes"]
    assert classes[0]["orders"] == 1  # within a second; the sell after it has no 1 s left or is another class
    assert classes[0]["move_bps"] == pytest.approx((3009.95 / 2999.9 - 1) * 1e4)


def test_fills_by_speed_are_apart(tmp_path: Path) -> None:
    """A fill after half a second and one after 7 s are of two classes."""
    for at, number in ((0.7, 0), (7.5, 2)):
        opened = opened_market(tmp_path, {}, [(at, 2999.8, 0.001, True)], alive=100)
        run = ran(opened, inventory=0.01)
        bought = run.fills[run.fills[:, 1] == 1]
        assert len(bought) == 1
        (one, *_) = report_of(opened.tape, run._replace(fills=bought), FEES)["after_fills"]
        assert [c["orders"] for c in one["classes"]] == [int(k == number) for k in range(4)]


def test_nothing_filled_is_a_report(tmp_path: Path) -> None:
    """No fill: zeros, nulls, and the verdict."""
    opened = opened_market(tmp_path, {}, [])
    body = report_of(opened.tape, ran(opened), FEES)
    assert (body["verdict"], body["why"]) == ("No edge after costs", "nothing was filled")
    assert body["pnl"]["net"] == 0.0
    assert body["pnl"]["net_bps"] is None
    assert body["inventory"]["path"] == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("net", "windows", "days", "verdict"),
    [
        (-1.0, [1.0] * 5, 8.0, "No edge after costs"),
        (1.0, [1.0, 1.0, 1.0, -1.0, -1.0], 8.0, "No edge after costs"),
        (1.0, [1.0, 1.0, 1.0, 1.0, -1.0], 6.9, "Not enough tape"),
        (1.0, [1.0, 1.0, 1.0, 1.0, -1.0], 7.0, "Edge after costs"),
        (float("nan"), [1.0] * 5, 8.0, "No edge after costs"),
    ],
)
def test_the_verdict(net: float, windows: list[float], days: float, verdict: str) -> None:
    """A yes needs money after costs, four of five windows and seven days."""
    assert verdict_of(net, windows, 10, days, "USDT")[0] == verdict


@pytest.mark.slow
def test_a_path_is_bounded(tmp_path: Path) -> None:
    """However many fills: 200 points, first and last among them."""
    opened = busy_market(tmp_path)
    run = ran(opened, compiled=True)
    many = run._replace(fills=np.repeat(run.fills, 60, axis=0))
    path = report_of(opened.tape, many, FEES)["inventory"]["path"]
    assert len(many.fills) > 200
    assert len(path) == 200
    assert path[0] == [0.0, 0.0]
    assert path[-1][0] * SECOND == pytest.approx(float(many.fills[-1, 0] - opened.tape.recv_ns[0]), abs=1e6)
