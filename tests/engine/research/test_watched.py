"""However a strategy reads its parameters, and whatever it does with its arrays: a sweep answers as runs of their own do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.control.desk_setup import DeskSetup
from engine.research import grid, sweep
from engine.research.ledger import figures_of
from engine.research.watched import watched
from engine.sim import resolve
from engine.sim.backtest import simulate
from engine.sim.request import Plan
from engine.strategies import trend
from engine.strategies.base import parse_params

TEXT = '''"""Reads its parameters in a way of its own."""
from functools import cached_property, lru_cache

import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams, knob

NAME = "reader"
FEATURES = ("sma",)
KEPT = {}


class Params(StrategyParams):
    """Its own."""

    window: int = knob(20, 2, 100, "bars", None, "window")
    gap: float = knob(0.0, 0.0, 0.1, "of price", None, "above the average")

    def __bool__(self):
        """A look-alike would be true."""
        return self.window > 30

    def __getitem__(self, name):
        """As a mapping."""
        return getattr(self, name)

    @property
    def twice(self):
        """A property."""
        return 2 * self.window

    @cached_property
    def wide(self):
        """A cached one."""
        return self.window

    def reach(self):
        """A method."""
        return max(self.window, 5)


@lru_cache(maxsize=None)
def remembered(p):
    """By the hash of all of them."""
    return p.window


def filled(f, p):
    """One array for all calls, filled again at each."""
    side = KEPT.setdefault(len(f), np.zeros(len(f), np.int8))
    side[:] = np.where(f.close > f.sma(p.window), 1, -1)
    return side


def signals(f, p):
    """Signals."""
    BODY
'''
AVERAGE = "return SignalFrame((f.close > f.sma({})).astype(np.int8), np.ones(len(f)))"
READS = {
    "vars": AVERAGE.format('vars(p).get("window", 20)'),
    "dict": AVERAGE.format('p.__dict__.get("window", 20)'),
    "type": AVERAGE.format('{n: getattr(p, n) for n in type(p).model_fields}["window"]'),
    "exact type": AVERAGE.format("p.window if type(p) is Params else 20"),
    "unbound": AVERAGE.format('Params.model_dump(p)["window"]'),
    "item": AVERAGE.format('p["window"]'),
    "truth": AVERAGE.format("10 if p else 50"),
    "property": AVERAGE.format("p.twice"),
    "cached": AVERAGE.format("p.wide"),
    "method": AVERAGE.format("p.reach()"),
    "hash": AVERAGE.format("remembered(p)"),
    "copy": AVERAGE.format('p.model_copy(update={"gap": 0.0}).window'),
    "past it": AVERAGE.format('object.__getattribute__(p, "__dict__")["window"]'),
    "by the slot": AVERAGE.format('vars(type(p).__mro__[-2])["__dict__"].__get__(p)["window"]'),
    "filled": "return SignalFrame(filled(f, p), np.ones(len(f)))",
}
READS["branch"] = (
    "if p.window > 30:\n        " + AVERAGE.format("p.window) * (1.0 + p.gap") + "\n    " + AVERAGE.format("p.window")
)


FIRST = ("vars", "type", "property", "hash", "past it", "filled", "branch")  # one for each way of noting; the others are long


@pytest.mark.sample(1)
@pytest.mark.parametrize("way", [way if way in FIRST else pytest.param(way, marks=pytest.mark.long) for way in READS])
def test_a_sweep_equals_its_runs_however_parameters_are_read(tmp_path: Path, desk: DeskSetup, way: str) -> None:
    """Three windows; all signals are there before the first is run."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "reader.py").write_text(TEXT.replace("BODY", READS[way]))

    def make(args: Mapping[str, Any]) -> Plan:
        return resolve.planned(desk, desk.catalog(), args, tmp_path / "own")

    asked = {"strategy": "reader", "symbol": "BTC-USDT", "end": "2025-01-18"}
    runner = sweep.Runner(make(asked))
    space = grid.grid(runner.sleeve.strategy, runner.sleeve.params, {"window": "10,20,40"})
    for one in space.chosen:
        runner.group_of(one.params)
    totals = []
    for tried in sweep.run_all(runner, space.chosen):
        run = simulate(make({**asked, "params": dict(zip(space.keys, tried.variation.values, strict=True))}))
        alone = figures_of(run.report, run.close_ms, next(iter(run.curves.values())), run.plan.clock_ms)
        assert tried.figures is not None, tried.error
        assert np.array_equal(tried.figures.returns, alone.returns), tried.variation.values
        assert tried.figures._replace(returns=alone.returns) == alone
        totals.append((alone.trips > 0, alone.total_return_frac))
    assert all(traded for traded, _ in totals)
    assert len({total for _, total in totals}) >= 2, "the windows must differ, or nothing is compared"


def test_params_note_fields_one_by_one_and_what_takes_them_whole() -> None:
    """A field is a field; a dump, a comparison, a loop or the dictionary reads all; other params note nothing."""
    params = parse_params(trend, {})
    with watched(params) as (shown, reads):
        assert (shown.fast_bars, type(shown)) == (params.fast_bars, trend.Params)
        assert params.slow_bars
        assert reads == {"fast_bars"}
    for take in (repr, hash, dict, vars, lambda p: p.model_dump(), lambda p: p == params, lambda p: p.model_copy()):
        with watched(params) as (shown, reads):
            take(shown)
            assert reads == set(trend.Params.model_fields), take
    assert "__getattribute__" not in vars(trend.Params)
    with watched(params) as (shown, _), pytest.raises(Exception, match="frozen"):
        shown.fast_bars = 3
