"""Rows of an answer -> the stored series with what was known when. Called by app/market_data/outside_fetch.py.

A stored row has `ts`, the fields, `published_ms` (when it should have been published), `received_ms`, and `available_ms`, the
later of the two: when this desk could have known it. A value that changes later is a row more, never another value in an old row;
engine/data/sources.py joins them by `available_ms`. Pure: reading and writing the file is the caller's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from engine.data.outside.declared import OutsideFeed
from engine.data.outside.reading import OutsideRow

AHEAD_MS = 60_000  # two clocks may differ by so much
CLOCKS = ("published_ms", "available_ms", "received_ms")


class MergedRows(NamedTuple):
    """The series with an answer's rows added: how many are new, and how many revise a row that was there."""

    frame: pl.DataFrame
    new: int
    revised: int


def closed_rows(feed: OutsideFeed, rows: Sequence[OutsideRow], now_ms: int) -> list[OutsideRow]:
    """The rows but for those whose period still runs: they have no value yet. One of the future stays: door.py refuses it."""
    length = 0 if feed.series.moment else feed.series.period_ms
    return [row for row in rows if row.ts + length <= now_ms or row.ts > now_ms + AHEAD_MS]


def merged(
    feed: OutsideFeed, have: pl.DataFrame | None, rows: Sequence[OutsideRow], received_ms: int, *, as_history: bool = False
) -> MergedRows:
    """`have` (None: nothing yet) with what `rows` adds, ordered by ts and then by when it was known.

    as_history: rows of a time without any row count as known when they should have been published: for a history to train
    on. It is today's, so a revision before the fetch is not seen; `received_ms` still says when it came.
    """
    before = {} if have is None else {row.ts: row.values for row in latest(feed, have)}
    names = [field.name for field in feed.series.fields]
    added, revised = [], 0
    for row in rows:
        if before.get(row.ts) == row.values:
            continue
        first = row.ts not in before
        revised += not first
        published = feed.series.published_ms(row.ts)
        available = published if as_history and first else max(published, received_ms)
        added.append((row.ts, *row.values, published, available, received_ms))
    schema = {"ts": pl.Int64, **dict.fromkeys(names, pl.Float64), **dict.fromkeys(CLOCKS, pl.Int64)}
    more = pl.DataFrame(added, schema=schema, orient="row")
    frame = more if have is None else pl.concat([have.select(list(schema)).cast(schema), more])  # type: ignore[arg-type]  # a mapping of types
    return MergedRows(frame.sort("ts", "available_ms", maintain_order=True), len(added) - revised, revised)


def latest(feed: OutsideFeed, frame: pl.DataFrame) -> list[OutsideRow]:
    """The newest value of each time, in order of time."""
    names = [field.name for field in feed.series.fields]
    order = ["ts", "available_ms"] if "available_ms" in frame.columns else ["ts"]
    newest = frame.sort(order, maintain_order=True).unique("ts", keep="last", maintain_order=True)
    return [OutsideRow(row[0], tuple(row[1:])) for row in newest.select("ts", *names).iter_rows()]
