"""A desk that has traded ten synthetic days, and forks of it that live one more day in which one thing goes another way."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import polars as pl

from app.home.home import Home, open_home
from engine.book.replay import fold
from engine.core.state import DAY_MS
from engine.data.writer import write_series
from engine.live.loop import Loop
from engine.parity.comparison import CLASSES, Comparison, compared
from engine.parity.tape import tape_of
from engine.parity.today import today_of
from tests.fakes.papers import (
    BAR_MS,
    FROM_MS,
    WALL_MS,
    WARM_DAYS,
    advanced,
    advanced_until,
    feed_of,
    furnished,
    holding,
    loop_of,
    reconfigured,
)

DAYS = 10
FIRST_MS = FROM_MS + WARM_DAYS * DAY_MS
LATER_MS = FIRST_MS + (DAYS - 2) * DAY_MS  # its last two days
FORK_MS = FIRST_MS + DAYS * DAY_MS
DAY_BARS = DAY_MS // BAR_MS


@contextmanager
def opened(folder: Path) -> Iterator[Home]:
    """The home in a folder, whatever the environment of the test says."""
    before = os.environ.get("NIGHTDESK_HOME")
    os.environ["NIGHTDESK_HOME"] = str(folder)
    try:
        yield open_home(WALL_MS)
    finally:
        os.environ.pop("NIGHTDESK_HOME")
        if before is not None:
            os.environ["NIGHTDESK_HOME"] = before


@cache
def ten_days() -> Path:
    """A home that has lived ten days, made once a test run; nobody writes into it."""
    folder = Path(tempfile.mkdtemp(prefix="nightdesk-lived-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return lived(folder / "home")


def lived(folder: Path) -> Path:
    """Ten days of three sleeves; a version adopted by a flat sleeve, and one by a sleeve that holds a position."""
    folder.mkdir(parents=True)
    furnished(folder)
    with opened(folder) as home:
        loop = loop_of(home, feed_of(home))
        advanced(loop, 3 * DAY_BARS)
        reconfigured(home, "eth-trend", stop_atr=3.0)
        advanced_until(loop, holding)
        names = [n for n, s in zip(loop.book.names, loop.book.sleeves, strict=True) if s.position.open_layers]
        reconfigured(home, names[0], target_atr=2.5)
        advanced(loop, DAYS * DAY_BARS - loop.book.count)
        loop.journal.close()
    return folder


def forked(home: Home, bars: int, go: Callable[[Loop], None]) -> None:
    """One more day of a copied home; `go` is given the loop first."""
    loop = loop_of(home, feed_of(home), fold(home.desk_journal))
    go(loop)
    advanced(loop, max(bars - (loop.book.count - DAYS * DAY_BARS), 0))
    loop.journal.close()


def comparison(home: Home, since_ms: int | None = None, approved: dict[str, dict[str, object]] | None = None) -> Comparison:
    """The home's desk against its backtest, with the home as it is now."""
    tape = tape_of(home.path, since_ms)
    return compared(tape, today_of(tape, home.setup, home.catalog, lambda name, _: (approved or {}).get(name)))


def in_usd(found: Comparison) -> dict[str, float]:
    """The classes that hold anything."""
    return {name: found.cents(name) / 100 for name in CLASSES if found.cents(name)}


def share_of(found: Comparison, *names: str) -> float:
    """How much of all dollars moved, whatever their sign, is in these classes."""
    moved = {name: sum(abs(share.classes[name]) for share in found.shares) for name in CLASSES}
    return sum(moved[name] for name in names) / max(sum(moved.values()), 1)


def rewritten(home: Home, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """A file of the home's market with other rows, as a correction of the venue would leave it."""
    (path,) = home.path.rglob(name)
    frame = pl.read_parquet(path).with_columns(pl.col("ts").dt.epoch("ms"))
    write_series(path, change(frame), "synthetic", {})


def copied(folder: Path) -> Path:
    """The lived home once more, for a test of its own."""
    shutil.copytree(ten_days(), folder, dirs_exist_ok=True)
    return folder


def hourly(path: Path) -> None:
    """The hours of a file of 15m bars, beside it."""
    frame = pl.read_parquet(path).with_columns(pl.col("ts").dt.epoch("ms")).with_columns(pl.col("ts") // 3_600_000 * 3_600_000)
    first = [pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum()]
    write_series(
        path.with_name(path.name.replace("15m", "1h")), frame.group_by("ts", maintain_order=True).agg(first), "synthetic", {}
    )
