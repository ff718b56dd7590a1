"""Two tapes by another hand than book_tapes.py, and a slow book that shares no code with the desk's: dicts, floats, loops.

`chained` venues name the id before a delta; the others number one after another. What the reference does is what
docs/level2.md says a book does.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import polars as pl

BEGIN_NS = 1_731_111_111_111_111_111  # on no grid
MS = 1_000_000
Side = dict[float, float]
Level = tuple[str, float, float]


class AlienMessage(NamedTuple):
    """A message as it came."""

    at_ns: int
    kind: str
    first_id: int
    last_id: int
    prev_id: int
    levels: list[Level]


class AlienTrade(NamedTuple):
    """A trade as it came."""

    at_ns: int
    price: float
    quantity: float
    buyer_maker: bool


class BookStep(NamedTuple):
    """The book from a time on; None: it is lost."""

    at_ns: int
    sides: tuple[Side, Side] | None


class AlienVenue:
    """A venue on a grid of its own that says what a test lets it say."""

    def __init__(self, seed: int, grid: tuple[str, str], middle: str, depth: int, *, chained: bool, last_id: int) -> None:
        self.dice, (tick, lot) = Random(seed), map(Fraction, grid)
        self.tick, self.lot, self.depth, self.chained, self.last_id = tick, lot, depth, chained, last_id
        at = int(Fraction(middle) / tick)
        self.bids = {at - 1 - k: self.dice.randint(1, 5_000) for k in range(2 * depth)}
        self.asks = {at + 1 + k: self.dice.randint(1, 5_000) for k in range(2 * depth)}
        self.now_ns, self.messages, self.trades = BEGIN_NS, list[AlienMessage](), list[AlienTrade]()

    def level(self, side: str, tick: int, lots: int) -> Level:
        """A level as it is sent."""
        return side, float(tick * self.tick), float(lots * self.lot)

    def say(self, message: tuple[Any, ...], after_ns: int) -> None:
        """Send a message so long after the last one."""
        self.now_ns += after_ns
        self.messages.append(AlienMessage(self.now_ns, *message))

    def snapshot(self) -> tuple[Any, ...]:
        """The nearest levels of both sides."""
        levels = [self.level("b", t, self.bids[t]) for t in sorted(self.bids, reverse=True)[: self.depth]]
        levels += [self.level("a", t, self.asks[t]) for t in sorted(self.asks)[: self.depth]]
        return "snapshot", self.last_id, self.last_id, -1, levels

    def numbered(self, levels: Sequence[Level], ids: int = 1) -> tuple[Any, ...]:
        """A delta of these levels."""
        before, self.last_id = self.last_id, self.last_id + ids
        return "delta", before + 1, self.last_id, before if self.chained else -1, list(levels)

    def delta(self) -> tuple[Any, ...]:
        """The next one: some levels come, change and go, and the book stays two-sided and uncrossed."""
        found: dict[tuple[str, int], int] = {}
        for _ in range(self.dice.randint(1, 9)):
            side = self.dice.choice("ba")
            own, other = (self.bids, self.asks) if side == "b" else (self.asks, self.bids)
            if self.dice.random() < 0.45 and len(own) > 12:
                best = max(own) if side == "b" else min(own)
                tick = best if self.dice.random() < 0.6 else self.dice.choice(sorted(own))
                del own[tick]
                found[side, tick] = 0
                continue
            away = 1 + int(self.dice.expovariate(0.3))
            tick = min(other) - away if side == "b" else max(other) + away
            own[tick] = found[side, tick] = self.dice.randint(1, 5_000)
        return self.numbered([self.level(side, t, q) for (side, t), q in found.items()], self.dice.randint(1, 4))

    def trade(self) -> None:
        """A taker at the best price or one tick beyond; some come later than the messages around them."""
        sold = self.dice.random() < 0.5
        tick = (max(self.bids) if sold else min(self.asks)) + self.dice.choice([0, 0, 0, -1 if sold else 1])
        at_ns = self.now_ns + self.dice.choice([0, 1, 40 * MS])
        self.trades.append(AlienTrade(at_ns, float(tick * self.tick), float(self.dice.randint(1, 300) * self.lot), sold))

    def write(self, folder: Path, name: str) -> Path:
        """The tape with its trades."""
        rows: list[dict[str, Any]] = []
        for n, m in enumerate(self.messages, 1):
            head = {"seq": n, "recv_ns": m.at_ns, "ts_exch_ms": m.at_ns // MS - 15, "kind": m.kind}
            head |= {"first_id": m.first_id, "last_id": m.last_id, "prev_id": m.prev_id}
            rows += [head | {"side": s, "price": p, "qty": q} for s, p, q in m.levels]
            rows += [] if m.levels else [head | dict.fromkeys(("side", "price", "qty"))]
        path = folder / name
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
        self.trades.sort(key=lambda t: t.at_ns)
        trades = [{"recv_ns": t.at_ns, "price": t.price, "qty": t.quantity, "buyer_maker": t.buyer_maker} for t in self.trades]
        pl.DataFrame(trades).write_parquet(path.with_name(name.replace("_l2.", "_trades.")))
        return path


def shallow_tape(folder: Path, count: int = 1_600) -> tuple[Path, AlienVenue]:
    """Sound, and full of what a line does: twice, late, same nanosecond, a burst of ten times the rate, nothing for 8 s, a side
    without levels, checkpoints, another depth, ids that begin anew, a gap."""
    v = AlienVenue(901, ("0.00001", "10"), "0.12345", 25, chained=False, last_id=5_000_000_000)
    for message in (v.delta(), v.delta(), v.snapshot()):
        v.say(message, 100 * MS)
    sent = []
    for n in range(1, count):
        sent.append(v.numbered([]) if n % 97 == 0 else v.delta())
        burst = count // 3 <= n < count // 2
        v.say(sent[-1], 0 if n % 131 == 0 else 10 * MS if burst else v.dice.randint(60, 140) * MS)
        for every, message in ((53, sent[-1]), (71, sent[-9:][0])):
            if n % every == 0:
                v.say(message, MS)
        if v.dice.random() < 0.6:
            v.trade()
        _shallow_event(v, n * 16 // count if n * 16 % count < 16 else -1)
    return v.write(folder, "binance_DOGE-USDT_spot_alien_l2.parquet"), v


def _shallow_event(v: AlienVenue, which: int) -> None:
    """What happens at that sixteenth of the tape."""
    match which:
        case 2:
            v.depth = 10
            v.say(v.snapshot(), 10 * MS)
        case 4:
            v.say(v.snapshot(), 10 * MS)
            v.say(v.snapshot(), 10 * MS)
        case 6:
            gone, v.asks = v.asks, {}
            v.say(v.numbered([v.level("a", tick, 0) for tick in gone]), 100 * MS)
            v.say(v.numbered([]), 100 * MS)
            v.asks = gone
            v.say(v.numbered([v.level("a", tick, lots) for tick, lots in gone.items()]), 700 * MS)
        case 10:
            v.last_id = 1
            v.say(v.snapshot(), 100 * MS)
        case 12:
            v.delta()
            for message, ms in ((v.delta(), 100), (v.delta(), 100), (v.snapshot(), 2_000)):
                v.say(message, ms * MS)
        case 14:
            v.now_ns += 8_000 * MS


def faulty_tape(folder: Path, count: int = 900) -> tuple[Path, AlienVenue]:
    """Deep, in half units and whole contracts: crossed, foreign, one-sided, a snapshot older than what waits for it, and a delta
    that crosses the book behind its snapshot."""
    v = AlienVenue(77, ("0.5", "1"), "63210", 120, chained=True, last_id=40)
    v.say(v.snapshot(), 100 * MS)
    for n in range(1, count):
        v.say(v.delta(), v.dice.choice([0, 10, 100, 200]) * MS)
        if v.dice.random() < 0.5:
            v.trade()
        _fault(v, n * 6 // count if n * 6 % count < 6 else -1)
    return v.write(folder, "okx_XBT-USD_perp_alien_l2.parquet"), v


def _fault(v: AlienVenue, which: int) -> None:
    """What breaks at that sixth of the tape; then a snapshot."""
    match which:
        case 1:
            v.say(v.numbered([v.level("b", min(v.asks) + 2, 7)]), 100 * MS)
        case 2:
            other = AlienVenue(5, ("0.5", "1"), "3100", 50, chained=True, last_id=v.last_id + 5)
            v.say(other.snapshot(), 100 * MS)
        case 3:
            v.delta()
            shot, later = v.snapshot(), [v.delta() for _ in range(6)]
            for message in (*later[:4], shot, *later[4:]):
                v.say(message, 100 * MS)
            return
        case 4:
            v.delta()
            shot, one = v.snapshot(), v.delta()
            for message in (one, v.numbered([v.level("a", max(v.bids) - 3, 9)]), shot):
                v.say(message, 100 * MS)
        case 5:
            v.say(("snapshot", v.last_id, v.last_id, -1, [v.level("b", t, q) for t, q in v.bids.items()]), 100 * MS)
        case _:
            return
    for _ in range(5):
        v.say(v.delta(), 300 * MS)
    v.say(v.snapshot(), 100 * MS)


class SlowBook:
    """The reference: `steps` is the book after each message that changed it."""

    def __init__(self, messages: Sequence[AlienMessage], *, chained: bool) -> None:
        self.chained, self.steps = chained, list[BookStep]()
        self.bids, self.asks = dict[float, float](), dict[float, float]()
        self.synced = self.fresh = False
        self.last_id, self.middle, self.seen_ns = 0, 0.0, 0
        self.waiting: list[AlienMessage] = []
        for message in messages:
            if message.kind == "snapshot":
                self._snapshot(message)
            elif not self.synced or not self._delta(message, message.at_ns):
                self.waiting.append(message)

    def _put(self, levels: Sequence[Level]) -> None:
        for side, price, quantity in levels:
            own = self.bids if side == "b" else self.asks
            own.pop(price, None)
            if quantity:
                own[price] = quantity

    def _snapshot(self, m: AlienMessage) -> None:
        was, before, seen_ns = self.synced, self.middle, self.seen_ns
        self.bids.clear()
        self.asks.clear()
        self._put(m.levels)
        self.middle, self.synced = 0.0, False
        middle = max(self.bids) + min(self.asks) if self.bids and self.asks else 0.0
        crossed = bool(middle) and max(self.bids) >= min(self.asks)
        foreign = before and m.at_ns - seen_ns <= 60_000 * MS and abs(middle / before - 1.0) > 0.05
        if not middle or crossed or foreign:
            self.waiting = []
            if was:
                self.steps.append(BookStep(m.at_ns, None))
            return
        self.synced = self.fresh = True
        self.last_id, waiting, self.waiting = m.last_id, self.waiting[-2_000:], []
        self._seen(m.at_ns)
        for k, one in enumerate(waiting):
            if self._place(one) == "gap":
                break
            if not self._delta(one, m.at_ns):
                self.waiting = waiting[k:]
                break

    def _place(self, m: AlienMessage) -> str:
        if self.chained and m.prev_id == self.last_id:
            return "next"
        if self.fresh:
            if m.last_id < self.last_id or (not self.chained and m.last_id == self.last_id):
                return "old"
            return "next" if m.first_id <= self.last_id + 1 else "gap"
        if m.last_id <= self.last_id:
            return "old"
        return "next" if not self.chained and m.first_id <= self.last_id + 1 else "gap"

    def _delta(self, m: AlienMessage, at_ns: int) -> bool:
        """Whether the book is still in step."""
        place = self._place(m)
        if place == "next":
            self._put(m.levels)
            self.last_id, self.fresh = m.last_id, False
        crossed = bool(self.bids) and bool(self.asks) and max(self.bids) >= min(self.asks)
        if place == "gap" or crossed:
            self.synced = False
            self.steps.append(BookStep(at_ns, None))
        elif place == "next":
            self._seen(at_ns)
        return self.synced

    def _seen(self, at_ns: int) -> None:
        if self.bids and self.asks:
            self.middle, self.seen_ns = max(self.bids) + min(self.asks), at_ns
        self.steps.append(BookStep(at_ns, (dict(self.bids), dict(self.asks))))
