"""Tapes of level 2 made by hand: a venue whose book is a plain dict, and the messages it sends, written as parquet.

`Maker` keeps the truth beside what it says, so that a test can hold a rebuilt book against it.
"""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

NAME = "okx_ETH-USDT_perp_made_l2.parquet"
START_NS = 1_722_000_000_000_000_000
STEP_NS = 100_000_000
Row = dict[str, Any]
Level = tuple[str, float, float]  # b or a, price, quantity


class BookMessage(NamedTuple):
    """A message and the venue's best (bid, quantity, ask, quantity) after it."""

    kind: str
    first_id: int
    last_id: int
    prev_id: int
    levels: list[Level]
    best: tuple[float, float, float, float]


class Maker:
    """A venue with prices of one decimal and quantities of three; `chained` deltas name the id before them, as OKX's do."""

    def __init__(self, seed: int = 1, middle: float = 3000.0, depth: int = 30, *, chained: bool = True) -> None:
        self.random, self.chained, self.last_id = random.Random(seed), chained, 1000
        self.sides: dict[str, dict[int, int]] = {"b": {}, "a": {}}
        tick = round(middle * 10)
        for k in range(depth):
            self.sides["b"][tick - 1 - k] = self.random.randint(1, 9000)
            self.sides["a"][tick + k] = self.random.randint(1, 9000)

    def best(self) -> tuple[float, float, float, float]:
        """The truth's best quotes."""
        bid, ask = max(self.sides["b"]), min(self.sides["a"])
        return bid / 10, self.sides["b"][bid] / 1000, ask / 10, self.sides["a"][ask] / 1000

    def snapshot(self) -> BookMessage:
        """All levels, each side from its best on."""
        levels = [("b", p / 10, q / 1000) for p, q in sorted(self.sides["b"].items(), reverse=True)]
        levels += [("a", p / 10, q / 1000) for p, q in sorted(self.sides["a"].items())]
        return BookMessage("snapshot", self.last_id, self.last_id, -1, levels, self.best())

    def change(self, side: str, tick: int, lots: int) -> Level:
        """One level of the truth; 0 removes it."""
        if lots:
            self.sides[side][tick] = lots
        else:
            self.sides[side].pop(tick, None)
        return side, tick / 10, lots / 1000

    def delta(self, changes: Sequence[Level] | None = None) -> BookMessage:
        """The next message: these levels, or random ones near the best that keep the book uncrossed and two-sided."""
        levels = list(changes) if changes is not None else [self._random() for _ in range(self.random.randint(1, 8))]
        before, first = self.last_id, self.last_id + 1
        self.last_id += self.random.randint(1, 5)
        return BookMessage("delta", first, self.last_id, before if self.chained else -1, levels, self.best())

    def _random(self) -> Level:
        side = self.random.choice("ba")
        mine, other = self.sides[side], self.sides["a" if side == "b" else "b"]
        if self.random.random() < 0.4 and len(mine) > 15:
            best = max(mine) if side == "b" else min(mine)
            return self.change(side, best if self.random.random() < 0.5 else self.random.choice(list(mine)), 0)
        edge = min(other) - 1 if side == "b" else max(other) + 1
        tick = edge - self.random.randint(0, 40) if side == "b" else edge + self.random.randint(0, 40)
        return self.change(side, tick, self.random.randint(1, 9000))


def made(maker: Maker, count: int = 200, early: int = 3) -> list[BookMessage]:
    """`early` deltas, the snapshot that has them, a delta that spans it where the venue's do, and deltas to `count`."""
    before = [maker.delta() for _ in range(early)]
    return [*before, maker.snapshot(), *(maker.delta() for _ in range(count - early - 1))]


def rows_of(messages: Iterable[BookMessage], *, step_ns: int = STEP_NS) -> list[Row]:
    """A row a level; a message without levels is one row of nulls."""
    found = []
    for n, message in enumerate(messages, 1):
        recv_ns = START_NS + n * step_ns
        head = {
            "seq": n, "recv_ns": recv_ns, "ts_exch_ms": recv_ns // 1_000_000 - 20, "kind": message.kind,
            "first_id": message.first_id, "last_id": message.last_id, "prev_id": message.prev_id,
        }  # fmt: skip
        levels = message.levels or [(None, None, None)]
        found += [head | {"side": side, "price": price, "qty": quantity} for side, price, quantity in levels]
    return found


def write_tape(folder: Path, messages: Iterable[BookMessage], name: str = NAME, *, step_ns: int = STEP_NS) -> Path:
    """The messages as a tape."""
    return write_rows(folder, rows_of(messages, step_ns=step_ns), name)


def write_rows(folder: Path, rows: Sequence[Row], name: str = NAME) -> Path:
    """Rows as a parquet file."""
    path = folder / name
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def write_trades(folder: Path, trades: Iterable[tuple[int, float, float, bool]], name: str = NAME) -> Path:
    """(ns after the start, price, quantity, buyer was maker) as the trades beside a tape."""
    rows = [
        {"recv_ns": START_NS + at, "ts_exch_ms": 0, "price": price, "qty": quantity, "buyer_maker": sold}
        for at, price, quantity, sold in trades
    ]
    return write_rows(folder, rows, name.replace("_l2.", "_trades."))


def write_quotes(folder: Path, messages: Iterable[BookMessage], name: str = NAME) -> Path:
    """The truth after each message as the quotes beside a tape."""
    rows = [
        {"recv_ns": START_NS + n * STEP_NS, "update_id": m.last_id}
        | dict(zip(("bid", "bid_qty", "ask", "ask_qty"), m.best, strict=True))
        for n, m in enumerate(messages, 1)
    ]
    return write_rows(folder, rows, name.replace("_l2.", "_bbo."))
