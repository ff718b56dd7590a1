"""A copy of a desk that trades on made bars: its sleeves, rules, limits and costs in a folder of its own, its real loop.

Called by the drills of this folder. Nothing of the desk's home is opened here: what is copied comes as values, and each copy has
its own journal, database and halt latch, which end with it. Signals and bars are made; everything behind them is what trades:
live/loop.py, book/, venues/paper.py and the core.
"""

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from engine.book.book import Book, Spec
from engine.clock import DAY_MS
from engine.control.config import DeskConfig, DeskVersion, write_first
from engine.control.limits import HardLimits
from engine.control.sleeve_config import traded_by
from engine.core.exits import to_tick
from engine.core.state import Rules, Signal, Sleeve
from engine.core.windows import shut
from engine.data.catalog import Catalog
from engine.drill.made import MadeFeed, MadeSignals, Move, made_feed
from engine.live import config_event
from engine.live.controls import Controls
from engine.live.feed import Span
from engine.live.loop import Loop
from engine.store.chain import Event
from engine.store.db import migrate, open_db
from engine.store.journal import Journal, read
from engine.venues.instruments import Overrides

MONDAY_MS = 1_735_776_000_000 + 4 * DAY_MS  # 2025-01-06: windows are hours of a week
WALL_MS = MONDAY_MS  # no clock is read: the same desk gives the same drill
LOTS_OF_CASH = 10_000.0  # one lot is worth this part of the sleeve's cash: sizes round to many lots
TICKS_MIN = 10_000.0  # a price has at least so many ticks
ATR_FRAC = 0.01  # of the price
WEEK_MS = 7 * DAY_MS
TOGETHER_MAX = 8  # sleeves of a desk whose exit paths are drilled with all of it


class DeskParts(NamedTuple):
    """What of a desk is drilled; `strategies`: the folder of people's own files."""

    config: DeskConfig
    limits: HardLimits
    overrides: Overrides
    strategies: Path

    def awake(self) -> "DeskParts":
        """The same with every sleeve on paper and none paused: what a pause keeps from entering could not be drilled."""
        awake = {"paused": False, "resumes_ms": None, "stage": "paper", "execution": None}
        return self._replace(config=DeskConfig(sleeves=tuple(s.model_copy(update=awake) for s in self.config.sleeves)))

    def of_sleeve(self, name: str) -> "DeskParts":
        """What an exit path of a sleeve is drilled on: the desk; of a large one the sleeve alone: a bar costs each sleeve."""
        if len(self.config.sleeves) <= TOGETHER_MAX:
            return self
        return self._replace(config=DeskConfig(sleeves=(self.config.sleeve(name),)))

    def with_limits(self, **changes: Any) -> "DeskParts":
        """The same under other hard limits."""
        return self._replace(limits=self.limits.model_copy(update=changes))

    def with_sleeve(self, name: str, **changes: Any) -> "DeskParts":
        """The same with one sleeve changed; by the name of a leg its basket."""
        own = next(one for one in self.config.sleeves if name in (one.name, *(leg.name for leg in traded_by(one))))
        return self._replace(config=self.config.with_sleeve(own.model_copy(update=changes)))


