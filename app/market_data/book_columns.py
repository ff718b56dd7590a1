"""A book's columns at bar closes, written into a series of the home: from finished tapes, or from a recording while it runs.

Called by app/market_data/book_recorder.py and app/cli/l2_record.py. A recording is read from the disk, part by part:
what a kill takes away no column has seen, and a restart reads its day again and goes on behind the last row.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.home.written import alone_in
from engine.clock import TIMEFRAMES, timeframe_ms, utc_day
from engine.data.writer import file_name
from engine.errors import BadInput, Busy, DataError
from engine.l2.recorder import BookRecorder
from engine.l2.tape import TapeTrades, beside, name_of, parts_of, read_tape, read_trade_part

if TYPE_CHECKING:
    import polars as pl

    from engine.l2.bars import BookColumns
    from engine.l2.tape import Scale

WRITE_MS = 1_000  # from now until a row is in the file, at most: else it was known later still
BACK_MS = 5_000  # a book is still used so long after the tape before has ended


def series_of(home: Path, tape: Path, timeframe: str) -> Path:
    """The series of a tape's columns. Raises BadInput for what is no timeframe, DataError for another name than a tape's."""
    from engine.l2.bars import WORD

    if timeframe not in TIMEFRAMES:
        raise BadInput(f"unknown timeframe {timeframe!r}", f"use {', '.join(TIMEFRAMES)}")
    venue, symbol, market = name_of(tape)
    return home / "data" / file_name(venue, symbol, market, f"{WORD}_{timeframe}")


def add_rows(path: Path, new: "pl.DataFrame") -> int:
    """Add rows to a series; those that are there stay. Returns how many are new. Raises DataError, BadInput and Busy."""
    import polars as pl

    from engine.data.catalog import readable
    from engine.data.writer import write_series

    with alone_in(path.parent, f".{path.name}.lock", f"{path.name} is being written by another process"):
        both = new
        if path.exists():
            with readable(path):
                have = pl.read_parquet(path).with_columns(pl.col("ts").dt.epoch("ms"))
            new = new.filter(~pl.col("ts").is_in(have["ts"].implode()))
            both = pl.concat([have, new], how="diagonal_relaxed")
        if new.height:
            write_series(path, both.sort("ts"), "recorded", {})
    return new.height


class ColumnFollower:
    """The columns of one instrument's recording. `catch_up` may be called from threads."""

    def __init__(self, home: Path, recorder: BookRecorder, timeframe: str, now_ms: Callable[[], int]) -> None:
        """Raises BadInput for what is no timeframe."""
        self._recorder, self._now_ms = recorder, now_ms
        self.series = series_of(home, Path(f"{recorder.head}_l2.parquet"), timeframe)
        self.bar_ms = timeframe_ms(timeframe)
        self.bars = self.gaps = 0  # written by this process
        self.broken = ""
        self._columns: BookColumns | None = None
        self._tape: Path | None = None  # where it is, and the last part of each that was read
        self._read = self._read_trades = self._given_up = ""
        self._traded_ns = self._taken_ns = 0
        self._rows: list[pl.DataFrame] = []
        self._lock = threading.Lock()
        self._await(now_ms() * 1_000_000)

    def catch_up(self) -> None:
        """Take what the recorder has written and write the bars that are over. What fails is named in `broken` and tried again;
        a tape whose parts cannot be read is given up until the next day's."""
        with self._lock:
            self._catch_up()

    def _catch_up(self) -> None:
        try:
            self._follow()
            self._write()
            self.broken = self.broken if self._given_up and self._tape and self._tape.name == self._given_up else ""
        except DataError as error:
            self._given_up, self._recorder.close_ns = self._tape.name if self._tape else "", 0
            self.broken = f"no bars any more of {self._given_up or self.series.name}: {error}"
        except (BadInput, Busy, OSError) as error:
            self.broken = f"bars wait: {error}"

    def _follow(self) -> None:
        tapes = sorted(self._recorder.folder.glob(f"{self._recorder.head}_[0-9]*_l2.parquet"))
        if self._columns is None:
            tapes = self._begun(tapes)
        before_ns = self._taken_ns
        for tape in tapes:
            if (self._tape is not None and tape.name < self._tape.name) or tape.name == self._given_up:
                continue
            if tape != self._tape:
                assert self._columns is not None  # noqa: S101 - begun above
                self._columns.next_tape()
                self._tape, self._read, self._read_trades, self._traded_ns = tape, "", "", 0
            for part in parts_of(tape):
                if part.name > self._read:
                    self._take(part)
                    self._read = part.name
        if self._taken_ns > before_ns:
            self._await(self._taken_ns)

    def _begun(self, tapes: Sequence[Path]) -> list[Path]:
        """The tapes that the next bar needs, from the day on that has the book before its open; without a series the last."""
        from engine.l2.bars import BookColumns

        if not tapes:
            return []
        begin_ms, found = self._next_open_ms(), list(tapes[-1:])
        if begin_ms is not None:
            day = utc_day(begin_ms - BACK_MS).replace("-", "")
            before = [tape for tape in tapes if tape.name.split("_")[-2] <= day]
            found = [tape for tape in tapes if tape >= (before or tapes)[-1 if before else 0]]
        self._columns = BookColumns(self.bar_ms, begin_ms)
        return found

    def _next_open_ms(self) -> int | None:
        """The open of the first bar that the series does not have. Raises DataError for one that is damaged."""
        import polars as pl

        from engine.data.catalog import readable

        if not self.series.exists():
            return None
        with readable(self.series):
            return int(pl.read_parquet(self.series, columns=["ts"])["ts"].dt.epoch("ms").max()) + self.bar_ms  # type: ignore[arg-type]

    def _take(self, part: Path) -> None:
        """One part of messages, and the trades up to its end."""
        from engine.l2.pieces import on_one_grid

        assert self._columns is not None and self._tape is not None  # noqa: S101, PT018 - begun before
        piece = read_tape(part, self._tape)
        trades = self._trades_until(self._tape, int(piece.recv_ns[-1]))
        self._rows.append(self._columns.take(*on_one_grid(piece, trades)))
        self._taken_ns = int(piece.recv_ns[-1])

    def _trades_until(self, tape: Path, end_ns: int) -> "list[tuple[TapeTrades, Scale]]":
        """The parts of trades that are not read yet, to one that reaches a time."""
        found = []
        trades = beside(tape, "trades")
        for part in parts_of(trades) if trades.exists() else ():
            if part.name <= self._read_trades:
                continue
            if self._traded_ns > end_ns:
                break
            found.append(read_trade_part(part))
            self._traded_ns, self._read_trades = int(found[-1][0].recv_ns[-1]), part.name
        return found

    def _await(self, at_ns: int) -> None:
        """Ask the recorder to write, once, as soon as the bar of this time is over."""
        bar_ns = self.bar_ms * 1_000_000
        self._recorder.close_ns = (at_ns // bar_ns + 1) * bar_ns

    def _write(self) -> None:
        """Write the rows that are not in the series. One that comes later than usual says so: it was not known before."""
        import polars as pl

        if not sum(rows.height for rows in self._rows):
            self._rows.clear()
            return
        rows, known = pl.concat(self._rows), self._now_ms() + WRITE_MS
        rows = rows.with_columns(available_ms=pl.max_horizontal("published_ms", pl.lit(known)))
        self.bars += add_rows(self.series, rows)
        self.gaps += rows.filter(pl.col("gap") != "").height
        self._rows.clear()


def followers_of(
    home: Path, recorders: Sequence[BookRecorder], timeframe: str, now_ns: Callable[[], int]
) -> list[ColumnFollower]:
    """One a recorder; none without a timeframe."""
    return [ColumnFollower(home, one, timeframe, lambda: now_ns() // 1_000_000) for one in recorders if timeframe]


def bars_report(follower: ColumnFollower) -> dict[str, Any]:
    """What was written, as JSON."""
    return {"series": str(follower.series), "bars": follower.bars, "gaps": follower.gaps, "broken": follower.broken or None}
