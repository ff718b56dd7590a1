"""A home whose sleeves work their entries in slices: 4h bars on a clock of 15m, quick to enter and to leave."""

from pathlib import Path
from typing import Any

import numpy as np

from app.home.home import Home, open_home
from app.home.synthetic import write_longer
from engine.book.bodies import finite
from engine.book.book import Book
from engine.control.config import SleeveConfig, active, validated
from engine.core.state import DAY_MS
from engine.live.loop import Loop
from engine.sim.backtest import Backtest, simulate
from engine.sim.request import Request, SleeveRequest, plan
from engine.store.chain import Event
from engine.store.journal import read
from tests.fakes.own_strategies import BODIES, events_of, rows_of
from tests.fakes.papers import BAR_MS, SYMBOLS, WALL_MS, feed_of, furnished, loop_of, span
from tests.fakes.versions import put_in_force

OWN, OWN_MS = "4h", 16 * BAR_MS
CASH = 40_000_000.0  # a slice asks for about what a bar lets through
QUICK = {"fast_bars": 5, "slow_bars": 10, "band_atr": 0.0, "stop_atr": 0.4, "target_atr": 0.5, "risk_start_frac": 0.02}
QUICK |= {"risk_floor_frac": 0.02, "vol_target": 0.0, "participation_max": 0.02}
DAYS = 10
BARS = DAYS * DAY_MS // BAR_MS


def worked_home(
    folder: Path, schedule: str | None = "twap:6", *, others: bool = False, cash: float = CASH, **params: Any
) -> Home:
    """The home, before its first bar; `others`: the second sleeve stays on 15m, whole."""
    furnished(folder)
    home = open_home(WALL_MS)
    for symbol in SYMBOLS:
        write_longer(home, home.path / "data" / "synthetic", symbol, "15m", OWN)
    home = open_home(WALL_MS)
    config = active(home.engine, home.path).config
    for n, sleeve in enumerate(config.sleeves):
        if not (others and n == 1):
            config = config.with_sleeve(changed(sleeve, schedule, cash, **params))
    put_in_force(home.engine, home.path, validated(config), WALL_MS)
    return home


def changed(sleeve: SleeveConfig, schedule: str | None, cash: float = CASH, **params: Any) -> SleeveConfig:
    """A sleeve of the usual home as one that works its entries."""
    own = {"strategy": "trend", "timeframe": OWN, "cash": cash, "execution": schedule, "params": QUICK | params}
    return sleeve.model_copy(update=own)


def worked_loop(home: Home, book: Any = None) -> Loop:
    """Its loop at the last whole batch."""
    return loop_of(home, feed_of(home), book)


def backtest_of(home: Home, bars: int = BARS, **more: Any) -> Backtest:
    """The home's sleeves over the same bars, with their schedule."""
    config, limits = active(home.engine, home.path).config, home.desk.limits
    sleeves = tuple(
        SleeveRequest(s.strategy, s.symbol, s.venue, s.market, s.side, s.cash, s.params, s.name, s.timeframe)
        for s in config.sleeves
    )
    first = span().first_ms
    request = Request(sleeves, OWN, first, first + bars * BAR_MS, "pessimistic", "recorded", limits.desk(), limits.sleeve())
    request = request._replace(execution=config.sleeves[0].execution or "", clock="15m")._replace(**more)
    return simulate(plan(request, home.catalog, home.strategies, home.desk.overrides()))


def working_parent(book: Book) -> bool:
    """Whether some sleeve is between two slices: a part is filled, a part is not."""
    return any(s.order.side != 0 and s.position.open_layers for s in book.sleeves)


def as_traded(loop: Loop) -> dict[str, list[Any]]:
    """Fills, decisions and equity as the desk has journaled them, as `backtested` gives a run's."""
    numbers = BODIES["fill"]
    fills = [(e.body["t_ms"], e.body["sleeve"], *(finite(float(e.body[n])) for n in numbers)) for e in events(loop, "fill")]
    equity = [e.body["equity"] for e in events(loop, "mark") if "stamp" in e.body]
    return {"fill": fills, "decision": events_of(loop, "decision"), "equity": equity}


def backtested(run: Backtest) -> dict[str, list[Any]]:
    """The same of a run."""
    equity = np.asarray(next(iter(run.curves.values()))).tolist()
    return {"fill": rows_of(run, "fill"), "decision": rows_of(run, "decision"), "equity": equity}


def events(loop: Loop, *kinds: str) -> list[Event]:
    """What was journaled of these kinds."""
    return list(read(loop.journal.path, set(kinds) or None))
