"""What a diff channel sends, as received -> the parts of a tape on the disk; gaps, resyncs and losses as events of their own.

Called by app/market_data/book_recorder.py, which dials. A day of an instrument is a folder `level2/VENUE/BASE-
QUOTE/VENUE_BASE-QUOTE_MARKET_YYYYMMDD_l2.parquet/` of parts, with `_trades` and `_events` beside it: tape.py reads it like a
file. A part is written whole or not at all, so a kill costs what was not written yet, half a minute at most, and spoils
nothing.
"""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.clock import utc_day
from engine.errors import BadInput
from engine.l2.book import APPLIED, FRESH, LAST_ID, NEXT, PREVIOUS, REFUSED, SNAPSHOT_ID, SYNCED, in_reach, place_in_chain
from engine.l2.loop import BUFFER
from engine.l2.tape import PART
from engine.venues.book_pushes import BookPush, Push, TradePush

if TYPE_CHECKING:
    import polars as pl

PART_NS = 30_000_000_000  # of recorded time in a part: what a kill may cost
PART_LEVELS = 500_000  # or so many levels
OLD_NS = 10_000_000_000  # ids that the book has had for so long are of another numbering
WAITING_LEVELS_MAX = 4_000_000  # in memory, all instruments: 100 MB; what comes beyond is counted as lost
NO_LEVELS = np.zeros(0, np.int8), np.zeros(0), np.zeros(0)
EVENT_KINDS = ("start", "gap", "resync", "day", "unreadable", "error", "lost", "stop")


class _Message(NamedTuple):
    seq: int
    recv_ns: int
    push: BookPush
    levels: tuple[Any, Any, Any]


class RecordedSize(NamedTuple):
    """How much was recorded of one instrument."""

    messages: int
    levels: int
    trades: int
    gaps: int
    resyncs: int
    lost: int
    parts: int
    bytes: int


