"""Days at the port: the same storm without ccxt, so that many more days fit. A seed makes venue, market, faults and kills.

`weathered("port-okx", ...)` is the way in for a plan of one's own. What is not met here: adapters, signatures, streams, the feed.
"""

import random
from pathlib import Path

from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.faults import KINDS, Window
from tests.fakes.exchange.port.played import PORTED
from tests.fakes.exchange.port.ways import NOT_AT_THE_PORT, PORT_KINDS
from tests.fakes.exchange.stage import START_MS
from tests.storms.live_storm import LiveStorm, weathered

VENUES = tuple(PORTED)
MET = tuple(kind for kind in (*KINDS, *PORT_KINDS) if kind not in NOT_AT_THE_PORT)
BARS, QUIET = 192, 12  # two days a seed, of which the last three hours are quiet
WINDOWS, KILLS = 24, 8
FIRST_MS = START_MS // BAR_MS * BAR_MS


def plan_of(seed: int, bars: int = BARS) -> tuple[Window, ...]:
    """Windows of one to four bars, each a few seconds before a close or in the middle of a bar."""
    dice = random.Random(f"port {seed}")
    kinds = [kind for kind in MET if kind != "thin_book"]
    plan = []
    for _ in range(WINDOWS * bars // BARS):
        start = FIRST_MS + int(dice.uniform(2, bars - QUIET) * BAR_MS) // 1_000 * 1_000
        start = start // BAR_MS * BAR_MS - 3_000 if dice.random() < 0.5 else start
        plan.append(Window(dice.choice(kinds), start, start + dice.randint(1, 4) * BAR_MS, dice.choice((0.3, 1.0))))
    return tuple(sorted(plan, key=lambda window: window.start_ms))


def port_days(seed: int, path: Path, bars: int = BARS) -> LiveStorm:
    """The two days of a seed, or fewer; every second seed is halted near its end by a person."""
    dice = random.Random(f"kills {seed}")
    kills = dice.sample(range(20, 5 * bars), KILLS * bars // BARS)
    halt_at = bars - QUIET // 2 if seed % 4 == 3 else -1
    venue = VENUES[seed % len(VENUES)]
    return weathered(venue, path, seed, bars, plan_of(seed, bars), QUIET, kills=kills, halt_at=halt_at)
