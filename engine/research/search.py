"""A sweep from its arguments: checked, run, and every variation a trial of the ledger as soon as it has run.

Called by app/jobs/kinds.py (command, tool) and app/notebook.py. Arguments and result are JSON values. A sweep that was stopped,
killed or cancelled goes on where it was: what the ledger has with the same data, costs and code is not run again, and nothing
counts twice.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from engine import cluster
from engine.clock import utc
from engine.errors import BadInput
from engine.research import grid, optuna_search, sweep_tasks
from engine.research.grid import Variation, Variations
from engine.research.ledger import TrialLedger, figures_in, key_of, params_json, trial_id
from engine.research.partly import Partly, Table, table, unseen
from engine.research.sweep import WORKERS_MAX, Runner, Tried, ordered, run_all, together_of
from engine.research.sweep_report import SweepResult, report
from engine.research.universe import notes_of
from engine.sim.checked import check_sleeve, is_own
from engine.sim.request import Plan
from engine.store import trials
from engine.store.runs import sha256_of_json
from engine.store.tables import Trial
from engine.strategies.params import StrategyParams

Progress = Callable[[float], None]
Planner = Callable[[Mapping[str, Any]], Plan]
Kept = tuple[Tried, Trial | None, bool]  # what was tried, its row, whether the ledger had it before
SEARCHES = ("grid", "random", "optuna")
OWN_ARGS = ("symbols", "vary", "search", "trials", "workers", "seed", "source")
SYMBOLS_MAX = 20
BLOCK = 256  # variations between two writes of the ledger, at most
BLOCK_FIRST = 16  # before it is known how long they take
BLOCK_S = 2.0  # of slow ones fewer are at stake when the sweep is killed
TRIALS = 100  # of a search that names no number


class SweepSetup(NamedTuple):
    """A sweep, checked before anything is simulated."""

    runners: list[Runner]  # one a symbol
    space: Variations
    ledger: TrialLedger
    sweep_id: str
    args: Mapping[str, Any]
    repeats: list[str]  # what was given twice
    asked: list[Plan]  # one a symbol, on all the bars that were asked for; the runners have those that all symbols share

    def plans_of(self, params: StrategyParams) -> list[Plan]:
        """The plans of one variation, one a symbol."""
        return [runner.plan_of(params) for runner in self.runners]


def sweep(
    make: Planner,
    engine: Engine,
    checks: Path | None,
    args: Mapping[str, Any],
    progress: Progress = lambda _done: None,
    partly: Partly = unseen,
) -> dict[str, Any]:
    """Run a sweep: every variation as a trial, then what they say together (sweep_report.report).

    make: arguments of a backtest -> its plan; engine: the database with the ledger; checks: folder of look-ahead checks. args:
    those of a backtest, and symbols, vary {key: values}, search, trials, workers, seed. Raises BadInput before anything is run.
    """
    begun = time.perf_counter()
    setup = prepared(make, engine, args)
    leaks = checked(setup, checks)
    progress(0.05)
    done = []
    for kept in tries(setup, lambda share: progress(0.05 + 0.9 * share)):
        done.append(kept)
        partly(partial(best_so_far, setup.space, done))
    new = sum(row is not None and not was_there for _, row, was_there in done)
    pairs = [(tried, row) for tried, row, _ in done]
    notes = [*setup.repeats, *notes_of(setup.asked, setup.ledger.first_ms, setup.ledger.last_ms)]
    found = report(engine, SweepResult(setup.sweep_id, setup.ledger, setup.space, setup.args["search"], pairs, new, leaks, notes))
    progress(1.0)
    return found | {"elapsed_s": round(time.perf_counter() - begun, 3)}


def best_so_far(space: Variations, done: Sequence[Kept]) -> Table:
    """The variations that have run, best Sharpe ratio first; one that failed has none, and comes last."""
    ran = [tried for tried, _, _ in done]
    figures = [(tried, tried.figures.sharpe if tried.figures is not None else None) for tried in ran]
    best = sorted(figures, key=lambda one: (one[1] is None, -(one[1] or 0.0)))
    many = "" if space.chosen == () else f" of {len(space.chosen)}"
    rows = [[*tried.variation.values, sharpe] for tried, sharpe in best]
    return table(f"{len(done)}{many} variations run, best first", [*space.keys, "sharpe"], rows)


def prepared(make: Planner, engine: Engine, args: Mapping[str, Any]) -> SweepSetup:
    """The sweep of these arguments. Raises BadInput before any bar is read where the variations are at fault."""
    given = {key: value for key, value in args.items() if value is not None}
    own = {key: given.pop(key) for key in OWN_ARGS if key in given}
    symbols = symbols_of(own.get("symbols"), given.pop("symbol", None))
    vary = own.get("vary") or {}
    plans = asked = [planned_base(make, {**given, "symbol": symbol}, vary) for symbol in symbols]
    own["workers"] = grid.whole_number(own.get("workers", min(os.cpu_count() or 1, WORKERS_MAX)), "workers", 1, WORKERS_MAX)
    sleeve = plans[0].sleeves[0]
    own |= {"search": own.get("search") or "grid", **draws_of(own)}
    space = space_of(sleeve.strategy, sleeve.params, vary, own)
    runners = [Runner(planned) for planned in plans]
    ends = [(int(runner.span.close_ms[0]), int(runner.span.close_ms[-1])) for runner in runners]
    first, last = max(end[0] for end in ends), min(end[1] for end in ends)
    if first >= last:
        what = "the symbols share no bars in that span" if first > last else "that span has one bar"
        raise BadInput(what, "choose a longer span, which all symbols have")
    now, bar_ms = time.time_ns() // 1_000_000, plans[0].clock_ms
    if len(set(ends)) > 1:  # every figure is of the same days, and is what a run on them gives
        common = {"start": utc(first - bar_ms), "end": utc(last)}
        plans = [planned_base(make, {**given, **common, "symbol": symbol}, vary) for symbol in symbols]
        runners = [Runner(planned) for planned in plans]
    ledger = TrialLedger(engine, plans, first - bar_ms, last - bar_ms, now)
    name = sha256_of_json([ledger.setting, space.keys, space.axes, own["search"], own["trials"], own["seed"]])
    repeats = grid.repeats_of(vary, space.keys, space.axes)
    if len(own.get("symbols") or ()) > len(symbols):
        repeats.append(f"of {len(own['symbols'])} symbols named {len(symbols)} are different: each runs once")
    return SweepSetup(runners, space, ledger, f"s-{name[:8]}", own, repeats, asked)


def planned_base(make: Planner, given: Mapping[str, Any], vary: Mapping[str, Any]) -> Plan:
    """The plan that the variations differ from (grid.base_of). Raises BadInput."""
    if isinstance(vary, Mapping):
        grid.check_once(given.get("params"), vary)
    try:
        return make(given)
    except BadInput:
        if not given.get("params"):
            raise
        strategy = make({**given, "params": {}}).sleeves[0].strategy  # fails as before where the parameters are not at fault
        return make({**given, "params": grid.base_of(strategy, given["params"], vary).model_dump()})


def draws_of(own: Mapping[str, Any]) -> dict[str, int]:
    """`trials` and `seed` of a search. Raises BadInput."""
    wanted = grid.whole_number(own.get("trials", TRIALS), "trials", 1, grid.VARIATIONS_MAX)
    return {"trials": wanted, "seed": grid.whole_number(own.get("seed", 0), "seed", 0, grid.SEED_MAX)}


def symbols_of(several: Sequence[str] | None, one: str | None) -> list[str]:
    """The symbols of a sweep, each once."""
    found = list(dict.fromkeys(several or ([one] if one else [])))
    if not 1 <= len(found) <= SYMBOLS_MAX:
        raise BadInput(f"{len(found)} symbols", f"1 to {SYMBOLS_MAX}: --symbol BTC-USDT,ETH-USDT")
    return found


def space_of(strategy: Any, base: StrategyParams, vary: Mapping[str, Any], own: Mapping[str, Any]) -> Variations:
    """What a search runs; of optuna's only where it looks."""
    if own["search"] == "grid":
        return grid.grid(strategy, base, vary)
    if own["search"] == "random":
        return grid.drawn(strategy, base, vary, own["trials"], own["seed"])
    if own["search"] == "optuna":
        grid.check_trials(own["trials"])
        return optuna_search.space_of(strategy, vary)
    raise BadInput(f"unknown search {str(own['search'])[:40]!r}", f"use {', '.join(SEARCHES)}")


