"""A recorded day's many parts -> a few, with the same rows in the same order. Called by app/market_data/book_recorder.py.

A packed part has a name that covers those it was made of, and readers leave covered parts out (tape.parts_of): so there is not a
moment at which a day has a row twice or lacks one, and a pass that broke off is ended by the next.
"""

import os
from contextlib import suppress
from pathlib import Path

import polars as pl

from engine.clock import DAY_MS, utc_day
from engine.errors import DataError
from engine.l2.tape import covered, parts_of, span_of

ROWS = 2_000_000  # or somewhat more in a packed part: 100 MB in memory
KINDS = ("l2", "trades", "events")


def pack_days(folder: Path, now_ms: int) -> list[str]:
    """Pack the days of an instrument's folder that are over since a whole day; names of what was packed.

    Raises DataError for a part that cannot be read, or a disk that cannot be written; what was there then stays.
    """
    today, done = utc_day(now_ms - DAY_MS).replace("-", ""), []
    for day in sorted(folder.glob("*_[0-9]*_*.parquet")):
        *_, date, kind = day.name.removesuffix(".parquet").split("_")
        if day.is_dir() and kind in KINDS and date < today and pack_day(day):
            done.append(day.name)
    return done


def pack_day(day: Path) -> int:
    """One folder of parts; how many parts fewer it has. Raises DataError as pack_days."""
    try:
        before = len(list(day.glob("part-*.parquet")))
        group: list[Path] = []
        rows = 0
        for part in parts_of(day):
            group.append(part)
            rows += int(pl.scan_parquet(part).select(pl.len()).collect().item())
            if rows >= ROWS:
                _together(group)
                group, rows = [], 0
        _together(group)
        for part in covered(sorted(day.glob("part-*.parquet"))):
            part.unlink()
        return before - len(list(day.glob("part-*.parquet")))
    except (OSError, pl.exceptions.PolarsError) as error:
        text = str(error).splitlines()[0][:200] or type(error).__name__
        raise DataError(f"{day} cannot be packed: {text}", "free the disk; it is tried again") from error


def _together(group: list[Path]) -> None:
    """Write these parts as one, once it reads back the same. Raises OSError."""
    if len(group) < 2:
        return
    rows = pl.concat([pl.read_parquet(part) for part in group])
    path = group[0].with_name(f"part-{span_of(group[0])[0]:012d}-{span_of(group[-1])[1]:012d}.parquet")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        rows.write_parquet(draft, compression="zstd")
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        if not pl.read_parquet(draft).equals(rows):
            raise OSError("the packed part reads back differently")
        draft.replace(path)
    except (OSError, pl.exceptions.PolarsError):
        with suppress(OSError):
            draft.unlink()
        raise
