"""A walk-forward: windows that never meet, one run of the engine through all of them, tables that can be computed by hand."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from engine.clock import DAY_MS, HOUR_MS
from engine.core.state import ENTRY, K_FILL
from engine.errors import BadInput
from engine.research import grid, search_forward, sweep, walkforward
from engine.research.ledger import hypothesis_report
from engine.research.windows import Fold, audit, folds_of, length_ms
from engine.sim.backtest import simulate
from engine.store import trials
from engine.strategies import trend
from tests.engine.research.conftest import Planner

BAR = 900_000
ASKED = {"strategy": "trend", "symbol": "BTC-USDT"}
VARY = {"fast_bars": "10,30", "stop_atr": "1,3"}
LENGTHS = {"train": "10d", "test": "3d", "embargo": "1h"}


def closes(days: float, start: int = 0) -> np.ndarray:
    """Closes of 15-minute bars over so many days."""
    return start + BAR * np.arange(1, int(days * 96) + 1, dtype=np.int64)


def runner_of(make: Planner) -> sweep.Runner:
    """The bars of the tests."""
    return sweep.Runner(make(ASKED))


def chosen_of(make: Planner, runner: sweep.Runner, **more: Any) -> tuple[list[Fold], list[walkforward.FoldChoice]]:
    """Folds of ten and three days, and their choices."""
    folds = search_forward.folds_in(runner, {**search_forward.DEFAULTS, **LENGTHS, **more})
    space = grid.grid(trend, runner.sleeve.params, VARY)
    return folds, walkforward.choose(runner, folds, space.chosen)


@given(st.integers(3, 40), st.integers(1, 9), st.integers(0, 12), st.floats(20, 90), st.integers(0, 5), st.integers(0, 10**12))
def test_no_training_bar_is_ever_tested_by_its_fold(train: int, test: int, gap: int, days: float, more: int, start: int) -> None:
    """Training ends an embargo before its test begins, tests follow each other, and the audit agrees; by bar numbers."""
    close_ms = closes(days, start // BAR * BAR)
    lengths = train * DAY_MS, test * DAY_MS, (test + more) * DAY_MS, gap * HOUR_MS
    if sum(lengths[:2]) + lengths[3] > len(close_ms) * BAR:
        with pytest.raises(BadInput, match="one fold takes"):
            folds_of(close_ms, BAR, *lengths)
        return
    folds = folds_of(close_ms, BAR, *lengths)
    tested: set[int] = set()
    for fold in folds:
        assert fold.train[1] - fold.train[0] == train * 96
        assert fold.test[0] - fold.train[1] == gap * 4
        assert not tested & set(range(*fold.test))
        tested |= set(range(*fold.test))
    assert folds[-1].until == folds[-1].test[1] == max(tested) + 1
    assert audit(folds, close_ms, BAR).clean


def test_the_audit_sees_an_overlap() -> None:
    """It looks at times alone, so it finds what folds_of would never make."""
    close_ms = closes(30)
    folds = folds_of(close_ms, BAR, 10 * DAY_MS, 3 * DAY_MS, 3 * DAY_MS, HOUR_MS)
    assert audit(folds, close_ms, BAR).text.startswith("7 folds: no training interval meets its test interval (at least 4 bars")
    into = [folds[0], folds[1]._replace(train=(folds[1].train[0], folds[1].test[0] + 1)), *folds[2:]]
    assert audit(into, close_ms, BAR).text.startswith("fold 2: training ends at")
    twice = [folds[0]._replace(test=(folds[0].test[0], folds[1].test[0] + 1)), *folds[1:]]
    assert audit(twice, close_ms, BAR) == (False, "folds 1 and 2 test the same bars")


@pytest.mark.parametrize("text", ["", "60", "d", "1.5d", "-3d", "0d", "60 days", "1e3d", "9999999d"])
def test_a_length_that_is_none_is_one_line(text: str) -> None:
    """60d, 12h, 90m, 2w."""
    with pytest.raises(BadInput, match="not a length of time"):
        length_ms(text, "train")


def test_one_variation_in_every_fold_is_one_plain_run(make: Planner) -> None:
    """Equity and journal rows over the test windows are those of a backtest over the same bars: nothing happens at an edge."""
    runner = runner_of(make)
    folds, chosen = chosen_of(make, runner)
    assert len(folds) == 9
    same = [one._replace(variation=chosen[0].variation) for one in chosen]
    found = walkforward.stitch(walkforward.windows_of(runner, same), "carry")
    first = int(runner.span.close_ms[folds[0].test[0]]) - BAR
    end = int(runner.span.close_ms[folds[-1].until - 1])
    params = dict(zip(VARY, same[0].variation.values, strict=True))
    alone = simulate(make({**ASKED, "start": first, "end": end, "params": params}))
    assert np.array_equal(found.equity, alone.curves["pessimistic"])
    assert blake3(np.ascontiguousarray(found.rows).view(np.uint8)).hexdigest() == alone.journal_hash
    assert found.edges[-1].sleeve.ledger.trips == alone.metrics["trades"]


def test_a_fold_chooses_what_was_best_in_its_own_past(make: Planner) -> None:
    """Each choice recomputed by single backtests of the training window; bars behind it change nothing."""
    runner = runner_of(make)
    folds, chosen = chosen_of(make, runner)
    for one in (chosen[0], chosen[5]):
        start, end = (int(runner.span.close_ms[k]) for k in (one.fold.train[0], one.fold.train[1] - 1))
        ratios = {}
        for fast in (10, 30):
            for stop in (1.0, 3.0):
                params = {"fast_bars": fast, "stop_atr": stop}
                run = simulate(make({**ASKED, "start": start - BAR, "end": end, "params": params}))
                ratios[fast, stop] = run.metrics["sharpe"]
        assert one.variation.values == max(ratios, key=lambda values: ratios[values])
        assert one.train_sharpe == max(ratios.values())
    cut = sweep.Runner(make({**ASKED, "end": int(runner.span.close_ms[folds[2].until - 1])}))
    earlier = chosen_of(make, cut)[1]
    assert [one.variation for one in earlier[:3]] == [one.variation for one in chosen[:3]]


def test_positions_are_closed_at_the_edges_when_asked_for(make: Planner) -> None:
    """At the first open behind each window nothing of it is left, and it costs what leaving costs."""
    runner = runner_of(make)
    _, chosen = chosen_of(make, runner)
    carried, closed = (walkforward.stitch(walkforward.windows_of(runner, chosen), edges) for edges in ("carry", "close"))
    held = [edge.sleeve.position for edge in carried.edges]
    assert any(position.open_layers for position in held)
    for edge in closed.edges[:-1]:
        layers = edge.sleeve.position.layers[: edge.sleeve.position.open_layers]
        assert all(layer.exit_pending for layer in layers)
        assert edge.sleeve.order.side == 0
    assert closed.edges[-1].ledger.trips >= carried.edges[-1].ledger.trips


def test_between_test_windows_nothing_is_entered(make: Planner) -> None:
    """With a step longer than the test."""
    runner = runner_of(make)
    folds, chosen = chosen_of(make, runner, step="5d")
    found = walkforward.stitch(walkforward.windows_of(runner, chosen), "carry")
    fills, close_ms = found.rows[found.rows["kind"] == K_FILL], runner.span.close_ms
    entries = fills[fills["code"] == ENTRY]
    assert len(entries) > 5
    for fold in folds[:-1]:
        gap = close_ms[fold.test[1] + 1], close_ms[fold.until - 1]
        assert not ((entries["close_ms"] > gap[0]) & (entries["close_ms"] <= gap[1])).any()


def test_the_report_adds_up(make: Planner, ledger: Engine) -> None:
    """Fold returns multiply to the total; windows won are those above zero; holding is the price's own move."""
    found = search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY})
    at = {name: found["columns"].index(name) for name in ("return_frac", "hold_frac", "trips", "fast_bars", "train_sharpe")}
    rows = found["rows"]
    assert np.prod([1 + row[at["return_frac"]] for row in rows]) == pytest.approx(1 + found["metrics"]["total_return_frac"])
    assert np.prod([1 + row[at["hold_frac"]] for row in rows]) == pytest.approx(1 + found["baselines"][1]["total_return_frac"])
    assert found["summary"]["won"] == sum(row[at["return_frac"]] > 0 for row in rows[:-1])
    assert sum(row[at["trips"]] for row in rows) == found["metrics"]["trades"] + found["metrics"]["open_trades"]
    fast = [row[at["fast_bars"]] for row in rows]
    assert found["drift"]["fast_bars"]["changed"] == sum(a != b for a, b in pairwise(fast[:-1]))
    assert found["audit"]["clean"]
    names = [one["name"] for one in found["baselines"]]
    assert names[:2] == ["this walk-forward", "hold"]
    assert names[3] == "random entries, same exits (median of 100)"
    assert 0.0 < found["baselines"][3]["luck"] <= 1.0
    again = search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY})
    assert again["trial"]["trials"] == found["trial"]["trials"] == 1
    other = search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY, "edges": "close"})
    assert other["trial"]["number"] == 2
    listed = hypothesis_report(ledger, "trend", 5)["rows"]
    assert [row[-1] for row in listed] == [
        "walk-forward over fast_bars, stop_atr, the best",
        "walk-forward over fast_bars, stop_atr",
    ]
    assert {row.source for row in trials.of_hypothesis(ledger, "trend on BTC-USDT perp")} == {"walkforward"}