class BookRecorder:
    """One instrument. `take` keeps a message, `flush` writes what is due; `on_gap` is called to ask for a snapshot."""

    def __init__(self, root: Path, venue: str, symbol: str, market: str, on_gap: Callable[[str], None]) -> None:
        self.symbol, self.folder, self._on_gap = symbol, root / venue / symbol, on_gap
        self.head = f"{venue}_{symbol}_{market}"
        self._chain = np.zeros(8, np.int64)
        self._early: deque[tuple[int, int, int]] = deque(maxlen=BUFFER)  # ids of deltas that came before their snapshot
        self._old_ns = 0  # since when nothing but old ids comes
        self._messages: list[_Message] = []
        self._trades: list[tuple[int, TradePush]] = []
        self._events: list[tuple[int, str, str]] = []
        self._day, self._seq, self._first_ns = "", 0, 0
        self._counts = dict.fromkeys(RecordedSize._fields, 0)
        self.waiting = 0  # levels in memory
        self.heard_ns = 0  # when the last delta came
        self.bare_ns = 0  # since when deltas come without a snapshot before them; 0: they do not
        self.close_ns = 0  # the close of a bar: when something came behind it all is written, once; 0: none is awaited
        self.broken = ""

    def take(self, recv_ns: int, push: Push, *, full: bool = False) -> None:
        """Keep a push as it came. `full`: memory is; then it is lost, counted, and a snapshot asked for."""
        if full:
            if not self._counts["lost"] or self._chain[SYNCED]:
                self.event(recv_ns, "lost", "the disk does not keep up")
            self._counts["lost"] += 1
            self._chain[SYNCED] = 0
            return
        self._new_day(recv_ns)
        self._first_ns = self._first_ns or recv_ns
        if isinstance(push, TradePush):
            self._trades.append((recv_ns, push))
            self.waiting += 1
            return
        self._follow(recv_ns, push)
        self._seq += 1
        columns = NO_LEVELS
        if push.levels:
            side, price, quantity = zip(*push.levels, strict=True)
            columns = np.array(side, np.int8), np.array(price, np.float64), np.array(quantity, np.float64)
        self._messages.append(_Message(self._seq, recv_ns, push._replace(levels=[]), columns))
        self.waiting += max(len(push.levels), 1)

    def event(self, recv_ns: int, kind: str, text: str) -> None:
        """Note something about the recording, `kind` of EVENT_KINDS; bounded like everything else by what a part holds."""
        self._new_day(recv_ns)
        if len(self._events) < PART_LEVELS:
            self._events.append((recv_ns, kind, text[:200]))

    def flush(self, now_ns: int, *, force: bool = False) -> None:
        """Write what is due as parts. A disk that cannot be written is named in `broken` and tried again; nothing is given up."""
        due = self.waiting >= PART_LEVELS or (self._first_ns and now_ns - self._first_ns >= PART_NS)
        over = bool(self._messages) and 0 < self.close_ns < self._messages[-1].recv_ns
        if not (due or over or force):
            return
        try:
            self._write()
            self.broken, self.close_ns = "", 0 if over else self.close_ns
        except OSError as error:
            self.broken = f"{self.folder} cannot be written: {error.strerror or error}"

    def size(self) -> RecordedSize:
        """How much was written."""
        return RecordedSize(**self._counts)

    def _follow(self, recv_ns: int, push: BookPush) -> None:
        """Hold the ids of a message against the venue's rules: a gap is an event and asks for a snapshot, once."""
        chain, ids = self._chain, (push.first_id, push.last_id, push.prev_id)
        if push.snapshot:
            if not (chain[SYNCED] and in_reach(chain, push.last_id)):  # else an answer that took long
                self._begin_from(recv_ns, push)
            return
        self.heard_ns = recv_ns
        if not chain[SYNCED]:
            self.bare_ns = self.bare_ns or recv_ns
            self._early.append(ids)
            return
        last, became = int(chain[LAST_ID]), self._place(*ids)
        fresh = became in (APPLIED, REFUSED)
        self._old_ns = 0 if fresh else self._old_ns or recv_ns
        if became == REFUSED or (not fresh and recv_ns - self._old_ns > OLD_NS):
            chain[SYNCED], self._old_ns = 0, 0
            self._early.append(ids)
            self._counts["gaps"] += 1
            self.event(recv_ns, "gap", f"after {last} came {push.first_id} to {push.last_id}")
            self._on_gap("a message is missing" if became == REFUSED else "ids began anew")

    def _begin_from(self, recv_ns: int, push: BookPush) -> None:
        """A snapshot: the chain goes on from it, over the deltas that came while it was on its way, as a replay does."""
        chain = self._chain
        if not chain[SYNCED] or chain[LAST_ID] != push.last_id:  # after a cut it comes before anything shows the gap
            self._counts["resyncs"] += 1
            self.event(recv_ns, "resync", f"snapshot {push.last_id} of {len(push.levels)} levels")
        chain[SNAPSHOT_ID] = chain[LAST_ID] = push.last_id
        chain[SYNCED], chain[FRESH], self._old_ns, self.bare_ns = 1, 1, 0, 0
        for ids in self._early:
            if self._place(*ids) == REFUSED:
                break  # of another numbering, or behind a hole: the next message that comes says which
        self._early.clear()

    def _place(self, first_id: int, last_id: int, prev_id: int) -> int:
        """What becomes of a delta in the chain, which goes on where it is the next one."""
        chain = self._chain
        became = place_in_chain(chain, PREVIOUS if prev_id >= 0 else NEXT, first_id, last_id, prev_id)
        if became == APPLIED:
            chain[LAST_ID], chain[FRESH] = last_id, 0
        return became

    def _new_day(self, recv_ns: int) -> None:
        """A day's folder begins: what came before is written first, and a snapshot is asked for, since none is in it yet.

        While the disk refuses what came before, its day goes on.
        """
        day = utc_day(recv_ns // 1_000_000).replace("-", "")
        if day == self._day:
            return
        before = self._day
        if before:
            self.flush(recv_ns, force=True)
            if self.broken:
                return
        self._day, self._seq = day, 0
        self._seq = self._next("l2") - 1
        if before:
            self._chain[SYNCED] = 0
            self._events.append((recv_ns, "day", "a new folder begins"))
            self._on_gap("a new day")

    def _next(self, what: str) -> int:
        """The number of the next row's message, trade or event in the day's folder: a restart goes on behind what is there."""
        names = (PART.fullmatch(path.name) for path in self._path(what).glob("part-*.parquet"))  # others are not the recorder's
        return max((int(name[2]) for name in names if name), default=0) + 1

    def _path(self, what: str) -> Path:
        return self.folder / f"{self.head}_{self._day}_{what}.parquet"

    def _write(self) -> None:
        """Everything in memory as one part of each kind. Raises OSError; what was not written then stays."""
        # trades first: where a book's part is, nothing that traded meanwhile is missing
        if self._trades:
            self._part("trades", self._next("trades"), len(self._trades), self._trade_rows())
            self._counts["trades"] += len(self._trades)
            self.waiting -= len(self._trades)
            self._trades.clear()
        if self._messages:
            levels = sum(len(message.levels[0]) for message in self._messages)
            self._part("l2", self._messages[0].seq, len(self._messages), self._message_rows())
            self._counts["messages"] += len(self._messages)
            self._counts["levels"] += levels
            self.waiting -= sum(max(len(message.levels[0]), 1) for message in self._messages)
            self._messages.clear()
        if self._events:
            self._part("events", self._next("events"), len(self._events), self._event_rows())
            self._events.clear()
        self._first_ns = 0

    def _part(self, what: str, first: int, count: int, frame: "pl.DataFrame") -> None:
        """One file, synced and then given its name. Raises OSError."""
        import polars as pl

        folder = self._path(what)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"part-{first:012d}-{first + count - 1:012d}.parquet"
        part = folder / f".{path.name}.{os.getpid()}"
        try:
            frame.write_parquet(part, compression="zstd")
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            with suppress(OSError):
                part.unlink()
            raise OSError(getattr(error, "errno", None) or 0, getattr(error, "strerror", None) or str(error)[:200]) from error
        self._counts["parts"] += 1
        self._counts["bytes"] += path.stat().st_size

    def _message_rows(self) -> "pl.DataFrame":
        """Messages as the rows of tape.py: one a level, one of nulls for a message without levels."""
        import polars as pl

        counts = np.array([max(len(m.levels[0]), 1) for m in self._messages])
        heads = {
            "seq": [m.seq for m in self._messages],
            "recv_ns": [m.recv_ns for m in self._messages],
            "ts_exch_ms": [m.push.exch_ms for m in self._messages],
            "first_id": [m.push.first_id for m in self._messages],
            "last_id": [m.push.last_id for m in self._messages],
            "prev_id": [m.push.prev_id for m in self._messages],
        }
        columns: dict[str, Any] = {name: np.repeat(np.array(values, np.int64), counts) for name, values in heads.items()}
        snapshot = np.repeat(np.array([m.push.snapshot for m in self._messages]), counts)
        empty = np.repeat(np.array([not len(m.levels[0]) for m in self._messages]), counts)
        hole = np.full(1, -1, np.int8), np.full(1, np.nan), np.full(1, np.nan)
        side, price, quantity = (
            np.concatenate([m.levels[k] if len(m.levels[0]) else hole[k] for m in self._messages]) for k in range(3)
        )
        frame = pl.DataFrame(columns | {"snapshot": snapshot, "empty": empty, "s": side, "price": price, "qty": quantity})
        return frame.select(
            *heads,
            pl.when("snapshot").then(pl.lit("snapshot")).otherwise(pl.lit("delta")).alias("kind"),
            pl.when("empty").then(None).when(pl.col("s") == 0).then(pl.lit("b")).otherwise(pl.lit("a")).alias("side"),
            pl.when("empty").then(None).otherwise("price").alias("price"),
            pl.when("empty").then(None).otherwise("qty").alias("qty"),
        )

    def _trade_rows(self) -> "pl.DataFrame":
        import polars as pl

        rows = [(at, t.exch_ms, t.price, t.quantity, t.buyer_maker) for at, t in self._trades]
        names = {"recv_ns": pl.Int64, "ts_exch_ms": pl.Int64, "price": pl.Float64, "qty": pl.Float64, "buyer_maker": pl.Boolean}
        return pl.DataFrame(rows, schema=names, orient="row")

    def _event_rows(self) -> "pl.DataFrame":
        import polars as pl

        return pl.DataFrame(self._events, schema={"recv_ns": pl.Int64, "kind": pl.String, "text": pl.String}, orient="row")


class BookRecorders:
    """All instruments of one venue, with one bound on memory."""

    def __init__(self, root: Path, venue: str, market: str, symbols: dict[str, str], on_gap: Callable[[str, str], None]) -> None:
        """symbols: the venue's market id -> BASE-QUOTE. on_gap(symbol, why) asks for a snapshot. Raises BadInput without any."""
        if not symbols:
            raise BadInput("no instrument to record", "name one with --symbol")
        self._last_ns = 0
        self.on_take: Callable[[int, Push], None] = lambda _recv_ns, _push: None
        self.by_id = {
            name: BookRecorder(root, venue, symbol, market, lambda why, symbol=symbol: on_gap(symbol, why))  # type: ignore[misc]
            for name, symbol in symbols.items()
        }

    def take(self, recv_ns: int, push: Push) -> None:
        """Keep a push of one of the instruments; of another, nothing. A clock that is put back stays where it was."""
        recorder = self.by_id.get(push.market_id)
        self._last_ns = recv_ns = max(recv_ns, self._last_ns)
        if recorder is not None:
            recorder.take(recv_ns, push, full=sum(r.waiting for r in self.by_id.values()) >= WAITING_LEVELS_MAX)
            self.on_take(recv_ns, push)

    def event(self, recv_ns: int, kind: str, text: str) -> None:
        """The same event of every instrument."""
        self._last_ns = recv_ns = max(recv_ns, self._last_ns)
        for recorder in self.by_id.values():
            recorder.event(recv_ns, kind, text)

    def flush(self, now_ns: int, *, force: bool = False) -> None:
        """Write what is due."""
        for recorder in self.by_id.values():
            recorder.flush(now_ns, force=force)
