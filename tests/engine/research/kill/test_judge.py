"""Judging a strategy end to end on bars whose truth is known: a planted edge, noise, costs above the edge, a leak."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.research.kill.feasibility import feasibility
from engine.research.kill.judged_bars import CANDIDATE, JudgedBars, Probe
from engine.research.kill.page import agenda
from engine.research.kill.stresses import other_symbols, spans
from engine.research.kill.trials import PageTrials
from engine.research.kill.variants import SIZING, ablations, neighbours
from engine.research.kill.verdict import Check, concluded, judge, leak_check
from engine.sim import trips
from engine.sim.backtest import simulate
from engine.sim.checked import check_sleeve
from engine.sim.request import Plan, Request, SleeveRequest, plan
from tests.fakes import planted, recordings


def planned(
    folder: Path, drift_bps: float, text: str = planted.FOLLOWER, params: dict[str, Any] | None = None, count: int = 6_000
) -> Plan:
    """The follower on `count` bars with an edge of `drift_bps`."""
    planted.record(folder / "bars", drift_bps, count)
    recordings.strategy(folder / "own", "follower", text)
    spec = SleeveRequest("follower", "BTC-USDT", params=params or {})
    request = Request((spec,), timeframe="1h", funding="none")
    return plan(request, Catalog([(folder / "bars", "recorded")]), folder / "own")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A true edge of 50 bps over six bars, five times what a round trip costs."""
    return planned(tmp_path_factory.mktemp("edge"), 50.0, count=13_000)


@pytest.fixture(scope="module")
def judged(edge: Plan) -> dict[str, Any]:
    """Its judgement, with every run that was noted and what was announced."""
    noted: list[Probe] = []
    words: list[str] = []
    found = judge(edge, trials=Noted(noted), announce=words.append)
    return found | {"noted": noted, "words": words}


class Noted(PageTrials):
    """Counts as a page alone does, and keeps the runs."""

    def __init__(self, kept: list[Probe]) -> None:
        self.kept = kept

    def note(self, probe: Probe) -> None:
        """Keep it."""
        self.kept.append(probe)


def by_name(found: dict[str, Any]) -> dict[str, Any]:
    """Checks by name."""
    return {check["name"]: check for check in found["checks"]}


def test_a_true_edge_is_worth_paper(judged: dict[str, Any]) -> None:
    """Every check passes, on plain JSON without NaN."""
    assert judged["verdict"] == "paper", judged["reasons"]
    assert judged["reasons"] == ["all 20 checks passed"]
    kept = {name: value for name, value in judged.items() if name != "noted"}
    json.dumps(kept, allow_nan=False)
    assert {"name", "passed", "value", "limit"} <= set(judged["checks"][0])


def test_the_runs_are_stated_first_and_each_is_noted(judged: dict[str, Any]) -> None:
    """One line with their number before they start; as many probes reach the ledger's seam, of three kinds."""
    assert judged["words"] == [f"{judged['runs']} runs at most over 13,000 bars; its settings count as trials"]
    assert len(judged["noted"]) == judged["runs"]
    kinds = [probe.kind for probe in judged["noted"]]
    assert {kind: kinds.count(kind) for kind in kinds}["baseline"] == 104
    assert kinds.count(CANDIDATE) - len(judged["page"]["symbols"]) == judged["page"]["deflated"]["trials"]


def test_the_base_is_the_backtest(edge: Plan, judged: dict[str, Any]) -> None:
    """The judged run and the run of `nightdesk backtest` are one: journal, net, trips, Sharpe ratio."""
    run = simulate(edge)
    base = judged["page"]["base"]
    assert base["journal_hash"] == run.journal_hash
    assert base["net"] == run.metrics["net_profit"]
    assert base["trades"] == run.metrics["trades"]
    assert base["sharpe"] == pytest.approx(run.metrics["sharpe"])


def test_the_mean_trip_adds_up(judged: dict[str, Any]) -> None:
    """Edge less each cost is the net, which is what the planted drift leaves after 10 bps of fees."""
    part = judged["page"]["feasibility"]
    costs = sum(part[f"{name}_bps"] for name in ("adverse_selection", "fees", "spread", "impact"))
    assert part["edge_bps"] - costs + part["funding_bps"] == pytest.approx(part["net_bps"])
    assert part["fees_bps"] == pytest.approx(10.0, abs=0.1)
    assert 30 < part["edge_bps"] < 70
    assert part["adverse_selection_bps"] == 0.0


