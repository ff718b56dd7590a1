"""A sweep is as many single runs, bit for bit; each variation counts once; one that fails fails alone."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from engine.clock import utc
from engine.control.desk_setup import DeskSetup, desk_setup
from engine.errors import BadInput
from engine.research import grid, partly, search, sweep
from engine.research.family import Hypothesis, hypothesis_in
from engine.research.ledger import figures_of, hypothesis_report, note_run, place_of, place_of_run
from engine.sim import resolve
from engine.sim.backtest import simulate
from engine.store import trials
from engine.strategies import trend
from tests.engine.research.conftest import Planner
from tests.fakes import recordings

ASKED = {"strategy": "trend", "symbol": "BTC-USDT"}
# every road of a run: signals, distances, sizing, fades, layers, limit entries
SPACE = {
    "fast_bars": "5:45:10", "slow_bars": "60,120", "stop_atr": "0.5:4:0.5", "trail_atr": "0,1,2.5", "fade_below": "0,0.4",
    "layers_max": "1,3",
}  # fmt: skip
MORE = {
    "entry": "market,limit",
    "band_atr": "0:2:0.25",
    "vol_target": "0,0.3",
    "risk_start_frac": "0.001,0.005",
    "atr_bars": "7,14",
}
FAILING = '''"""Fails for some parameters."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "failing"
FEATURES = ("sma",)


class Params(StrategyParams):
    """Its own."""

    window: int = knob(10, 2, 100, "bars", None, "window")


def signals(f, p):
    """Raises at window 20, says too much at 30."""
    if p.window == 20:
        raise ValueError("no such window")
    side = np.sign(f.close - f.sma(p.window)).astype(np.int8)
    return SignalFrame(np.where(np.isnan(f.sma(p.window)), 0, side * (2 if p.window == 30 else 1)), np.ones(len(f)))
