"""A home on live data at a local venue, by real ccxt under the virtual clock: on paper, or trading an account of that venue.

Everything of a trading process runs but its environment and its signals: journal, streams, REST, strategy processes, duties.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from app.home.home import open_home
from app.processes.account_start import KeyedAccount
from app.processes.live_start import live_worker
from app.processes.live_worker import LiveWorker
from engine.clock import timeframe_ms
from engine.data.writer import file_name, write_series
from engine.live import account_loop, signal_source
from engine.live.closing import frame_of
from engine.live.duties import AccountDuties
from engine.store.chain import Event
from engine.store.journal import read
from engine.venues.account import AccountReport, AccountWants, checked, reader_of
from engine.venues.account_client import CheckRefusal, read_only, remembering
from engine.venues.candles import CandleSource
from tests.fakes.benches import LOOK_S
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.market import PICO, Market, seeded_walk
from tests.fakes.exchange.matching import Exchange
from tests.fakes.exchange.played import Played
from tests.fakes.exchange.stage import BTC
from tests.fakes.live_feeds import joined

MINUTE_MS, BAR_MS = 60_000, 900_000
PAST_HOURS = 30  # more than the day and the ratios that the guardrails want
ACCOUNT = """
account = "main"
[accounts.main]
venue = "{venue}"
mode = "{mode}"
key_env = "OK_KEY"
secret_env = "OK_SECRET"
{passphrase}leverage = 3
{urls}"""
DESK = """
{account}
[data]
source = "live"
{rest_url}[worker]
replay_days = {replay_days}
funding = "none"
[instruments."{venue}:BTC-USDT:perp"]
lot_size = 0.0001
impact_y = 0.0
[[sleeves]]
name = "btc"
strategy = "own"
venue = "{venue}"
symbol = "BTC-USDT"
market = "perp"
timeframe = "{timeframe}"
side = "both"
cash = 10000.0
params = {{ vol_target = 0.0, stop_atr = 3.0 }}
"""
LONG = '''"""Always long."""
import numpy as np
from engine.strategies.base import SignalFrame, StrategyParams

NAME = "own"
FEATURES = ("sma",)


class Params(StrategyParams):
    """None of its own."""


def signals(f, p):
    """Signals."""
    ones = np.ones(len(f.close))
    return SignalFrame(ones.astype(np.int8), ones * 0.5)
'''


def with_past(clock: Callable[[], int]) -> Exchange:
    """BTC on a seeded walk that began a day and more ago: a print a minute."""
    start = clock() - PAST_HOURS * 60 * MINUTE_MS
    return Exchange(clock, {"BTC": Market(BTC, joined(seeded_walk(3, start, 600_000, 60 * PAST_HOURS + 2_000)))}, 100_000 * PICO)


class LiveHome:
    """One home, and the worker that runs it now."""

    def __init__(self, path: Path, venue: str, played: Played) -> None:
        self.path, self.venue, self.played = path, venue, played
        self.clock = played.venue.exchange.clock
        self.worker: LiveWorker | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def book(self) -> Any:
        """The desk as it stands."""
        assert self.worker is not None
        return self.worker.desk.book

    def start(self) -> LiveWorker:
        """A process begins."""
        home = open_home()
        more = {"now_ms": self.clock, "sleep": by_timer, "connect": self._candles, "pull": self._pull, "keys": self._keys}
        self.worker = live_worker(home, **more)
        self._running = asyncio.create_task(self.worker.run())
        return self.worker

    async def stop(self) -> None:
        """It ends cleanly."""
        assert self.worker is not None
        assert self._running is not None
        self.worker.stopping.set()
        await self._running

    async def ended(self) -> None:
        """Until it ends by itself; raises what it ended with."""
        assert self._running is not None
        await asyncio.shield(self._running)

    async def minutes(self, count: float) -> None:
        """Time passes."""
        await self.played.wait(int(count * MINUTE_MS))
        assert self._running is not None
        if self._running.done():
            self._running.result()

    async def until(self, found: Callable[[], object], minutes: int = 40) -> None:
        """Look each ten seconds."""
        for _ in range(6 * minutes):
            if found():
                return
            await self.minutes(1 / 6)
        pytest.fail("it did not come to pass")

    def events(self, *kinds: str) -> list[Event]:
        """Of the journal."""
        return list(read(self.path / "journal" / "desk.jsonl", set(kinds)))

    async def _candles(self, _venue: str) -> CandleSource:
        client = self._client()
        await client.load_markets()
        return CandleSource(client, self.venue)

    @property
    def _keys(self) -> KeyedAccount:
        return KeyedAccount(self._client, self._report)

    async def _report(self, wanted: AccountWants) -> AccountReport:
        """As app.processes.account_check.asked_of."""
        client = read_only(self._client())
        try:
            return await checked(reader_of(self.venue, client), wanted, self.clock, lambda error: CheckRefusal(str(error)))
        finally:
            await client.close()

    def _client(self) -> Any:
        return remembering(self.played.venue.virtual_client(0.02))

    def _pull(self, request: Any) -> None:
        store_past(self.path, self.venue, self.played.venue.exchange, request.timeframe, request.symbol)


async def by_timer(ms: int) -> None:
    """Sleep in the loop's own time."""
    await asyncio.sleep(ms / 1000)