def test_adverse_selection_is_what_the_price_does_to_a_resting_entry(tmp_path: Path) -> None:
    """Of limit entries: from the fill's price to the close of its bar, against the position, summed by hand; the mean trip
    still adds up, and resting entries pay no spread."""
    folder = recordings.record(tmp_path / "bars", symbols=("BTC-USDT",))
    request = Request((SleeveRequest("trend", "BTC-USDT", params={"entry": "limit"}),))
    over = JudgedBars(plan(request, Catalog([(folder, "recorded")])))
    base = over.probe(CANDIDATE, "as it is", keep=True)
    part = feasibility(over, base)
    close = dict(zip(over.frame.close_ms.tolist(), over.frame.close.tolist(), strict=True))
    fills = trips.fills(base.rows, trips.traded_sleeves(over.planned, over.loaded.span)).to_dicts()
    against = []
    for trip in base.trips.to_dicts():
        own = [f for f in fills if trip["first_n"] <= f["n"] <= trip["last_n"] and f["slot"] == "entry" and f["maker"]]
        lost = sum(f["side"] * (f["clean_price"] - close[f["close_ms"]]) * f["units"] for f in own)
        against.append(lost / (trip["units"] * trip["entry_price"]) * 10_000)
    assert len(against) > 20
    assert part["adverse_selection_bps"] == pytest.approx(np.mean(against))
    assert part["adverse_selection_bps"] != 0.0
    costs = sum(part[f"{name}_bps"] for name in ("adverse_selection", "fees", "spread", "impact"))
    assert part["edge_bps"] - costs + part["funding_bps"] == pytest.approx(part["net_bps"])
    assert part["fees_bps"] < 9.0  # a maker's entry and a taker's exit


def test_stresses_move_the_way_they_must(judged: dict[str, Any]) -> None:
    """Dearer is worse; a limit of the oracle above leaves fewer trades, each better."""
    page = judged["page"]
    nets = [run["mean_bps"] for run in page["costs"]]
    assert nets == sorted(nets, reverse=True)
    oracle = page["oracle"]
    assert [one["trades"] for one in oracle] == sorted((one["trades"] for one in oracle), reverse=True)
    assert [one["mean_bps"] for one in oracle] == sorted(one["mean_bps"] for one in oracle)
    assert oracle[0]["mean_bps"] > page["base"]["mean_bps"] > page["random"]["mean_bps_high"]
    assert page["random"]["trades_median"] > 0.7 * page["base"]["trades"]
    assert [run["name"] for run in page["symbols"]] == ["binance ETH-USDT", "binance SOL-USDT"]


def test_noise_is_killed(tmp_path: Path) -> None:
    """The same strategy where nothing follows a burst: it loses its costs."""
    found = judge(planned(tmp_path, 0.0))
    assert found["verdict"] == "kill"
    assert not by_name(found)["random_entries"]["passed"]
    assert by_name(found)["plateau"]["value"] is None


@pytest.mark.long
def test_costs_kill_a_small_edge(tmp_path: Path) -> None:
    """An edge below the 10 bps of a round trip: it earns without costs, and is killed with them."""
    over = JudgedBars(planned(tmp_path, 8.0, count=9_000))
    assert over.probe(CANDIDATE, "free", costs=0.0).mean_bps > 0.0
    found = judge(over.planned)
    assert found["verdict"] == "kill"
    assert by_name(found)["net"]["kills"]


@pytest.mark.slow
def test_too_few_trips_neither_pass_nor_kill(tmp_path: Path) -> None:
    """Noise over 900 bars: it loses, and 20-odd trips are no proof of that either."""
    found = judge(planned(tmp_path, 0.0, count=900))
    checks = by_name(found)
    assert 10 < checks["round_trips"]["value"] < 30
    assert not checks["net"]["passed"]
    assert found["verdict"] == "weak"
    assert not any(check["kills"] for check in found["checks"])


def test_other_symbols_are_of_the_same_market_and_kind(edge: Plan) -> None:
    """Perpetuals beside a perpetual; neither spot nor a tagged file nor a synthetic market."""
    folder = edge.catalog.roots[0][0]
    more = {name: planted.bars(50, 0.0, 1, 10.0, 0.001) for name in ("binance_XRP-USDT_spot_1h", "synthetic_BNB-USDT_perp_1h")}
    more["binance_BNB-USDT_perp_1h_other"] = planted.bars(50, 0.0, 1, 10.0, 0.001)
    paths = [recordings.write(folder, name, frame) for name, frame in more.items()]
    try:
        found = other_symbols(edge._replace(catalog=Catalog(edge.catalog.roots)))
    finally:
        for path in paths:
            path.unlink()
    assert [series.symbol for series in found] == ["ETH-USDT", "SOL-USDT"]


