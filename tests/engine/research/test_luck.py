"""A search over noise finds nothing, over a planted edge it finds it: the verdict is about the market, not the search."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import Engine

from engine.control.desk_setup import desk_setup
from engine.research import search, search_forward
from engine.sim import resolve
from engine.store.db import migrate, open_db
from tests.fakes import recordings

BARS = 9_000  # 93 days
LENGTH = 300  # bars of one regime
SPACE = {"fast_bars": "5:45:10", "slow_bars": "60:160:25", "stop_atr": "2,3,5", "target_atr": "8,0"}


def market(folder: Path, seed: int, drift: float) -> Any:
    """A planner on a random walk that drifts up or down for three days at a time; drift 0: pure noise."""
    rng = np.random.default_rng(seed)
    side = np.repeat(rng.choice([-1, 1], BARS // LENGTH + 1), LENGTH)[:BARS]
    close = 60_000.0 * np.exp(np.cumsum(drift * side + rng.normal(0.0, 0.002, BARS)))
    open_ = np.concatenate(([60_000.0], close[:-1]))
    reach = np.abs(rng.normal(0, 0.0012, (2, BARS))) + 0.0002
    high, low = np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1])
    columns = {name: np.round(x / 0.1) * 0.1 for name, x in (("open", open_), ("high", high), ("low", low), ("close", close))}
    ts = recordings.FIRST_MS + recordings.BAR_MS * np.arange(BARS, dtype=np.int64)
    frame = pl.DataFrame({"ts": ts, **columns, "volume": np.round(rng.lognormal(6.0, 0.4, BARS), 3)})
    recordings.write(folder, "binance_BTC-USDT_perp_15m", frame)
    recordings.write(folder, "binance_BTC-USDT_perp_funding", recordings.settlements(BARS))
    desk = desk_setup(folder / "home", {"NIGHTDESK_DATA": str(folder)})
    return lambda args: resolve.planned(desk, desk.catalog(), args)


def swept(folder: Path, ledger: Engine, seed: int, drift: float) -> dict[str, Any]:
    """150 variations of trend."""
    args = {"strategy": "trend", "symbols": ["BTC-USDT"], "vary": SPACE}
    return search.sweep(market(folder, seed, drift), ledger, None, args)


def test_the_best_of_noise_is_luck(tmp_path: Path, ledger: Engine) -> None:
    """The best ratio looks good; as the best of 150 it is nothing."""
    found = swept(tmp_path, ledger, 2, 0.0)
    assert found["best"]["sharpe"] > 1.0
    assert found["luck_sharpe"] > found["best"]["sharpe"]
    assert found["verdict"].startswith("Not beyond luck")


def test_a_planted_edge_is_found_and_holds_forward(tmp_path: Path, ledger: Engine) -> None:
    """A drift of 4 bps a bar, a fifth of the noise: beyond luck in the sweep, and out of sample in every third of a month."""
    found = swept(tmp_path, ledger, 1, 0.0004)
    assert found["verdict"].startswith("Beyond luck on these bars")
    assert found["best"]["trial"]["plateau"] == "yes"
    args = {"strategy": "trend", "symbol": "BTC-USDT", "vary": {"fast_bars": "5:45:20", "stop_atr": "2,5"}}
    forward = search_forward.walkforward(market(tmp_path, 1, 0.0004), ledger, None, {**args, "train": "20d", "test": "10d"})
    assert forward["verdict"].startswith("It holds forward")


@pytest.mark.long
def test_twenty_markets_of_noise_are_not_called_an_edge(tmp_path: Path) -> None:
    """At 0.95 one of twenty might be, two would be too many; none of these twenty was."""
    called = 0
    for seed in range(20):
        ledger = open_db("sqlite://")
        migrate(ledger)
        called += swept(tmp_path / str(seed), ledger, 100 + seed, 0.0)["verdict"].startswith("Beyond luck")
        ledger.dispose()
    assert called <= 1
