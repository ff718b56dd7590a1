"""The plan of runs that figures are made of: each has a name, and the name is all that one needs to run it again, exactly.

Parts: `fault` (each kind alone at each venue), `pair` (all pairs of kinds), `halt` and `restart` (each kind while the desk is
halted, or killed with its gate shut behind it), `kill` (at every journal event of a day), `drawdown`, `same` (twice, the second
time in another process), `fair` and `day` (a day without faults; a day of faults and kills, drawn), `port` (two days of the same
without ccxt, see port_days.py), `basket` (half a day of a basket of three coins, see basket_storm.py).
"""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.faults import KINDS, Window
from tests.fakes.exchange.stage import START_MS

VENUES = ("okx", "binance", "bybit")
FIRST_MS = START_MS // BAR_MS * BAR_MS
DAY_BARS = 96
EARLY_MS = 3_000  # a window begins so long before a close: what is asked then meets it
BRIEF_MS = 5_000  # after a close: orders are on their way
QUIET_BARS = 12  # at the end, without faults; a person's two hours and one more
PAIR_BARS, PAIRS_A_RUN, PAIR_PATIENCE_MS = 4, 21, 1_800_000
KILL_EVERY = 8
SAME_SEEDS = 10
BASKET_BARS, BASKET_SEEDS = 48, 10
PORT_BARS = 2 * DAY_BARS
NO_TICKER = "the desk reads no ticker: marks come with candles and positions"
NO_BOOK = "the desk subscribes to no order book"
UNMET = {"stale_ticker": NO_TICKER, "book_gap": NO_BOOK, "inverted_book": NO_BOOK}  # at every venue
MET = tuple(kind for kind in KINDS if kind not in UNMET)
PAIRS = tuple(combinations(MET, 2))


class Run(NamedTuple):
    """One run. `halt_at`: the bar at whose close a person halts (-1: none). `more`: of LiveStorm."""

    part: str
    venue: str
    what: str
    seed: int
    bars: int
    plan: tuple[Window, ...] = ()
    quiet: int = QUIET_BARS
    halt_at: int = -1
    gated: bool = False
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Of results, and of `python -m tests.storms again NAME`."""
        return f"{self.part}/{self.venue}/{self.what}"

    @property
    def days(self) -> float:
        """Simulated days."""
        return self.bars / DAY_BARS * (2 if self.part == "same" else 1)


def window(kind: str, bar: float, bars: float = 1.0, chance: float = 1.0) -> Window:
    """A fault from a few seconds before a close on."""
    return Window(kind, int(FIRST_MS + bar * BAR_MS) - EARLY_MS, int(FIRST_MS + (bar + bars) * BAR_MS), chance)


def placed(kind: str, bar: float, bars: float = 1.0, chance: float = 1.0) -> list[Window]:
    """Windows of a kind where it must act: a login is refused only where one is made, so the connection is cut before."""
    found = [window(kind, bar, bars, chance)]
    return [*found, Window("ws_cut", found[0].start_ms + 1_000, found[0].start_ms + 61_000)] if kind == "bad_login" else found


def fault(venue: str, kind: str) -> Run:
    """Four windows, one of them at half its chances; three that end five seconds after a close, with orders on their way."""
    plan = [*placed(kind, 3), *placed(kind, 7, 3, 0.5), *placed(kind, 13, 2), *placed(kind, 18, 2)]
    for bar in (22, 23, 24):
        plan += placed(kind, bar, BRIEF_MS / BAR_MS)
    return Run("fault", venue, kind, 1, 25 + QUIET_BARS, tuple(plan))


def pairs(venue: str, number: int) -> Run:
    """Some pairs, one after the other: both begin together, and the person who looks is quicker. In the second bar both have half
    their chances: at all of them an answer that one fault takes is never the other's.
    """
    plan: list[Window] = []
    mine = PAIRS[number * PAIRS_A_RUN : (number + 1) * PAIRS_A_RUN]
    for n, pair in enumerate(mine):
        for kind in pair:
            plan += [*placed(kind, 2 + n * PAIR_BARS), *placed(kind, 3 + n * PAIR_BARS, chance=0.5)]
    bars = 2 + len(mine) * PAIR_BARS + QUIET_BARS
    return Run("pair", venue, str(number), number, bars, tuple(plan), more=(("patience_ms", PAIR_PATIENCE_MS),))


def halting(venue: str, kind: str, number: int) -> Run:
    """A person halts at the close of the sixth bar, in the middle of a fault; `none` is without one."""
    plan = placed(kind, 5.5, 2) if kind in KINDS else []
    return Run("halt", venue, f"{kind}-{number}", number, 14, tuple(plan), quiet=5, halt_at=6)


def restarting(venue: str, kind: str) -> Run:
    """Killed at the sixth bar, in the middle of a fault that lasts; the gate is there, and a person consents to what it asks."""
    return Run("restart", venue, kind, 3, 24, tuple(placed(kind, 4, 6)), gated=True)


def killing(venue: str, first: int) -> Run:
    """A day, killed at every eighth journal event; the eight of a venue are all of them. Half die within a request's way."""
    more = (("kills", range(20 + first, 4_000, KILL_EVERY)), ("kill_ms", 12 * (first % 2)), ("naked_max_ms", 10_000))
    return Run("kill", venue, str(first), 3, DAY_BARS, more=more)


def drawn(seed: int, count: int, bars: int) -> tuple[Window, ...]:
    """Windows of one to four bars, of kinds that can act."""
    dice, plan = random.Random(seed), list[Window]()
    for _ in range(count):
        bar, lasts = dice.uniform(2, bars - QUIET_BARS - 4), dice.randint(1, 4)
        plan += placed(dice.choice(MET), bar, lasts, dice.choice((0.5, 1.0)))
    return tuple(plan)


