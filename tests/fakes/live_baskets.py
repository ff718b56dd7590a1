"""A basket of three coins at a local venue, whose spreads swing about their means: markets, a home on live data, a script."""

import math
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from engine.venues.instruments import instrument_of
from tests.fakes.exchange.market import MINUTE_MS, PICO, Contract, Market, Print
from tests.fakes.exchange.matching import Exchange
from tests.fakes.live_homes import ACCOUNT, PAST_HOURS, Script, played_home

COINS = ("BTC", "ETH", "SOL")
PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 150.0}
CASH = 100_000
SWING, BACK = 0.0008, 0.05  # of log price a minute: noise of a coin's own part, and how much of it comes back
DEPTH_USDT = 30_000.0  # on offer at each tick: an order of a pair fills at a price or two
DESK = """
{account}
[data]
source = "live"
[worker]
replay_days = 0
funding = "none"
{costs}[[sleeves]]
name = "pairs"
strategy = "pairs"
venue = "{venue}"
legs = [{legs}]
timeframe = "15m"
cash = 10000.0
params = {{ window_days = 1.0, step_days = 0.25, enter = 1.0, stop = 9.0, pair_frac_max = 0.6 }}
"""


def contract_of(venue: str, coin: str) -> Contract:
    """As the desk counts it there: ticks, lots, the least order."""
    found = instrument_of(venue, f"{coin}-USDT")
    lot, tick = Decimal(str(found.lot_size)), Decimal(str(found.tick))
    depth = max(1, int(DEPTH_USDT / (PRICES[coin] * found.lot_size)))
    return Contract(coin, tick, lot, min_notional=int(found.least_notional), depth_lots=depth)


def swinging(seed: int, coin: str, tick: float, start_ms: int, count: int) -> Iterator[Print]:
    """A print a minute: a walk that all coins of a seed share, and a part of the coin's own that comes back."""
    shared, own = random.Random(seed), random.Random(f"{seed} {coin}")
    walk = away = 0.0
    for n in range(count):
        walk += shared.gauss(0.0, 0.0008)
        away += own.gauss(0.0, SWING) - BACK * away
        price = PRICES[coin] * math.exp(walk + away)
        yield Print(start_ms + n * MINUTE_MS, max(1, round(price / tick)), own.randint(200, 4_000))


def swinging_exchange(
    venue: str, clock: Callable[[], int], seed: int = 3, past_hours: int = PAST_HOURS, minutes: int = 3_000
) -> Exchange:
    """COINS whose prices began so long ago, and go on for so many minutes."""
    start = clock() - past_hours * 60 * MINUTE_MS
    markets = {}
    for coin in COINS:
        contract = contract_of(venue, coin)
        path = swinging(seed, coin, float(contract.tick), start, 60 * past_hours + minutes)
        markets[coin] = Market(contract, path)
    return Exchange(clock, markets, CASH * PICO)


def written_basket(path: Path, venue: str, mode: str) -> None:
    """desk.toml of a home whose one sleeve is the basket, at an account of that mode; on paper: of none."""
    passphrase = 'passphrase_env = "OK_PASS"\n' if venue == "okx" else ""
    account = "" if mode == "paper" else ACCOUNT.format(venue=venue, mode=mode, passphrase=passphrase, urls="")
    (path / "strategies").mkdir(parents=True)
    legs = ", ".join(f'"{coin}-USDT"' for coin in COINS)
    costs = "".join(f'[instruments."{venue}:{coin}-USDT:perp"]\nimpact_y = 0.0\n' for coin in COINS)
    (path / "desk.toml").write_text(DESK.format(account=account, venue=venue, legs=legs, costs=costs))


def lived_basket(path: Path, venue: str, script: Script, *, mode: str, seed: int = 3) -> Any:
    """What a script returns about such a home at `path` (NIGHTDESK_HOME)."""
    written_basket(path, venue, mode)
    return played_home(path, venue, script, partial(swinging_exchange, venue, seed=seed))