def test_every_ratio_is_of_all_the_days_that_the_return_is_of(make: Planner, ledger: Engine) -> None:
    """An embargo of an hour starts each test at 01:00: days are counted from there, by hand here, and compound to the return."""
    found = search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY})
    runner = runner_of(make)
    folds, chosen = chosen_of(make, runner)
    curve = np.append(10_000.0, walkforward.stitch(walkforward.windows_of(runner, chosen), "carry").equity)
    start, at = folds[0].test[0], {name: found["columns"].index(name) for name in ("sharpe", "return_frac", "test_to")}

    def by_hand(marks: np.ndarray) -> float:
        daily = np.diff(marks) / marks[:-1]
        return float(daily.mean() / daily.std(ddof=1) * np.sqrt(365))

    for fold, row in zip(folds[:-1], found["rows"], strict=False):
        first = fold.test[0] - start
        marks = curve[[first, first + 96, first + 192, first + 288]]
        assert row[at["sharpe"]] == pytest.approx(by_hand(marks), rel=1e-9)
        assert row[at["return_frac"]] == pytest.approx(marks[-1] / marks[0] - 1.0)
    whole = curve[[*range(0, len(curve) - 1, 96), len(curve) - 1]]
    assert found["metrics"]["sharpe"] == pytest.approx(by_hand(whole), rel=1e-9)
    (row,) = trials.of_hypothesis(ledger, found["hypothesis"])
    assert row.days == len(whole) - 1 == 27
    assert row.daily_from_ms == int(runner.span.close_ms[start]) - BAR
    assert np.prod(1 + trials.daily_of(row)) == pytest.approx(1 + found["metrics"]["total_return_frac"], rel=1e-6)
    assert found["days_text"].endswith("of days of 24 hours from 01:00 UTC, as the test windows begin, the last one of 10h")