'''


def asked(vary: dict[str, str], **more: Any) -> dict[str, Any]:
    """Arguments of a sweep."""
    return {"strategy": "trend", "symbols": ["BTC-USDT"], "vary": vary, "workers": 2, **more}


def assert_equal_to_single_runs(make: Planner, vary: dict[str, str], count: int, seed: int, **more: Any) -> int:
    """Every figure of every variation equals that of its own run; returns how many there were."""
    runner = sweep.Runner(make({**ASKED, **more}))
    space = grid.drawn(runner.sleeve.strategy, runner.sleeve.params, vary, count, seed)
    for tried in sweep.run_all(runner, space.chosen, 2):
        params = dict(zip(space.keys, tried.variation.values, strict=True))
        run = simulate(make({**ASKED, **more, "params": params}))
        curve = next(iter(run.curves.values()))
        alone = figures_of(run.report, run.close_ms, curve, run.plan.clock_ms)
        assert tried.figures is not None, tried.error
        assert np.array_equal(tried.figures.returns, alone.returns)
        assert tried.figures._replace(returns=alone.returns) == alone
        assert runner.plan_of(tried.variation.params).cache_key == run.plan.cache_key
    return len(space.chosen)


@pytest.mark.slow
@pytest.mark.parametrize("fills", ["pessimistic", pytest.param("optimistic", marks=pytest.mark.long)])
def test_a_sweep_equals_its_single_runs(make: Planner, fills: str) -> None:
    """Drawn from parameters that change signals, exits, sizing and orders."""
    assert assert_equal_to_single_runs(make, SPACE, 7, 1, fills=fills) == 7
    assert assert_equal_to_single_runs(make, MORE, 7, 2, fills=fills, side="long") == 7


@pytest.mark.long
def test_three_hundred_variations_equal_their_single_runs(make: Planner) -> None:
    """The same of many, a part of the span among them."""
    done = sum(assert_equal_to_single_runs(make, space, 100, 7) for space in (SPACE, MORE))
    assert done + assert_equal_to_single_runs(make, SPACE, 100, 9, start="2025-01-07T05:00", end="2025-01-20") == 300


def test_signals_are_computed_once_for_those_that_agree_on_what_is_read(make: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten stops of three averages are three evaluations; the words of an entry decide whether its offset is read."""
    calls, lock, real = [], threading.Lock(), trend.signals

    def counted(f: Any, p: Any) -> Any:
        with lock:
            calls.append(p.fast_bars)
        return real(f, p)

    monkeypatch.setattr(trend, "signals", counted)
    runner = sweep.Runner(make(ASKED))
    space = grid.grid(trend, runner.sleeve.params, {"fast_bars": "10,20,30", "stop_atr": "0.5:5:0.5", "limit_offset_atr": "0,1"})
    assert len(list(sweep.run_all(runner, space.chosen, 2))) == 60
    assert sorted(calls) == [10, 20, 30]


def test_one_variation_that_fails_fails_alone(tmp_path: Path, desk: DeskSetup, ledger: Engine) -> None:
    """It is named with its values; the others have figures; it is no trial."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "failing.py").write_text(FAILING)
    make = lambda args: resolve.planned(desk, desk.catalog(), args, tmp_path / "own")  # noqa: E731 - a planner
    found = search.sweep(make, ledger, None, asked({"window": "10,20,30,40"}, strategy="failing"))
    assert {one["params"]["window"]: one["error"] for one in found["failed"]}.keys() == {20, 30}
    assert "no such window" in found["failed"][0]["error"]
    assert "failing" in found["failed"][1]["error"]
    assert sorted(row[0] for row in found["rows"]) == [10, 40]
    assert found["new_trials"] == len(trials.of_hypothesis(ledger, found["hypothesis"])) == 2


def test_a_sweep_counts_each_variation_once(make: Planner, ledger: Engine) -> None:
    """Run again it is not computed again; widened, only what is new is; a single run of one of them is the same trial."""
    first = search.sweep(make, ledger, None, asked({"stop_atr": "1,2,3"}))
    again = search.sweep(make, ledger, None, asked({"stop_atr": "1,2,3"}))
    wider = search.sweep(make, ledger, None, asked({"stop_atr": "1,2,3,4"}))
    assert (first["new_trials"], again["new_trials"], wider["new_trials"]) == (3, 0, 1)
    assert again["rows"] == first["rows"]
    row = note_run(ledger, simulate(make({**ASKED, "params": {"stop_atr": 3.0}})), "command", 5)
    assert len(trials.of_hypothesis(ledger, first["hypothesis"])) == 4
    assert row.source == "sweep"
    assert place_of(ledger, row).trials == 4
    assert place_of(ledger, row).plateau.neighbours == 2


def test_a_sweep_that_was_stopped_goes_on(make: Planner, ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept before is not run again, and nothing counts twice."""
    whole = search.sweep(make, ledger, None, asked({"fast_bars": "10,20", "stop_atr": "1:4:0.5"}, side="long"))
    monkeypatch.setattr(search, "BLOCK", 4)
    ran: list[Any] = []
    real = sweep.run_one

    def stopping(runner: Any, bench: Any, group: Any, variation: Any) -> Any:
        ran.append(variation.values)
        if len(ran) == 10:
            raise KeyboardInterrupt
        return real(runner, bench, group, variation)

    monkeypatch.setattr(sweep, "run_one", stopping)
    vary = {"fast_bars": "10,20", "stop_atr": "1:4:0.5"}
    with pytest.raises(KeyboardInterrupt):
        search.sweep(make, ledger, None, asked(vary, workers=1))
    name = whole["hypothesis"]
    kept = len(trials.of_hypothesis(ledger, name)) - whole["variations"]
    assert 0 < kept < 10
    found = search.sweep(make, ledger, None, asked(vary, workers=1))
    assert found["new_trials"] == 14 - kept
    assert len(trials.of_hypothesis(ledger, name)) == 28
    assert sorted(row.number for row in trials.of_hypothesis(ledger, name)) == list(range(1, 29))


def test_costs_span_and_side_make_another_trial_and_a_rerun_does_not(make: Planner, ledger: Engine, desk: DeskSetup) -> None:
    """A trial is parameters, span, costs and code; its hypothesis stays the same."""
    base = note_run(ledger, simulate(make(ASKED)), "command", 1)
    same = note_run(ledger, simulate(make({**ASKED, "params": {"stop_atr": 2.0}})), "chat", 2)  # the default, spelled out
    shorter = note_run(ledger, simulate(make({**ASKED, "end": "2025-01-20"})), "chat", 3)
    free = note_run(ledger, simulate(make({**ASKED, "funding": "none"})), "chat", 4)
    other = note_run(ledger, simulate(make({**ASKED, "symbol": "ETH-USDT"})), "chat", 5)
    assert (base.number, same.number, shorter.number, free.number, other.number) == (1, 1, 2, 3, 1)
    assert base.id == same.id
    assert base.hypothesis == shorter.hypothesis == free.hypothesis == "trend on BTC-USDT perp"
    assert other.hypothesis == "trend on ETH-USDT perp"


def test_a_copied_file_stays_in_its_family(tmp_path: Path, desk: DeskSetup, ledger: Engine) -> None:
    """What was tried with the copy counts for the original, and the other way round."""
    own = tmp_path / "own"
    own.mkdir()
    text = Path(trend.__file__).read_text(encoding="utf-8").replace('NAME = "trend"', 'NAME = "brand_new"')
    (own / "brand_new.py").write_text(text.replace("fast_bars", "quick").replace("0.5, 0.0, 10.0", "0.7, 0.0, 10.0"))
    make = lambda args: resolve.planned(desk, desk.catalog(), args, own)  # noqa: E731 - a planner
    note_run(ledger, simulate(make(ASKED)), "command", 1)
    copy = note_run(ledger, simulate(make({**ASKED, "strategy": "brand_new"})), "command", 2)
    assert copy.hypothesis == "trend on BTC-USDT perp"
    assert copy.number == 2
    assert place_of(ledger, copy).text.startswith("variant 2 of 2 of the hypothesis trend on BTC-USDT perp; deflated Sharpe ")


def test_several_symbols_are_one_book(make: Planner, ledger: Engine) -> None:
    """Equal money on each: the return is their mean, the drawdown that of the worst."""
    vary = {"stop_atr": "1,3"}
    both = search.sweep(make, ledger, None, asked(vary, symbols=["BTC-USDT", "ETH-USDT"]))
    alone = [search.sweep(make, ledger, None, asked(vary, symbols=[symbol])) for symbol in ("BTC-USDT", "ETH-USDT")]
    rows = [{row[0]: row for row in found["rows"]} for found in (both, *alone)]
    for stop in (1.0, 3.0):
        whole, *parts = (found[stop] for found in rows)
        assert whole[2] == pytest.approx(np.mean([part[2] for part in parts]), rel=1e-12)
        assert whole[3] == max(part[3] for part in parts)
        assert whole[4] == sum(part[4] for part in parts)
    assert both["hypothesis"] == "trend on BTC-USDT perp, ETH-USDT perp"


def test_symbols_with_other_spans_are_compared_on_the_days_that_all_have(tmp_path: Path, ledger: Engine) -> None:
    """Return, drawdown and round trips too: they are those of runs on these days."""
    folder = recordings.record(tmp_path / "bars", 3_500)
    late = recordings.bars(3_500, seed=2, price=3_000.0, tick=0.01)[960:]
    recordings.write(folder, "binance_ETH-USDT_perp_15m", late)
    desk = desk_setup(tmp_path / "home", {"NIGHTDESK_DATA": str(folder)})
    make = lambda args: resolve.planned(desk, desk.catalog(), args)  # noqa: E731 - a planner
    symbols = ["BTC-USDT", "ETH-USDT"]
    found = search.sweep(make, ledger, None, asked({"stop_atr": "1,3"}, symbols=symbols))
    start = utc(found["first_ms"])
    for stop, _, total, fall, trips, *_ in found["rows"]:
        alone = [simulate(make({**ASKED, "symbol": s, "start": start, "params": {"stop_atr": stop}})).report for s in symbols]
        figures = [report["metrics"] for report in alone]
        assert total == pytest.approx(np.mean([one["total_return_frac"] for one in figures]), rel=1e-12)
        assert fall == max(one["max_drawdown_frac"] for one in figures)
        assert trips == sum(one["trades"] for one in figures)
        assert alone[0]["data"]["first_ms"] == found["first_ms"]


def test_slow_variations_are_kept_soon(make: Planner, ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sweep that is killed few are lost: blocks shrink to one when a variation takes long."""
    sizes: list[int] = []
    real = trials.keep
    monkeypatch.setattr(search, "BLOCK_S", -1.0)
    monkeypatch.setattr(trials, "keep", lambda engine, rows: sizes.append(len(rows)) or real(engine, rows))
    search.sweep(make, ledger, None, asked({"stop_atr": "1:4:0.1"}))
    assert sizes == [16, 8, 4, 2, 1]


def test_a_trial_of_other_money_replaces_nothing(make: Planner, ledger: Engine) -> None:
    """With next to no cash nothing is traded: the figures of the trial before stay in the ledger."""
    vary = {"stop_atr": "1,3"}
    first = search.sweep(make, ledger, None, asked(vary))
    search.sweep(make, ledger, None, asked(vary, cash=0.001))
    kept = [row.sharpe for row in trials.of_hypothesis(ledger, first["hypothesis"])]
    assert sorted(x for x in kept[:2] if x is not None) == sorted(row[1] for row in first["rows"])
    assert len(kept) == 4


def test_a_best_of_noise_is_said_to_be_luck(make: Planner, ledger: Engine) -> None:
    """The bars are a random walk: whatever is best of many variations is not beyond luck."""
    found = search.sweep(make, ledger, None, asked({"fast_bars": "5:50:5", "slow_bars": "60:200:20", "stop_atr": "1,2,4"}))
    assert found["variations"] == 240
    assert found["verdict"].startswith("Not beyond luck")
    assert found["best"]["trial"]["deflated_sharpe"] < 0.95
    assert found["heat"]["rows"] == "fast_bars"
    best = max(ratio for line in found["heat"]["sharpe"] for ratio in line if ratio is not None)
    assert best == found["best"]["sharpe"]


def test_optuna_runs_different_variations_and_counts_them(make: Planner, ledger: Engine) -> None:
    """As many trials as were asked for, none twice; the same search again computes nothing."""
    vary = {"fast_bars": "5:50:5", "stop_atr": "0.5:5:0.5"}
    found = search.sweep(make, ledger, None, asked(vary, search="optuna", trials=8))
    assert (found["variations"], found["new_trials"]) == (8, 8)
    again = search.sweep(make, ledger, None, asked(vary, search="optuna", trials=8))
    assert again["new_trials"] == 0
    assert again["rows"] == found["rows"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"search": "luck"}, "unknown search"),
        ({"symbols": []}, "0 symbols"),
        ({"workers": 0}, "out of bounds"),
        ({"search": "random", "trials": 10**7}, "out of bounds"),
        ({"limits": "wide"}, "under the desk's limits"),
        ({"search": "optuna", "seed": 2**32}, "--seed 4294967296 is out of bounds"),
        ({"search": "random", "seed": "x"}, "--seed 'x' is not a whole number"),
        ({"workers": "many"}, "--workers 'many' is not a whole number"),
        ({"end": "2025-01-01T00:15"}, "that span has one bar"),
    ],
)
def test_what_cannot_be_swept_is_one_line(make: Planner, ledger: Engine, more: dict[str, Any], said: str) -> None:
    """And no trial comes of it."""
    with pytest.raises(BadInput) as error:
        search.sweep(make, ledger, None, asked({"stop_atr": "1,2"}, **more))
    assert said in str(error.value)
    assert trials.hypotheses(ledger) == []


def test_the_ledger_is_read_by_a_part_of_a_name(make: Planner, ledger: Engine) -> None:
    """Best first, with what differs from the best."""
    with pytest.raises(BadInput, match="empty"):
        hypothesis_report(ledger, "trend", 5)
    search.sweep(make, ledger, None, asked({"stop_atr": "1,2,3"}))
    found = hypothesis_report(ledger, "TREND", 2)
    assert found["trials"] == 3
    assert len(found["rows"]) == 2
    assert found["rows"][0][-1] == "the best"
    assert found["rows"][1][-1].startswith("stop_atr=")
    with pytest.raises(BadInput, match="no hypothesis contains"):
        hypothesis_report(ledger, "sol", 5)
    assert hypothesis_report(ledger, None, 5)["hypotheses"][0]["trials"] == 3
    assert place_of_run(ledger, "r-20250101-00000000") is None


@pytest.mark.long
@pytest.mark.parametrize(
    ("strategy", "symbol", "timeframe", "span"),
    [
        ("trend", "BTC-USDT", "15m", ("2025-01", "2025-07")),
        ("reversion", "ETH-USDT", "1h", ("2023", "2025")),
        ("cross", "SOL-USDT", "15m", ("2025-03", "2025-06")),
    ],
)
def test_twelve_variations_on_recorded_bars_equal_their_single_runs(
    market_data: Path, tmp_path: Path, strategy: str, symbol: str, timeframe: str, span: tuple[str, str]
) -> None:
    """Recorded bars have holes, settlements and marks that made ones have not."""
    desk = desk_setup(tmp_path / "home", {"NIGHTDESK_DATA": str(market_data)})
    make = lambda args: resolve.planned(desk, desk.catalog(), args)  # noqa: E731 - a planner
    more = {"strategy": strategy, "symbol": symbol, "timeframe": timeframe, "start": span[0], "end": span[1]}
    space = {"stop_atr": "0.5:5:0.5", "trail_atr": "0,1,2.5", "target_atr": "0,3,6", "vol_target": "0,0.3", "layers_max": "1,3"}
    assert assert_equal_to_single_runs(make, space, 12, 5, **more) == 12


def test_what_was_found_so_far_is_shown_best_first(make: Planner, ledger: Engine) -> None:
    """One that cannot run comes last, without a figure; a table with many rows is cut and says so."""
    shown: list[Any] = []
    args = {"strategy": "trend", "symbol": "BTC-USDT", "vary": {"stop_atr": "1,2,3"}}
    search.sweep(make, ledger, None, args, partly=lambda table: shown.append(table()))
    assert [table["text"] for table in shown] == [f"{n} of 3 variations run, best first" for n in (1, 2, 3)]
    ratios = [row[-1] for row in shown[-1]["rows"]]
    assert ratios == sorted(ratios, reverse=True)
    long = partly.table("all", ["n"], [[n] for n in range(201)])
    assert (len(long["rows"]), long["text"]) == (200, "all; the first 200 of 201 rows")


def test_the_best_of_several_symbols_does_not_begin_anew_on_one_of_them(make: Planner, ledger: Engine) -> None:
    """Its trials on both count where it is run on one of both, not where a symbol was never among them, nor other code's."""
    asked = {"strategy": "trend", "start": "2025-01-03", "end": "2025-01-30"}
    search.sweep(make, ledger, None, {**asked, "symbols": ["BTC-USDT", "ETH-USDT"], "vary": {"stop_atr": "1,2,3,4"}})
    alone = note_run(ledger, simulate(make({**asked, "symbol": "BTC-USDT", "params": {"stop_atr": 2.0}})), "command", 2)
    place = place_of(ledger, alone)
    assert (place.number, place.trials, place.elsewhere) == (1, 5, 4)
    assert "the only variant so far of the hypothesis trend on BTC-USDT perp, and 4 of the same code on sets that" in place.text
    other = note_run(ledger, simulate(make({**asked, "strategy": "reversion", "symbol": "BTC-USDT"})), "command", 3)
    assert place_of(ledger, other).trials == 1
    made = Hypothesis("trend", "BTC-USDT perp", True)
    assert hypothesis_in(made.name) == made
    assert not made.shares(hypothesis_in(place.hypothesis))
    assert not made.shares(made._replace(instruments="ETH-USDT perp, SOL-USDT perp"))
    assert made.shares(made._replace(instruments="BTC-USDT perp, SOL-USDT perp"))


EDITED = {
    "dead_parameter": (
        "class Params(StrategyParams):",
        'class Params(StrategyParams):\n    extra: float = knob(1.0, 0, 9, "x", None, "nothing")',
    ),
    "dead_line": (
        "    return SignalFrame(direction, strength, limit",
        "    unused = 1 + 2\n    assert unused\n    return SignalFrame(direction, strength, limit",
    ),
    "loop": (
        "    return SignalFrame(direction, strength, limit",
        "    for _ in range(1):\n        pass\n    return SignalFrame(direction, strength, limit",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", EDITED)
def test_code_with_the_results_of_another_family_is_that_family_s(
    tmp_path: Path, desk: DeskSetup, ledger: Engine, way: str
) -> None:
    """Also what was tried with it before the two gave the same, numbered behind; code with other results stays alone."""
    own = tmp_path / "own"
    own.mkdir()
    text = Path(trend.__file__).read_text(encoding="utf-8").replace('NAME = "trend"', 'NAME = "brand_new"')
    assert EDITED[way][0] in text
    (own / "brand_new.py").write_text(text.replace(*EDITED[way], 1))
    make = lambda args: resolve.planned(desk, desk.catalog(), args, own)  # noqa: E731 - a planner
    copied = {**ASKED, "strategy": "brand_new"}
    first = note_run(ledger, simulate(make({**copied, "params": {"stop_atr": 3.5}})), "command", 1)
    assert (first.hypothesis, first.number) == ("brand_new on BTC-USDT perp", 1)
    note_run(ledger, simulate(make(ASKED)), "command", 2)
    note_run(ledger, simulate(make({**ASKED, "params": {"stop_atr": 3.0}})), "command", 3)
    same = note_run(ledger, simulate(make(copied)), "command", 4)
    assert (same.hypothesis, same.number) == ("brand_new on BTC-USDT perp", 4)
    assert {name: len(trials.of_hypothesis(ledger, name)) for name in trials.names_of(ledger)} == {
        "brand_new on BTC-USDT perp": 4
    }
    later = note_run(ledger, simulate(make({**ASKED, "params": {"stop_atr": 4.0}})), "command", 5)
    assert (later.hypothesis, later.number) == ("brand_new on BTC-USDT perp", 5)
    other = note_run(ledger, simulate(make({**ASKED, "strategy": "reversion"})), "command", 6)
    assert other.hypothesis == "reversion on BTC-USDT perp"