def checked(setup: SweepSetup, checks: Path | None) -> list[dict[str, Any]]:
    """The look-ahead check of a strategy of one's own, once for the sweep."""
    runner = setup.runners[0]
    return [check_sleeve(runner.planned, runner.sleeve, runner.loaded, checks)] if is_own(runner.sleeve) else []


def tries(setup: SweepSetup, progress: Progress) -> Iterator[Kept]:
    """Every variation, kept in the ledger block by block."""
    if setup.args["search"] == "optuna":
        yield from _searched(setup, progress)
        return
    wanted = ordered(setup.runners[0], setup.space.chosen)
    before, at, size = _before(setup), 0, BLOCK_FIRST
    while at < len(wanted):
        begun, block = time.perf_counter(), wanted[at : at + min(size, BLOCK)]
        there = {v.values: row for v in block if (row := _there(setup, before, v)) is not None}
        for variation in block:
            if variation.values in there:
                yield _again(variation, there[variation.values]), there[variation.values], True
        yield from _kept(setup, _run(setup, [v for v in block if v.values not in there]), before)
        at += len(block)
        size = min(2 * size, BLOCK) if time.perf_counter() - begun < BLOCK_S else max(1, len(block) // 2)
        progress(at / len(wanted))


def _searched(setup: SweepSetup, progress: Progress) -> Iterator[Kept]:
    """The same of optuna's search, one after the other."""
    runner, before, wanted = setup.runners[0], _before(setup), setup.args["trials"]
    rows: dict[Any, tuple[Trial | None, bool]] = {}

    def run(variation: Variation) -> Tried:
        row = _there(setup, before, variation)
        found = _again(variation, row) if row is not None else next(iter(_run(setup, [variation])))
        for tried, kept, was in [(found, row, True)] if row is not None else _kept(setup, [found], before):
            rows[tried.variation.values] = kept, was
        return found

    seed = int(setup.args.get("seed") or 0)
    vary = setup.args.get("vary") or {}
    for n, tried in enumerate(optuna_search.searched(runner.sleeve.strategy, runner.sleeve.params, vary, wanted, run, seed)):
        progress((n + 1) / wanted)
        yield tried, *rows[tried.variation.values]


def _before(setup: SweepSetup) -> dict[str, Trial]:
    """The ledger's trials of this setting, by id."""
    return {row.id: row for row in trials.of_setting(setup.ledger.engine, setup.ledger.setting)}


def _there(setup: SweepSetup, before: Mapping[str, Trial], variation: Variation) -> Trial | None:
    """The ledger's row of a variation whose data and code are what they were then."""
    if not before:
        return None
    plans = setup.plans_of(variation.params)
    row = before.get(trial_id(setup.ledger.setting, params_json(plans)))
    return row if row is not None and row.cache_key == key_of(plans) else None


def _again(variation: Variation, row: Trial) -> Tried:
    """What the ledger says of a variation."""
    return Tried(variation, figures_in(row))


def _run(setup: SweepSetup, wanted: Sequence[Variation]) -> Iterator[Tried]:
    """Every variation on every symbol, as one book each."""
    by_values: dict[tuple[Any, ...], list[Tried]] = {v.values: [] for v in wanted}
    for runner in setup.runners:
        for tried in sweep_tasks.run_all(runner, wanted) if cluster.address() else run_all(runner, wanted, setup.args["workers"]):
            by_values[tried.variation.values].append(tried)
    for variation in wanted:
        found = by_values[variation.values]
        figures = [one.figures for one in found if one.figures is not None]
        error = next((one.error for one in found if one.figures is None), "")
        yield Tried(variation, None, error) if error else Tried(variation, together_of(figures))


def _kept(setup: SweepSetup, found: Iterator[Tried] | list[Tried], before: Mapping[str, Trial]) -> Iterator[Kept]:
    """The variations that ran, written to the ledger at once."""
    tried = list(found)
    source = str(setup.args.get("source") or "sweep")
    rows = {
        one.variation.values: setup.ledger.row(setup.plans_of(one.variation.params), one.figures, source, sweep=setup.sweep_id)
        for one in tried
        if one.figures is not None
    }
    ids = {values: row.id for values, row in rows.items()}
    fresh = {values: row.model_copy() for values, row in rows.items()}
    numbers = setup.ledger.keep(list(rows.values()))
    for one in tried:
        row = fresh.get(one.variation.values)
        if row is not None:
            row.number = numbers[ids[one.variation.values]]
        yield one, row, row is not None and row.id in before