@pytest.mark.slow
def test_a_window_that_the_data_cuts_short_is_no_window_won_or_lost(make: Planner, ledger: Engine) -> None:
    """It is traded and shown with its end; counts, median and drift are of the whole ones, and the report says so."""
    found = search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY})
    at = found["columns"].index("return_frac")
    assert len(found["rows"]) == 9
    assert found["summary"]["folds"] == 8
    assert found["summary"]["median_return_frac"] == float(np.median([row[at] for row in found["rows"][:-1]]))
    assert found["not_counted"].startswith("last window of 58h, cut short by the end of the bars")
    assert f"{found['summary']['won']} of 8 test windows won" in found["verdict"]
    end = int(runner_of(make).span.close_ms[folds_in_all(make)[7].test[1] - 1])
    whole = search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY, "end": end})
    assert (whole["not_counted"], whole["summary"]["folds"], len(whole["rows"])) == (None, 8, 8)
    assert whole["summary"] == found["summary"]


def folds_in_all(make: Planner) -> list[Fold]:
    """The folds of all the bars."""
    return search_forward.folds_in(runner_of(make), {**search_forward.DEFAULTS, **LENGTHS})


def test_entries_in_place_of_the_strategy_s_own_are_the_only_ones(make: Planner) -> None:
    """As many trips begin as were given, on their sides; with the strategy's own entries the curve is its own."""
    runner = runner_of(make)
    _, chosen = chosen_of(make, runner)
    own = walkforward.stitch(walkforward.windows_of(runner, chosen), "carry")
    start, end = chosen[0].fold.test[0], chosen[-1].fold.until
    sides = np.zeros(end - start)
    sides[[50, 400, 900]] = [1, -1, 1]
    found = walkforward.stitch(walkforward.windows_of(runner, chosen), "carry", sides)
    assert found.edges[-1].sleeve.entries == 3
    assert len(found.rows) == 0
    assert not np.array_equal(found.equity, own.equity)
    assert np.array_equal(found.equity[:51], np.full(51, 10_000.0))