def day(venue: str, seed: int) -> Run:
    """A day of fourteen drawn faults and six kills."""
    kills = random.Random(seed).sample(range(20, 900), 6)
    return Run("day", venue, str(seed), seed, DAY_BARS, drawn(seed, 14, DAY_BARS), more=(("kills", tuple(kills)),))


def fair(venue: str, seed: int) -> Run:
    """A day without faults: nobody is woken, and no position is without a stop for five seconds."""
    return Run("fair", venue, str(seed), seed, DAY_BARS, quiet=0, more=(("naked_max_ms", 5_000),))


def drawdown(venue: str, seed: int) -> Run:
    """Two days with a desk that halts after the loss of 0.04 % of its money."""
    return Run("drawdown", venue, str(seed), seed, DAY_BARS, quiet=0, more=(("drawdown_frac", 0.0004),))


def basket(venue: str, seed: int) -> Run:
    """Half a day of a basket of three coins: seven drawn faults, four kills, every fourth halted by a person."""
    kills = random.Random(seed).sample(range(20, 400), 4)
    halt_at = BASKET_BARS - QUIET_BARS // 2 if seed % 4 == 3 else -1
    return Run(
        "basket",
        venue,
        str(seed),
        seed,
        BASKET_BARS,
        drawn(seed, 7, BASKET_BARS),
        halt_at=halt_at,
        more=(("kills", tuple(kills)),),
    )


def same(venue: str, number: int) -> Run:
    """Ten seeds, each twice: six hours with three faults and two kills, in this process and in a new one."""
    return Run("same", venue, str(number), number, SAME_SEEDS * 24)


def seeds_of(run: Run) -> list[Run]:
    """The single runs of `same`."""
    found = []
    for seed in range(run.seed * SAME_SEEDS, (run.seed + 1) * SAME_SEEDS):
        kills = tuple(random.Random(seed).sample(range(20, 200), 2))
        found.append(Run("seed", run.venue, str(seed), seed, 24, drawn(seed, 3, 24), 6, more=(("kills", kills),)))
    return found


def short() -> Iterator[Run]:
    """`make storms`: every fault at every venue, and ten days at each, one of them fair."""
    for venue in VENUES:
        yield fair(venue, 0)
    yield from (fault(venue, kind) for kind in MET for venue in VENUES)
    yield from (day(venue, seed) for seed in range(1, 10) for venue in VENUES)
    yield from (basket(venue, 0) for venue in VENUES)


def whole(days: int = 1_000) -> Iterator[Run]:
    """Everything, what is of a fixed size first; then drawn days, a fair one in ten, until there are so many."""
    numbers = range(-(-len(PAIRS) // PAIRS_A_RUN))
    fixed: list[Run] = [
        *(fault(venue, kind) for kind in MET for venue in VENUES),
        *(pairs(venue, number) for number in numbers for venue in VENUES),
        *(halting(venue, "none", number) for number in range(5) for venue in VENUES),
        *(halting(venue, kind, 1) for kind in MET for venue in VENUES),
        *(restarting(venue, kind) for kind in MET for venue in VENUES),
        *(killing(venue, first) for first in range(KILL_EVERY) for venue in VENUES),
        *(drawdown(venue, seed) for seed in range(3) for venue in VENUES),
        *(basket(venue, seed) for seed in range(BASKET_SEEDS) for venue in VENUES),
        *(same(VENUES[number % 3], number) for number in range(100 // SAME_SEEDS)),
    ]
    yield from fixed
    done, n = sum(run.days for run in fixed), 0
    while done < days:
        venue, seed = VENUES[n % 3], n // 3
        run = fair(venue, seed) if seed % 10 == 0 else day(venue, seed)
        done, n = done + run.days, n + 1
        yield run


def at_the_port(venue: str, seed: int) -> Run:
    """Two days of drawn faults and kills at a venue that speaks the port. A seed has its venue: ValueError for another one."""
    if venue != VENUES[seed % len(VENUES)]:
        raise ValueError(f"port/{venue}/{seed} is no run of the plan: seed {seed} is {VENUES[seed % len(VENUES)]}'s")
    return Run("port", venue, str(seed), seed, PORT_BARS)


def port(days: int = 10_000) -> Iterator[Run]:
    """So many days at the port."""
    yield from (at_the_port(VENUES[seed % len(VENUES)], seed) for seed in range(days * DAY_BARS // PORT_BARS))


def called(name: str) -> Run:
    """The run of a name. Raises ValueError for one that is not of the plan."""
    part, _, rest = name.partition("/")
    venue, _, what = rest.partition("/")
    made: dict[str, Any] = {"pair": pairs, "kill": killing, "day": day, "fair": fair, "drawdown": drawdown, "same": same}
    made["basket"] = basket
    made["port"] = at_the_port
    if venue not in VENUES:
        raise ValueError(f"{name}: no venue {venue!r}; there are {', '.join(VENUES)}")
    if part in ("fault", "restart") and what in KINDS:
        return (fault if part == "fault" else restarting)(venue, what)
    if part == "halt" and what.rpartition("-")[2].isdigit():
        return halting(venue, what.rpartition("-")[0], int(what.rpartition("-")[2]))
    if part == "seed" and what.isdigit():
        return next(run for run in seeds_of(same(venue, int(what) // SAME_SEEDS)) if run.what == what)
    if part not in made or not what.isdigit():
        raise ValueError(f"{name} is no run of the plan; names are as `python -m tests.storms list` prints them")
    found: Run = made[part](venue, int(what))
    return found


def parts(runs: Sequence[Run]) -> dict[str, int]:
    """How many runs each part has."""
    return {part: sum(run.part == part for run in runs) for part in dict.fromkeys(run.part for run in runs)}