class DeskCopy:
    """One copy, before its first bar. `bar` lets it trade; what it did is in `events`."""

    def __init__(self, parts: DeskParts, folder: Path, template: Path, able: Sequence[str] = ()) -> None:
        folder.mkdir()
        shutil.copyfile(template, folder / "desk.db")
        self.parts, self.home, self.engine = parts, folder, open_db(f"sqlite:///{folder / 'desk.db'}")
        write_first(self.engine, parts.config, WALL_MS, "a drill")
        self.signals = MadeSignals(parts.strategies)
        self.loop = Loop(
            Journal(folder / "desk.jsonl", "worker"),
            Controls(folder, self.engine),
            parts.strategies,
            self._body_of,
            lambda: WALL_MS,
        )
        self.loop.signals = self.signals
        clock = config_event.clock_ms(parts.config)
        first = MONDAY_MS + WEEK_MS
        self.loop.open(None, Span(first, first, first + 1000 * WEEK_MS), {"source": "made", "funding": "none"})
        self.feed: MadeFeed = made_feed(self.book.columns, clock, first, Catalog([]))
        self.loop.use_feed(self.feed)
        self.able = [name for name in able if name in self.names] or self.names  # sleeves whose ordinary entry is let through
        self.prices, self.at_ms = self.first_prices(), first  # at_ms: when the next bar opens

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.loop.journal.close()
        self.loop.controls.close()
        self.engine.dispose()

    def _body_of(self, desk: DeskVersion) -> dict[str, Any]:
        return config_event.body_of(desk, self.parts.limits, self.parts.overrides, self.parts.strategies)

    def first_prices(self) -> dict[str, float]:
        """A price of each instrument, by the lots and ticks of its first sleeve."""
        found: dict[str, float] = {}
        for spec in self.book.specs:
            found.setdefault(spec.source["instrument"], price_for(spec.rules, float(spec.source["cash"])))
        return found

    # ---- what it has --------------------------------------------------------------------------------------------------

    @property
    def book(self) -> Book:
        """Its state."""
        return self.loop.book

    @property
    def names(self) -> list[str]:
        """Its sleeves."""
        return self.book.names

    @property
    def lead(self) -> str:
        """The sleeve that stands for the desk: the first that can enter."""
        return self.able[0]

    def spec(self, name: str) -> Spec:
        """What governs a sleeve."""
        return self.book.specs[self.names.index(name)]

    def rules(self, name: str) -> Rules:
        """A sleeve's rules."""
        return self.spec(name).rules

    def sleeve(self, name: str) -> Sleeve:
        """A sleeve's state."""
        return self.book.sleeves[self.names.index(name)]

    def price(self, name: str) -> float:
        """The last price of a sleeve's instrument."""
        return self.prices[self.spec(name).source["instrument"]]

    def atr(self, name: str) -> float:
        """The ATR of its signals: a wide stop in ATRs still leaves the price positive."""
        return self.price(name) * ATR_FRAC / max(1.0, self.rules(name).stop_atr / 3.0)

    def side(self, name: str) -> int:
        """The side it is drilled on: long where it may."""
        return -1 if self.spec(name).source["side"] == "short" else 1

    @property
    def longest_ms(self) -> int:
        """The longest timeframe of its sleeves: every sleeve decides at its multiples."""
        return max(spec.rules.bar_ms for spec in self.book.specs)

    def events(self, kind: str) -> list[Event]:
        """What it journaled of a kind."""
        return list(read(self.loop.journal.path, {kind}))

    def refusals(self, name: str | None = None) -> list[str]:
        """The rules that refused entries, in order."""
        decided = (e.body for e in self.events("decision") if name in (None, e.body["sleeve"]))
        return [str(body["refused_by"]) for body in decided if "refused_by" in body]

    def exits(self, name: str) -> list[str]:
        """Why its layers left, in order."""
        return [str(e.body["reason"]) for e in self.events("fill") if e.body.get("sleeve") == name and "reason" in e.body]

    def breakers(self) -> list[str]:
        """The breakers that tripped, in order."""
        return [str(e.body["breaker"]) for e in self.events("breaker")]

    # ---- what happens to it -------------------------------------------------------------------------------------------

    def signal(self, name: str, **changes: Any) -> Signal:
        """A signal that every guardrail of a usual close lets through, on the sleeve's side."""
        limits, side = self.book.limits, self.side(name)
        usual = Signal(side, 1.0, self.atr(name), 0.2, min(1e-4, limits.spread_frac_max / 4.0), 0.0, 0.0, 0, 1, 1.0, 1.0)
        return usual._replace(**{"size_frac": self.room(name), **changes})

    def small(self, name: str) -> Signal:
        """The same for an order a little above the venue's least."""
        rules = self.rules(name)
        least = max(rules.least_lots * rules.lot_size * self.price(name), rules.least_notional)
        frac = 2.0 * least / max(self.sleeve(name).ledger.equity, 1e-9)
        return self.signal(name, size_frac=min(self.room(name), frac))

    def room(self, name: str) -> float:
        """The most notional, of a sleeve's equity, that passes the desk's caps when every sleeve takes its part."""
        limits, equity = self.book.limits, self.sleeve(name).ledger.equity
        caps = limits.gross_frac_max, limits.instrument_frac_max, limits.family_frac_max, limits.correlated_frac_max
        return max(0.9 * min(caps) * self.book.desk.equity / (max(equity, 1e-9) * len(self.names)), 1e-9)

    def large(self, name: str, **changes: Any) -> Signal:
        """The same with a stop of its own so near that the caps, not the risk, decide the size."""
        near = max(5.0 * self.rules(name).tick, 5e-4 * self.price(name))
        return self.signal(name, vol_annual=1e-3, stop=self.price(name) - self.side(name) * near, **changes)

    def bar(self, name: str, signals: Mapping[str, Signal] | None = None, moves: Mapping[str, Move] | None = None) -> None:
        """Bars up to the next close of sleeve `name`: flat, but the last one as `moves` (by instrument) say; `signals` are for
        that close, and for every other sleeve and close nothing can be said."""
        self.bars_to(self._next(self.rules(name).bar_ms), signals or {}, moves or {})

    def bars_of_all(self, signals: Mapping[str, Signal] | None = None, moves: Mapping[str, Move] | None = None) -> None:
        """The same up to a close at which every sleeve decides."""
        self.bars_to(self._next(self.longest_ms), signals or {}, moves or {})

    def _next(self, bar_ms: int) -> int:
        return (self.at_ms // bar_ms + 1) * bar_ms

    def bars_to(self, end_ms: int, signals: Mapping[str, Signal], moves: Mapping[str, Move]) -> None:
        """Bars up to the close at `end_ms`: the next one of each timeframe, and the last; those in between are left out."""
        nexts = {self._next(spec.rules.bar_ms) for spec in self.book.specs}
        for close_ms in sorted({ms for ms in nexts if ms < end_ms} | {end_ms}):
            last = close_ms == end_ms
            made = {i: moves[i] if last and i in moves else flat(price) for i, price in self.prices.items()}
            made = {i: m._replace(volume=self._volume(i)) if math.isnan(m.volume) else m for i, m in made.items()}
            self.feed.add(close_ms, made)
            said = signals if last else {}
            self.signals.said = {name: said.get(name, self.quiet(name)) for name in self.names}
            self.loop.step()
            self.at_ms = close_ms
            self.prices = {i: m.close for i, m in made.items()}

    def quiet(self, name: str) -> Signal:
        """Nothing: an unknown strength enters nothing and leaves nothing."""
        return self.signal(name, side=0, strength=math.nan)

    def _volume(self, instrument: str) -> float:
        cash = sum(float(s.source["cash"]) for s in self.book.specs)
        return 1e6 * cash / self.prices[instrument]

    def jump(self, to_ms: int, step_ms: int = 0) -> None:
        """No bars until `to_ms` (UTC ms), as after an outage: rounded down to a close of every sleeve, or to a step."""
        step = step_ms or self.longest_ms
        self.at_ms = max(self.at_ms, to_ms // step * step)

    def seek_open(self, name: str, closes: int = 4) -> None:
        """Go where no window shuts the next closes of a sleeve, at a close of every sleeve if there is one."""
        rules, limits = self.rules(name), self.book.limits
        for wanted in range(closes, 0, -1):
            for step in dict.fromkeys((self.longest_ms, rules.bar_ms)):
                start = -(-self.at_ms // step) * step
                for at in range(start, start + 2 * WEEK_MS, step):
                    if not any(shut(rules, limits, at + n * rules.bar_ms) for n in range(1, wanted + 1)):
                        self.jump(at, step)
                        return

    def seek_common(self) -> bool:
        """Go to where the next close of every sleeve is outside of the leading one's windows; False when none is."""
        step = self.longest_ms
        start = -(-self.at_ms // step) * step
        for at in range(start, start + 2 * WEEK_MS, step):
            if not shut(self.rules(self.lead), self.book.limits, at + step):
                self.jump(at)
                return True
        return False

    def enter(self, name: str, signal: Signal | None = None) -> str:
        """Enter and let it fill; "" once a position is open, else why there is none."""
        self.seek_open(name)
        self.bar(name, {name: signal or self.signal(name)})
        if self.sleeve(name).order.side == 0:
            return f"its entry was refused: {(self.refusals(name) or ['no order'])[-1]}"
        self.bar(name)
        return "" if self.sleeve(name).position.open_layers else "its entry did not fill"

    def move(self, name: str, **prices: float) -> dict[str, Move]:
        """A bar of a sleeve's instrument that opens at the last price and reaches the given ones: high, low, close, open."""
        price = self.price(name)
        opened, close = prices.get("open", price), prices.get("close", prices.get("open", price))
        high, low = prices.get("high", max(opened, close)), prices.get("low", min(opened, close))
        rest = {key: prices[key] for key in ("volume", "rate", "mark") if key in prices}
        made = Move(opened, max(high, opened, close), min(low, opened, close), close, **rest)
        return {self.spec(name).source["instrument"]: made}


def price_for(rules: Rules, cash: float) -> float:
    """A price (quote units) at which the sleeve's cash buys many lots, above the venue's least order by some."""
    lot = cash / LOTS_OF_CASH if rules.least_notional <= 0.0 else min(cash / LOTS_OF_CASH, rules.least_notional / 4.0)
    price = lot / rules.lot_size
    if rules.fixed_lots > 0:
        price = 0.2 * cash / (rules.fixed_lots * rules.lot_size)
    return to_tick(max(price, TICKS_MIN * rules.tick), rules.tick, 1)


def flat(price: float) -> Move:
    """A bar without a move."""
    return Move(price, price, price, price)


class Copies:
    """Makes copies of one desk, each in a folder of its own."""

    def __init__(self, parts: DeskParts, folder: Path, make: type[DeskCopy] = DeskCopy) -> None:
        self.make = make
        self.parts, self._folder, self._template, self._made = parts, folder, folder / "template.db", 0
        self.able: list[str] = []  # sleeves whose ordinary entry is let through; none: not looked yet
        self.barred = ""  # why no sleeve of the desk can enter at all
        engine = open_db(f"sqlite:///{self._template}")
        migrate(engine)
        engine.dispose()

    def new(self, parts: DeskParts | None = None) -> DeskCopy:
        """A new copy; `parts`: of a desk that differs."""
        self._made += 1
        return self.make(parts or self.parts, self._folder / f"copy{self._made}", self._template, self.able)

    def small(self) -> DeskCopy:
        """A new copy for what one sleeve shows: of a large desk the leading sleeve alone."""
        lead = self.able[0] if self.able else self.parts.config.sleeves[0].name
        return self.new(self.parts.of_sleeve(lead))

    def look(self, names: Sequence[str]) -> None:
        """Find out which of these sleeves can enter at all."""
        refused = {}
        for name in names:
            with self.new(self.parts.of_sleeve(name)) as copy:
                refused[name] = copy.enter(name)
        self.able = [name for name, why in refused.items() if not why]
        self.barred = "" if self.able else next(iter(refused.values()), "")


@contextmanager
def copies_of(parts: DeskParts, make: type[DeskCopy] = DeskCopy) -> Iterator[Copies]:
    """Copies of a desk in a temporary folder, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="nightdesk-drill-", ignore_cleanup_errors=True) as folder:
        yield Copies(parts.awake(), Path(folder), make)