@pytest.mark.slow
def test_a_walk_forward_is_one_trial_however_it_is_spelled(make: Planner, ledger: Engine) -> None:
    """Hours for days, the default step; another draw of variations is another trial."""
    same: list[dict[str, Any]] = [
        {},
        {"train": "240h", "embargo": "60m", "step": "3d"},
        {"search": "random", "trials": 4},
    ]
    other: list[dict[str, Any]] = [{"search": "random", "trials": 2, "seed": seed} for seed in (1, 3)]
    asked = {**ASKED, **LENGTHS, "vary": VARY}
    numbers = [search_forward.walkforward(make, ledger, None, {**asked, **more})["trial"]["number"] for more in (*same, *other)]
    assert numbers == [1, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"train": "90d"}, "one fold takes"),
        ({"step": "1d"}, "test windows would overlap"),
        ({"edges": "guess"}, "not one of carry, close"),
        ({"choose": "worst"}, "not one of best, plateau"),
        ({"search": "optuna"}, "not one of grid, random"),
        ({"embargo": "7m"}, "not a whole number of bars"),
        ({"vary": {}}, "nothing to vary"),
        ({"test": "15m", "train": "30m"}, "at most 2,000"),
    ],
)
def test_lengths_and_words_that_do_not_fit_are_one_line(make: Planner, ledger: Engine, more: dict[str, Any], said: str) -> None:
    """Before anything is run."""
    with pytest.raises(BadInput) as error:
        search_forward.walkforward(make, ledger, None, {**ASKED, **LENGTHS, "vary": VARY, **more})
    assert said in str(error.value)


def test_what_was_found_so_far_is_shown_and_ends_in_the_choices(make: Planner, ledger: Engine) -> None:
    """After each variation a row a fold with the best so far, which never falls; at last what the folds have chosen."""
    shown: list[Any] = []
    args = {**ASKED, **LENGTHS, "vary": VARY}
    found = search_forward.walkforward(make, ledger, None, args, partly=lambda table: shown.append(table()))
    assert len(shown) == 4 + 1
    assert shown[1]["text"] == "best of each fold's past, 2 of 4 variations run"
    assert all(set(table["columns"]) == {"fold", "train_sharpe", "fast_bars", "stop_atr"} for table in shown)
    for before, after in pairwise(shown[:-1]):
        assert all(one[1] <= other[1] for one, other in zip(before["rows"], after["rows"], strict=True))
    at = found["columns"].index("train_sharpe")
    assert [row[1] for row in shown[-1]["rows"]] == [row[at] for row in found["rows"]]
    keys = [found["columns"].index(key) for key in shown[-1]["columns"][2:]]
    assert [row[2:] for row in shown[-1]["rows"]] == [[row[k] for k in keys] for row in found["rows"]]
