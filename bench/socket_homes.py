"""Homes that trade an account at a local venue over sockets, the worker a process of its own: for soak.py and socket_latency.py.

The venue runs in a thread of the benchmark, on this machine's clock; its bars close every 15 s (engine.clock.LOCAL_TIMEFRAME),
everything else keeps the time that it has at a real venue: signatures, polls, pings, limits of a request.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.processes.children import allowed_worker, worker_command
from engine.clock import LOCAL_TIMEFRAME
from tests.fakes.exchange.by_the_clock import Standing, standing, two_fast
from tests.fakes.live_homes import store_past

PAST_HOURS = 26  # a day and what the guardrails want
KEYS = {"BENCH_KEY": "key", "BENCH_SECRET": "secret", "BENCH_PASS": "pass"}  # what the local venues take
DESK = """
account = "main"
[accounts.main]
venue = "{venue}"
mode = "testnet"
key_env = "BENCH_KEY"
secret_env = "BENCH_SECRET"
{passphrase}leverage = 3
rest_url = "{rest_url}"
ws_url = "{ws_url}"
[data]
source = "live"
rest_url = "{rest_url}"
[worker]
replay_days = 0
funding = "none"
[limits]
streak_max = 100
day_entries_max = 1000
day_loss_frac_max = 0.5
drawdown_frac_max = 0.9
orders_minute_max = 100
"""
SLEEVE = """
[instruments."{venue}:{base}-USDT:perp"]
lot_size = {lot}
impact_y = 0.0
[[sleeves]]
name = "{name}"
strategy = "{name}"
venue = "{venue}"
symbol = "{base}-USDT"
market = "perp"
timeframe = "{timeframe}"
side = "both"
cash = 50000.0
params = {{ vol_target = 0.0, participation_max = 1.0, risk_start_frac = 0.02, fixed_qty = {qty}, {params} }}
"""
STRATEGY = '''"""{about}"""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams

NAME = "{name}"
FEATURES = ("sma",)


class Params(StrategyParams):
    """None of its own."""


def signals(f, p):
    """By the number of the bar."""
    turn = f.close_ms // f.timeframe_ms
    side = np.where(turn // {every} % 2 == 0, 1, -1).astype(np.int8)
    return SignalFrame(side, np.full(len(side), 0.8), reverse=True{more})
'''


class TradedPlace(NamedTuple):
    """What one sleeve of a benchmark's desk trades."""

    base: str
    lot: str
    quantity: float
    params: str
    every: int  # bars on one side
    more: str = ""  # of its signals


RESTING = ", limit_offset_atr=0.1, good_for_bars=2, hold_bars=2"
RESTS = TradedPlace("ETH", "0.001", 0.4, "stop_atr = 1.0, target_atr = 1.0", 3, RESTING)
# one turns at the market, with stops and targets that fire in between; one rests limits and leaves by time
SECOND_BARS = {"flips": TradedPlace("BTC", "0.0001", 0.02, "stop_atr = 1.5, target_atr = 3.0", 2), "rests": RESTS}
EVERY_BAR = {"flips": TradedPlace("BTC", "0.0001", 0.02, "stop_atr = 3.0, target_atr = 6.0", 1), "rests": RESTS}


def written(home: Path, venue: str, at: Standing, plan: Mapping[str, TradedPlace]) -> None:
    """desk.toml, strategies and the past of a home."""
    (home / "strategies").mkdir(parents=True)
    passphrase = 'passphrase_env = "BENCH_PASS"\n' if venue == "okx" else ""
    text = DESK.format(venue=venue, passphrase=passphrase, rest_url=at.rest_url, ws_url=at.ws_url)
    for name, (base, lot, qty, params, every, more) in plan.items():
        text += SLEEVE.format(venue=venue, base=base, lot=lot, name=name, timeframe=LOCAL_TIMEFRAME, qty=qty, params=params)
        about = f"Long for {every} bars, then short."
        (home / "strategies" / f"{name}.py").write_text(STRATEGY.format(about=about, name=name, every=every, more=more))
    (home / "desk.toml").write_text(text)
    store_past(home, venue, at.venue.exchange, LOCAL_TIMEFRAME)


def command_environment(home: Path) -> dict[str, str]:
    """What a command of a person sees."""
    return {**os.environ, **KEYS, "NIGHTDESK_HOME": str(home), "XDG_STATE_HOME": str(home.parent / "state")}


@contextmanager
def worker_of(home: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The trading process of a home, with what a supervisor would give it; ended with the block."""
    given = allowed_worker(command_environment(home), home)
    with log.open("ab") as out:
        worker = subprocess.Popen(worker_command([]), env=given, stdout=out, stderr=out, start_new_session=True)
    try:
        yield worker
    finally:
        worker.terminate()
        try:
            worker.wait(60)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


@contextmanager
def trading(
    folder: Path, venue: str, future_hours: int, plan: Mapping[str, TradedPlace]
) -> Iterator[tuple[Path, Standing, "subprocess.Popen[bytes]"]]:
    """(home, venue, worker) of a desk that trades at a local venue."""
    home = folder / "home"
    with standing(venue, PAST_HOURS, future_hours, two_fast) as at:
        written(home, venue, at, plan)
        with worker_of(home, folder / "worker.txt") as worker:
            yield home, at, worker
