"""A person's own strategy in a small home, backtested and run on paper: for tests that hold the two against each other."""

from pathlib import Path
from typing import Any

import numpy as np

from app.home.home import Home
from engine.book.events import finite
from engine.control.config import active, validated
from engine.core import state
from engine.live.loop import Loop
from engine.sim.backtest import Backtest, simulate
from engine.sim.request import Request, SleeveRequest, plan
from engine.store.journal import read
from tests.fakes.papers import WALL_MS, span
from tests.fakes.versions import put_in_force

SLEEVE = "btc-trend"
TEXT = '''"""A person's own."""
import numpy as np
from engine.strategies.base import OutsideSeries, SignalFrame, StrategyParams

NAME = "own"
FEATURES = ("sma", "ema")
{declared}


class Params(StrategyParams):
    """None of its own."""


def signals(f, p):
    """Signals."""
    {code}
    return SignalFrame(direction.astype(np.int8), np.abs(direction) * 0.5)
'''


def own_strategy(folder: Path, code: str, declared: str = "") -> Path:
    """The strategy file `own.py` with this code, which sets `direction`."""
    path = folder / "own.py"
    path.write_text(TEXT.format(declared=declared, code=code))
    return path


def with_own(home: Home, code: str, declared: str = "") -> Home:
    """The home with this strategy in force under its first sleeve."""
    own_strategy(home.strategies, code, declared)
    config = active(home.engine, home.path).config
    sleeve = config.sleeve(SLEEVE).model_copy(update={"strategy": "own", "params": {}})
    put_in_force(home.engine, home.path, validated(config.with_sleeve(sleeve), home.strategies), WALL_MS)
    return home


def backtest_of(home: Home, bars: int) -> Backtest:
    """The home's sleeves over the first bars of its desk, by the backtest's own entry."""
    config = active(home.engine, home.path).config
    sleeves = tuple(
        SleeveRequest(s.strategy, s.symbol, s.venue, s.market, s.side, s.cash, s.params, s.name, s.timeframe)
        for s in config.sleeves
    )
    first, limits = span().first_ms, home.desk.limits
    to_ms = first + bars * 900_000
    request = Request(sleeves, "15m", first, to_ms, "pessimistic", "recorded", limits.desk(), limits.sleeve())
    return simulate(plan(request, home.catalog, home.strategies, home.desk.overrides()))


FIELDS = {"decision": ("lots", "price", "fee", "equity"), "fill": ("lots", "price", "fee", "equity", "a")}
BODIES = {"decision": ("lots_before", "price", "strength", "equity"), "fill": ("lots", "price", "fee", "cash", "reference_price")}
KINDS = {"decision": state.K_DECISION, "fill": state.K_FILL}


def rows_of(run: Backtest, kind: str) -> list[tuple[Any, ...]]:
    """The backtest's rows of a kind: close, sleeve, numbers."""
    rows = run.rows.filter(run.rows["kind"] == KINDS[kind]).to_dicts()
    names = [s.name for s in run.run_sleeves]
    return [(r["close_ms"], names[r["sleeve"]], *(finite(float(r[name])) for name in FIELDS[kind])) for r in rows]


def events_of(loop: Loop, kind: str) -> list[tuple[Any, ...]]:
    """The same numbers as the paper desk has journaled them."""
    found = []
    for event in read(loop.journal.path, {kind}):
        numbers = (event.body[name] for name in BODIES[kind])
        found.append((event.t_event_ms, event.body["sleeve"], *(None if x is None else float(x) for x in numbers)))
    return found


def check_paper_is_the_backtest(loop: Loop, run: Backtest) -> None:
    """Assert that the loop has decided, filled and valued what the backtest has, bit for bit."""
    for kind in KINDS:
        rows = rows_of(run, kind)
        assert events_of(loop, kind) == rows
        assert any(row[1] == SLEEVE for row in rows), f"the sleeve has no {kind}"
    equity = [e.body["equity"] for e in read(loop.journal.path, {"mark"}) if "stamp" in e.body]
    assert equity == np.asarray(next(iter(run.curves.values()))).tolist()