def at_once(_executor: Any, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    """What a thread would do, now: the virtual clock would run on while one works."""
    done = asyncio.get_running_loop().create_future()
    try:
        done.set_result(work(*args))
    except Exception as error:  # noqa: BLE001 - whoever waits for it sees it
        done.set_exception(error)
    return done


def written(
    path: Path,
    venue: str,
    *,
    account: bool,
    replay_days: int = 0,
    timeframe: str = "15m",
    urls: tuple[str, str] = ("", ""),
    mode: str = "testnet",
) -> None:
    """desk.toml and a strategy that is always long. `urls`: REST and streams behind sockets; `mode`: of the account."""
    rest, ws = urls
    passphrase = 'passphrase_env = "OK_PASS"\n' if venue == "okx" else ""
    of_account = f'rest_url = "{rest}"\nws_url = "{ws}"\n' if rest else ""
    text = ACCOUNT.format(venue=venue, mode=mode, passphrase=passphrase, urls=of_account) if account else ""
    rest_url = f'rest_url = "{rest}"\n' if rest else ""
    (path / "strategies").mkdir(parents=True)
    (path / "strategies" / "own.py").write_text(LONG)
    about = {"account": text, "venue": venue, "replay_days": replay_days, "timeframe": timeframe, "rest_url": rest_url}
    (path / "desk.toml").write_text(DESK.format(**about))


def store_past(path: Path, venue: str, exchange: Exchange, timeframe: str, symbol: str = "") -> None:
    """What REST would list (of all symbols where none is named), in the home's series, without asking for a quarter that the
    local venue does not have.
    """
    step = timeframe_ms(timeframe)
    (path / "data").mkdir(exist_ok=True)
    for name, market in exchange.markets.items():
        if symbol not in ("", f"{name}-USDT"):
            continue
        tick, lot = market.contract.tick, market.contract.lot  # decimals: floats as REST's
        closed = [c for c in market.candles(step, 10_000) if c.open_ms + step <= exchange.clock()]
        bars = {c.open_ms: (*(float(x * tick) for x in c[1:5]), float(c.lots * lot)) for c in closed}
        file = path / "data" / file_name(venue, f"{name}-USDT", "perp", timeframe)
        write_series(file, frame_of(bars), "pulled", {"venue": venue})


Script = Callable[[LiveHome], Coroutine[Any, Any, Any]]


def lived(path: Path, venue: str, script: Script, *, account: bool = False, replay_days: int = 0, mode: str = "testnet") -> Any:
    """What a script returns about a home at `path` (NIGHTDESK_HOME) on live data of a local venue."""
    written(path, venue, account=account, replay_days=replay_days, mode=mode)
    return played_home(path, venue, script, with_past)


def played_home(path: Path, venue: str, script: Script, make: Callable[[Callable[[], int]], Exchange]) -> Any:
    """The same of a home that is written, on the markets that `make` makes."""

    async def play(played: Played) -> Any:
        asyncio.get_running_loop().run_in_executor = at_once  # type: ignore[assignment,method-assign]
        home = LiveHome(path, venue, played)
        try:
            return await script(home)
        finally:
            if home._running is not None and not home._running.done():
                await home.stop()

    seldom = partial(AccountDuties, latch_look_s=LOOK_S)
    with (
        patch.object(signal_source, "LIVE_S", 120.0),  # a busy machine is slow; the clock of the test is another one
        patch.object(account_loop, "AccountDuties", seldom),
    ):
        return ADAPTED[venue].played.under_virtual_clock(play, make, 0.02)[0]