def test_a_leak_is_stopped_before_any_run(tmp_path: Path) -> None:
    """A strategy that knows the next close is killed by the look-ahead check alone, and nothing is run."""
    noted: list[Probe] = []
    found = judge(planned(tmp_path, 0.0, recordings.LEAKING), trials=Noted(noted))
    assert found["verdict"] == "kill"
    assert [check["name"] for check in found["checks"]] == ["look_ahead"]
    assert "leaks at bar" in found["reasons"][0]
    assert noted == []
    assert found["page"] is None


def test_what_cannot_be_vouched_for_is_never_worth_paper(edge: Plan, judged: dict[str, Any], tmp_path: Path) -> None:
    """The edge's strategy reads a file: its look-ahead check is undefined, so the best it can be is weak."""
    beside = tmp_path / "beside.txt"
    beside.write_text("1")
    text = planted.FOLLOWER.replace("    before =", f"    open({str(beside)!r}).read()\n    before =")
    recordings.strategy(tmp_path / "own", "follower", text)
    over = JudgedBars(plan(edge.request, edge.catalog, tmp_path / "own"))
    found = leak_check(check_sleeve(over.planned, over.sleeve, over.loaded))
    assert (found.passed, found.value, found.kills) == (False, None, False)
    assert "cannot be vouched for" in found.text
    passed = [Check(**check) for check in judged["checks"][1:]]
    assert concluded([found, *passed])["verdict"] == "weak"


@pytest.mark.long
def test_a_strategy_that_never_trades_is_not_passed_by_what_is_undefined(edge: Plan, tmp_path: Path) -> None:
    """No burst is that large: no trip, no baseline, nothing passes but the look-ahead check; nothing kills either."""
    recordings.strategy(tmp_path / "own", "follower", planted.FOLLOWER.replace("p.times * before", "1e6 * before"))
    found = judge(plan(edge.request, edge.catalog, tmp_path / "own"))
    assert found["verdict"] == "weak"
    assert [check["name"] for check in found["checks"] if check["passed"]] == ["look_ahead"]
    assert by_name(found)["round_trips"]["value"] == 0.0
    assert by_name(found)["net"]["reason"] == "no closed round trip"
    json.dumps(found, allow_nan=False)


def test_neighbours_are_near_valid_and_not_of_sizing(edge: Plan) -> None:
    """Four values a parameter, whole where it is whole, none of sizing, none that the strategy refuses."""
    over = JudgedBars(edge)
    found = neighbours(over)
    assert [v.value for v in found if v.key == "times"] == pytest.approx([3.0, 3.6, 4.4, 5.0])
    assert [v.value for v in found if v.key == "follow_bars"] == [4, 5, 7, 8]
    assert not {v.key for v in found} & set(SIZING)
    assert all(over.params_with({v.key: v.value}) != over.sleeve.params for v in found)
    assert agenda(over).near == found


def test_ablation_takes_away_what_is_on(tmp_path: Path) -> None:
    """A target that is set can be switched off, its default too; a changed threshold is set back; no stop is not valid."""
    over = JudgedBars(planned(tmp_path, 50.0, params={"target_atr": 4.0, "times": 3.0}))
    assert [(v.key, v.value, v.how) for v in ablations(over)] == [("times", 4.0, "default"), ("target_atr", 0.0, "off")]


def test_windows_are_thirds_that_meet(edge: Plan) -> None:
    """Three spans without a gap or an overlap, over all bars."""
    over = JudgedBars(edge)
    found = spans(over)
    assert [b for _, b in found[:-1]] == [a for a, _ in found[1:]]
    assert found[0][0] == recordings.FIRST_MS
    assert found[-1][1] == int(over.close_ms[-1])
    assert sum(len(over.within(a, b).close_ms) for a, b in found) == len(over.close_ms)


def test_two_sleeves_are_not_judged(edge: Plan) -> None:
    """One strategy on one symbol; anything else is one clear line."""
    with pytest.raises(BadInput, match="2 sleeves to judge"):
        JudgedBars(edge._replace(sleeves=edge.sleeves * 2))


def test_a_judgement_repeats(edge: Plan, judged: dict[str, Any]) -> None:
    """Draws are seeded: the same bars and settings give the same random entries to the last digit."""
    from engine.research.kill.baselines import random_entries

    over = JudgedBars(edge)
    base = over.probe(CANDIDATE, "as it is", keep=True)
    again = [random_entries(over, base, seed) for seed in range(3)]
    first = [probe for probe in judged["noted"] if probe.name in ("random 0", "random 1", "random 2")]
    assert [p.journal_hash for p in again] == [p.journal_hash for p in first]
    assert len({p.journal_hash for p in again}) == 3
    assert np.isfinite([p.net for p in again]).all()
