"""A book's messages as they come -> one row a bar with the time at which it was known: what strategies and models read of a book.

Called by app/market_data/book_columns.py, with a whole tape or with each part that a recorder has written; how it is cut changes
no bit. Values are those of features.py at each 100 ms: at the bar's close, and their mean over the bar. A bar without a usable
book in one of its rows, or during which messages went missing, has no values and says why.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.errors import BadInput, DataError
from engine.l2.book import NEXT, PREVIOUS, WAITING, empty_book
from engine.l2.features import computed, depth, depth_imbalance, imbalance, spread
from engine.l2.loop import BUFFER, Messages
from engine.l2.moments import Changes, Moments, changes_in, moments_at
from engine.l2.pieces import factors, finer, finer_changes, finer_trades, following, from_message, joined, regrained
from engine.l2.replay import blank_rows, replayer, rule_of
from engine.l2.tape import DELTA, SNAPSHOT, BookTape, Ints, Scale, TapeTrades

EVERY_MS = 100
MS_NS = 1_000_000
LAG_MS = 5_000  # from a bar's close until a running recorder has written it
AWAY_MS = 86_400_000  # after so long without a message the bars between are left out
WORD = "book"  # of the series: book_1m
CALLS = ((imbalance, ()), (depth_imbalance, ()), (depth, ()), (spread, ()))
NO_BOOK, MISSING = "no usable book", "messages are missing"
SCHEMA: dict[str, Any] = {
    "ts": pl.Int64, "available_ms": pl.Int64, "published_ms": pl.Int64,
    **{f"{one.name}_{at}": pl.Float64 for one, _ in CALLS for at in ("close", "mean")},
    "taker_flow": pl.Float64, "taker_flow_close": pl.Float64, "usable_frac": pl.Float64, "gap": pl.String,
}  # fmt: skip
NONE: Ints = np.zeros(0, np.int64)


class _Window(NamedTuple):
    """What later bars still need of what came, oldest first."""

    changes: Changes
    broken: "np.ndarray"  # of each change: messages between it and the one before are missing
    sent_ms: Ints  # the venue's time of each message
    sent_ns: Ints  # when it came
    trade_ns: Ints
    net: Ints  # lots that the taker bought, less those sold


NO_WINDOW = _Window(Changes(NONE, NONE, blank_rows(0).near, NONE > 0), NONE > 0, NONE, NONE, NONE, NONE)


class BookColumns:
    """One instrument. `take` adds messages and trades in the order received and gives the bars that are over."""

    def __init__(self, bar_ms: int, begin_ms: int | None = None, *, compiled: bool = True) -> None:
        """begin_ms: the open of the first bar that is wanted; None: the first that opens behind the first book.

        Raises BadInput for a bar that is not whole steps of 100 ms.
        """
        if bar_ms < EVERY_MS or bar_ms % EVERY_MS:
            raise BadInput(f"a bar of {bar_ms} ms", f"a multiple of {EVERY_MS} ms")
        self.bar_ms, self.open_ms, self.scale = bar_ms, begin_ms, Scale(0, 0, 1)
        self._run = replayer(compiled=compiled)
        self._last_id, self._ended_ns = -1, 0
        self._flows_from: list[list[int]] = []  # of the last two tapes: the first message, the first trade or 0
        self._window = NO_WINDOW
        self.next_tape()

    def next_tape(self) -> None:
        """What comes now is another tape: its book begins with its own snapshot, its flow with its own first trade."""
        self._book, self._rule, self._part = empty_book(), NEXT, 0
        self._waiting: BookTape | None = None
        self._waiting_at, self._begins = 0, True

    def take(self, piece: BookTape, trades: TapeTrades | None) -> pl.DataFrame:
        """Columns SCHEMA of the bars that are over by the last of these messages; ts: their open, UTC ms.

        Spread is in bps, depth in base units; taker_flow is what takers bought less what they sold over the bar, taker_flow_close
        over its last second, base units, null before the first recorded trade of the tape. A bar with a gap has nulls, and `gap`
        says why. A bar ends by the recorder's clock. `available_ms` is LAG_MS behind its close, or, where that clock runs slow,
        behind the latest time that the venue had put on what was received by then. Raises DataError for messages that came before
        those already taken, and for numbers that no common grid holds.
        """
        piece, trades = self._on_one_grid(piece, trades)
        self._look_at(piece, trades)
        if len(piece.kind):
            self._add_changes(piece)
        if trades is not None and len(trades.recv_ns):
            w, signed = self._window, trades.lots * trades.taker
            self._window = w._replace(trade_ns=joined(w.trade_ns, trades.recv_ns), net=joined(w.net, signed))
            self._flows_from[-1][1] = self._flows_from[-1][1] or int(trades.recv_ns[0])
        return self._over()

    # ---- messages -> changes --------------------------------------------------------------------------------------------

    def _on_one_grid(self, piece: BookTape, trades: TapeTrades | None) -> tuple[BookTape, TapeTrades | None]:
        """Both in the units of everything so far; what is kept becomes finer where these use more decimals."""
        scale = Scale(
            max(self.scale.price_digits, piece.scale.price_digits), max(self.scale.lot_digits, piece.scale.lot_digits), 1
        )
        if scale != self.scale:
            prices, lots = factors(self.scale, scale)
            self._book = regrained(self._book, prices, lots)
            w = self._window
            self._window = w._replace(changes=finer_changes(w.changes, prices, lots), net=w.net * lots)
            self._waiting = None if self._waiting is None else finer(self._waiting, prices, lots)
            self.scale = scale
        prices, lots = factors(piece.scale, scale)
        if trades is not None:
            trades = finer_trades(trades, prices, lots)
        return finer(piece, prices, lots)._replace(scale=scale), trades

    def _look_at(self, piece: BookTape, trades: TapeTrades | None) -> None:
        """Where a tape begins, the rule of its ids, a day without messages. Raises DataError where the clock goes back."""
        traded = trades.recv_ns if trades is not None else NONE
        for came, last in ((piece.recv_ns, self._ended_ns), (traded, int(self._window.trade_ns[-1:].max(initial=0)))):
            if len(came) and (int(came[0]) < last or (np.diff(came) < 0).any()):
                raise DataError(
                    f"{piece.path}: its messages came before those already taken", "name tapes that follow each other"
                )
        if self._begins:
            first_ns = int(np.concatenate([piece.recv_ns[:1], traded[:1]]).min(initial=np.iinfo(np.int64).max))
            self._flows_from = [*self._flows_from[-1:], [first_ns, 0]]
        if not len(piece.kind):
            return
        before_ns = self._ended_ns or (self.open_ms or 0) * MS_NS
        if before_ns and int(piece.recv_ns[0]) - before_ns > AWAY_MS * MS_NS:
            self.open_ms, self._window = None, NO_WINDOW
        self._ended_ns = int(piece.recv_ns[-1])
        if self._rule != PREVIOUS and (piece.kind == DELTA).any():
            self._rule = rule_of(piece)

    def _add_changes(self, piece: BookTape) -> None:
        """The messages through the book: its changes, and before which of them messages are missing."""
        whole = piece if self._waiting is None else following(self._waiting, piece)
        begin, count = len(whole.kind) - len(piece.kind), len(whole.kind)
        m, out = Messages(*(getattr(whole, name) for name in Messages._fields)), blank_rows(count)
        out.became[:begin] = WAITING
        at, self._part = self._run(self._book, self._rule, m, out, begin, count, self._waiting_at, self._part)
        keep = max(at, count - BUFFER)
        self._waiting, self._waiting_at = (from_message(whole, keep) if keep < count else None), 0
        w, changes = self._window, changes_in(out, whole.recv_ns)
        if self._begins and len(w.changes.when_ns):  # the book of the tape before is not this one's
            went_on = self._last_id >= 0 and self._last_id in (int(whole.prev_id[0]), int(whole.first_id[0]) - 1)
            loss = Changes(whole.recv_ns[:1], np.full(1, -1), blank_rows(1).near, np.zeros(1, np.bool_))
            w = w._replace(changes=both(w.changes, loss), broken=joined(w.broken, np.array([not went_on])))
        self._begins = False
        self._window = w._replace(
            changes=both(w.changes, changes),
            broken=joined(w.broken, self._breaks(changes, whole)),
            sent_ms=joined(w.sent_ms, piece.exch_ms),
            sent_ns=joined(w.sent_ns, piece.recv_ns),
        )

    def _breaks(self, changes: Changes, whole: BookTape) -> "np.ndarray":
        """Where a change does not follow the one before it: a loss, or a snapshot of another id than the last one applied."""
        row = np.maximum(changes.row, 0)
        ids = np.where(changes.row >= 0, whole.last_id[row], -1)
        before = np.concatenate([[self._last_id], ids[:-1]])[: len(ids)]
        self._last_id = int(ids[-1]) if len(ids) else self._last_id
        return np.asarray((changes.row < 0) | ((whole.kind[row] == SNAPSHOT) & (ids != before)))

    # ---- changes -> bars ------------------------------------------------------------------------------------------------

    def _over(self) -> pl.DataFrame:
        """The bars that closed before the last change; what no later one needs is let go."""
        when = self._window.changes.when_ns
        if not len(when):
            return pl.DataFrame(schema=SCHEMA)
        if self.open_ms is None:
            self.open_ms = -(-int(when[0]) // (self.bar_ms * MS_NS)) * self.bar_ms
        first = self.open_ms
        count = max((int(when[-1]) - 1) // MS_NS - first, 0) // self.bar_ms
        rows = self._rows(first, count)
        self.open_ms = first + count * self.bar_ms
        self._forget(self.open_ms * MS_NS)
        return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))

    def _rows(self, first_ms: int, count: int) -> list[dict[str, Any]]:
        """`count` bars from `first_ms` on."""
        if not count:
            return []
        per, changes = self.bar_ms // EVERY_MS, self._window.changes
        when = (first_ms + np.arange(1, count * per + 1, dtype=np.int64) * EVERY_MS) * MS_NS
        m = moments_at(changes, when, np.searchsorted(changes.when_ns, when, side="right") - 1, None, self.scale)
        columns = computed(m, CALLS)
        names = [one.name for one, _ in CALLS]
        rows = []
        for n in range(count):
            open_ms, inside = first_ms + n * self.bar_ms, slice(n * per, (n + 1) * per)
            row = self._beside(open_ms, m, inside)
            for name, column in zip(names, columns, strict=True):
                values = column.values[inside]
                row |= {f"{name}_close": float(values[-1]), f"{name}_mean": float(values.mean())}
            row |= self._flows(open_ms)
            if row["gap"]:
                row |= dict.fromkeys((name for name, dtype in SCHEMA.items() if dtype == pl.Float64 and name != "usable_frac"))
            rows.append(row)
        return rows

    def _beside(self, open_ms: int, m: Moments, inside: slice) -> dict[str, Any]:
        """When a bar was known, how much of it has a book, and what is missing."""
        w, begin, end = self._window, open_ms * MS_NS, (open_ms + self.bar_ms) * MS_NS
        usable = float((m.part[inside] > 0).mean())
        a, b = np.searchsorted(w.changes.when_ns, [begin, end], side="right")
        missing = bool(w.broken[a : b + 1].any())  # the next one too: what it misses may be of before the close
        sent = w.sent_ms[slice(*np.searchsorted(w.sent_ns, [begin, end], side="right"))]
        known = max(open_ms + self.bar_ms, int(sent.max(initial=0))) + LAG_MS
        gap = NO_BOOK if usable < 1.0 else MISSING if missing else ""
        return {"ts": open_ms, "available_ms": known, "published_ms": known, "usable_frac": usable, "gap": gap}

    def _flows(self, open_ms: int) -> dict[str, float]:
        """Taker flow over a bar, and over its last second; NaN before the tape's first trade."""
        w, begin, end = self._window, open_ms * MS_NS, (open_ms + self.bar_ms) * MS_NS
        first_ns = next((traded for began, traded in reversed(self._flows_from) if began <= begin), 0)
        if not 0 < first_ns <= begin:
            return {"taker_flow": np.nan, "taker_flow_close": np.nan}
        found, unit = {}, 10.0**self.scale.lot_digits
        for name, since in (("taker_flow", begin), ("taker_flow_close", max(begin, end - 1000 * MS_NS))):
            found[name] = float(w.net[slice(*np.searchsorted(w.trade_ns, [since, end], side="right"))].sum()) / unit
        return found

    def _forget(self, begin_ns: int) -> None:
        """Let go of what is behind the next bar's open, but for the last change by then."""
        w = self._window
        a = max(int(np.searchsorted(w.changes.when_ns, begin_ns, side="right")) - 1, 0)
        t, s = (int(np.searchsorted(x, begin_ns, side="right")) for x in (w.trade_ns, w.sent_ns))
        changes = Changes(*(column[a:].copy() for column in w.changes))
        kept = w.sent_ms[s:].copy(), w.sent_ns[s:].copy(), w.trade_ns[t:].copy(), w.net[t:].copy()
        self._window = _Window(changes, w.broken[a:].copy(), *kept)


def both(first: Changes, then: Changes) -> Changes:
    """Changes that follow each other."""
    return Changes(*(joined(a, b) for a, b in zip(first, then, strict=True)))


def book_bars(tape: BookTape, trades: TapeTrades | None, bar_ms: int) -> pl.DataFrame:
    """The bars of a whole tape, as BookColumns has them."""
    return BookColumns(bar_ms).take(tape, trades)
