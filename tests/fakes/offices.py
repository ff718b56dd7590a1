"""An office without an app: a migrated database, the people journal, real tools, and a model that says what the test wrote."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from agents.model import ALONE, Call, Caller, Message, Reply, Usage
from agents.offline.model import OfflineModel
from agents.offline.words import Param, SleeveName, Words
from agents.spending import SpendLimits
from engine.store.anchors import note_head_in
from engine.store.journal import Event, Journal, read
from memory.shelf import Shelf
from tools.common.contract import JobView, Tool, ToolContext

NOW_MS = 1_800_000_000_000
DESK_MS = 1_764_652_500_000  # 2025-12-02 05:15Z


class ScriptedModel:
    """Says its replies one after the other, whatever it is asked; keeps what it was shown."""

    name, api_format, offline = "scripted", "test", False

    def __init__(self, *replies: Reply | Exception | Callable[[Sequence[Message]], Reply]) -> None:
        self.replies, self.seen, self.shown = list(replies), list[Sequence[Message]](), list[list[str]]()

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:
        """The next reply; the last one again when there are no more."""
        self.seen.append(list(messages))
        self.shown.append([tool.name for tool in tools])
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply(messages) if callable(reply) else reply


def calls(*wanted: tuple[str, Mapping[str, Any]], ids: Sequence[str] = ()) -> Reply:
    """A reply that calls tools."""
    names = ids or [f"x{i}" for i in range(len(wanted))]
    return Reply("", tuple(Call(i, name, args) for i, (name, args) in zip(names, wanted, strict=True)), Usage(10, 5))


class NoJobs:
    """A queue that nothing should reach."""

    def submit(self, kind: str, args: Mapping[str, Any], *, thread: str | None, turn: str | None) -> str:
        """Not in these tests."""
        raise AssertionError(f"a job was started: {kind} {args}")

    def wait(self, job_id: str, timeout_s: float | None, progress: Callable[[float], None]) -> JobView:
        """Not in these tests."""
        raise AssertionError(job_id)

    def cancel(self, job_id: str) -> None:
        """Nothing runs."""


class FakeOffice:
    """agents.turns.AgentRuntime over a temporary home."""

    source, stamp = "synthetic", "PAPER"
    limits = SpendLimits()

    def __init__(self, home: Path, engine: Engine, words: Words) -> None:
        self.home, self.engine, self._words = home, engine, words
        self.model: Any = OfflineModel()
        self.clock_ms, self.halts = NOW_MS, list[tuple[str, str]]()
        Shelf(home / "memory").stock()
        self.journal = Journal(home / "journal" / "people.jsonl", "test")
        self.jobs: Any = NoJobs()

    def now_ms(self) -> int:
        """A clock that moves by a millisecond each time it is read."""
        self.clock_ms += 1
        return self.clock_ms

    def desk_ms(self) -> int | None:
        """The desk's time."""
        return DESK_MS

    def words(self, desk_ms: int | None) -> Words:
        """The vocabulary."""
        return self._words

    def context(self, **of_the_turn: Any) -> ToolContext:
        """A context with the real tools."""
        from engine.data.catalog import Catalog

        return ToolContext(
            engine=self.engine,
            home=self.home,
            catalog=Catalog([(self.home / "data", "recorded")]),
            jobs=self.jobs,
            record=self.record,
            wait_s=None,
            **of_the_turn,
        )

    def record(self, kind: str, body: Mapping[str, Any]) -> str:
        """Append to the people journal."""
        return self.journal.append([Event(kind, self.now_ms(), dict(body))])[0].id

    def anchor(self, rows: Connection) -> None:
        """As the real one."""
        note_head_in(rows, "people", self.journal.head, self.clock_ms)

    def halt(self, reason: str, person: str) -> str:
        """Note the halt."""
        self.halts.append((reason, person))
        return f"HALTED: {reason}"

    def journaled(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Kinds and bodies of the people journal."""
        return [(event.kind, event.body) for event in read(self.home / "journal" / "people.jsonl")]


def small_words() -> Words:
    """A small vocabulary: one strategy with five parameters, two sleeves."""
    listed = (("fast_bars", "bars", 40), ("slow_bars", "bars", 200), ("stop_atr", "ATR", 2.0), ("target_atr", "ATR", 4.0))
    listed += (("leverage_max", "x", 3.0),)
    params = tuple(Param(key, unit, default, None, None) for key, unit, default in listed)
    sleeves = tuple(
        SleeveName(f"{coin}-trend", "trend", f"{coin.upper()}-USDT", "15m", "binance", {"stop_atr": 2.0, "fast_bars": 40})
        for coin in ("btc", "eth")
    )
    return Words({"trend": params}, sleeves, ("BTC-USDT", "ETH-USDT"), ("binance",), DESK_MS)
