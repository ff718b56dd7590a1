"""The bars the desk walks: from the anchor for features, from the last bar it saw for trading, aligned on the desk's one clock.

Called by app.processes.worker at start, and again when a file has grown. Turns catalog series into a Feed; a bar is never mended,
settlements that are missing refuse (DEFINITIONS D4), and what was chosen is said in `notes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from engine.book.book import Book
from engine.clock import timeframe_text, utc
from engine.core.state import DAY_MS
from engine.data.align import Market, Policy, until
from engine.data.catalog import Catalog, Series
from engine.data.loading import load as load_bars
from engine.data.loading import notes_on, with_read
from engine.data.sources import Observations, OutsideSeries, observations
from engine.errors import DataError
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.strategies.reads import NOTHING_ELSE, Reads, files_read, frame_of

WAY_OUT = 'pull them (nightdesk data pull), or say funding = "none" or "assume=1" (bps in 8 hours) under [worker] in desk.toml'
BACK_MS = 7 * DAY_MS  # bars before the last one that the desk saw: its settlement may be charged at the close before it


class Span(NamedTuple):
    """Where a desk begins: all UTC ms, each the open of a bar."""

    anchor_ms: int  # of its first bar: the first bar it reads
    first_ms: int
    replay_until_ms: int


class Feed(NamedTuple):
    """Every known bar."""

    whole: Market  # from the anchor, without funding: what features are computed from; also of instruments only read
    span: Market  # from the first traded bar, with funding
    first: int  # the span's first bar within `whole`
    source: str  # recorded, pulled, synthetic
    files: tuple[Series, ...]
    notes: tuple[str, ...]
    catalog: Catalog  # where bars and series that a strategy reads come from
    observed: Mapping[OutsideSeries, Observations] = MappingProxyType({})

    def frame(self, instrument: str, reads: Reads = NOTHING_ELSE) -> FeatureFrame:
        """One instrument's bars from the anchor on, with what else a strategy reads."""
        return frame_of(self.whole, instrument, reads, self.observed)

    def covering(self, reads: Iterable[Reads]) -> "Feed":
        """The feed with every other instrument and outside series that is read. It ends where all bars are known, and all
        settlements that are read, unless those are too old to count anyway.

        Raises BadInput for what the catalog does not have, DataError for invalid bars or series.
        """
        step = self.whole.timeframe_ms
        read = files_read(self.catalog, reads, timeframe_text(step), {*self.whole.instruments, *self.observed})
        if not read.files:
            return self
        feed = self._until(end_of(read.bars, step)) if read.bars else self
        observed = {declared: observations(self.catalog, declared, s) for declared, s in read.series.items()}
        for known in observed.values():
            feed = feed._until(settled_until(known, int(feed.span.close_ms[-1])))
        whole, found = with_read(self.catalog, feed.whole, read.bars, int(feed.span.close_ms[0]) - step)
        files = (*feed.files, *read.files.values())
        source = "+".join(sorted({s.source for s in files}))
        notes = (*feed.notes, *found, *notes_on(observed, read.series, feed.span))
        return feed._replace(whole=whole, observed={**feed.observed, **observed}, source=source, files=files, notes=notes)

    def _until(self, end_ms: int) -> "Feed":
        """The feed without the bars that close after `end_ms`; DataError when none of the desk's own is left."""
        if end_ms >= int(self.span.close_ms[-1]):
            return self
        if end_ms < int(self.span.close_ms[0]):
            raise DataError(f"bars that a strategy reads end at {utc(end_ms)}, before this desk began", "nightdesk data pull")
        return self._replace(whole=until(self.whole, end_ms), span=until(self.span, end_ms))

    def bars(self, t: int) -> dict[str, list[float | None]]:
        """Bar t of the span as the journal holds it: open, high, low, close, volume, funding rate and mark."""
        m = self.span
        columns = (m.open, m.high, m.low, m.close, m.volume, m.funding_rate, m.funding_mark)
        return {
            name: [None if np.isnan(column[t, k]) else float(column[t, k]) for column in columns]
            for k, name in enumerate(m.instruments)
        }

    @property
    def bar_count(self) -> int:
        """How many bars of the span are known."""
        return len(self.span.close_ms)

    def after(self, close_ms: int) -> int:
        """Index within the span of the bar that follows the one closed at `close_ms`; the span's length when none has come."""
        t = (close_ms - int(self.span.close_ms[0])) // self.span.timeframe_ms + 1
        return min(max(t, 0), self.bar_count)


def series_of(catalog: Catalog, names: Sequence[str], timeframe: str) -> dict[str, Series]:
    """Instrument -> its bars in the catalog. Raises BadInput naming what there is instead."""
    found = {}
    for name in names:
        venue, symbol, market = name.split(":")
        found[name] = catalog.find(venue, symbol, timeframe, market)
    return found


def end_of(series: Mapping[str, Series], timeframe_ms: int) -> int:
    """Where the bars of all instruments are known up to (UTC ms, excluded)."""
    return min(s.last_ms for s in series.values()) + timeframe_ms


def settled_until(known: Observations, end_ms: int) -> int:
    """The last close whose settlement is known; `end_ms` for another series, and for settlements that stopped long ago."""
    if known.until_ms is None or end_ms - known.until_ms > known.max_age_ms:
        return end_ms
    return min(end_ms, known.until_ms - 1)


def begin_at(series: Mapping[str, Series], timeframe_ms: int, replay_days: int) -> Span:
    """Where a new desk begins. Recorded bars: the replay is the days before the last so many; synthetic ones: the
    replay follows as many days that only warm the features, and the rest of the market lies ahead.
    """
    first, end = max(s.first_ms for s in series.values()), end_of(series, timeframe_ms)
    wished = min(replay_days * DAY_MS, (end - first) // 3 // timeframe_ms * timeframe_ms)
    synthetic = all(s.source == "synthetic" for s in series.values())
    start = first + wished if synthetic else end - 2 * wished
    if wished <= 0 or end - first < 3 * timeframe_ms:
        start, wished = first, 0
    earliest = min(s.first_ms for s in series.values())
    return Span(max(earliest, anchor_ms(start)), start, start + wished)


def load(catalog: Catalog, series: Mapping[str, Series], timeframe_ms: int, span: Span, policy: Policy, seen_ms: int = 0) -> Feed:
    """Read, check and align the bars to the end that all instruments share.

    A desk that has seen the close at `seen_ms` needs the bars from shortly before it on, and the anchor of those for features:
    as many after a year as after a day.
    Raises DataError for dirty bars in the traded span, and for missing settlements unless the policy stands in.
    """
    end = end_of(series, timeframe_ms)
    if end <= span.first_ms:
        raise DataError(f"the bars end at {utc(end)}, before this desk began ({utc(span.first_ms)})", "nightdesk data list")
    first_ms = max(span.first_ms, seen_ms - timeframe_ms - BACK_MS)
    try:
        found = load_bars(catalog, series, timeframe_ms, policy, anchor_ms(first_ms), first_ms, end)
    except DataError as error:
        raise DataError(error.what, WAY_OUT if "funding" in error.what else error.hint) from error
    if first_ms == span.first_ms and int(found.span.close_ms[0]) != first_ms + timeframe_ms:
        raise DataError(f"the first bar of this desk, {utc(span.first_ms)}, is no longer there", "restore the file it came from")
    source = "+".join(sorted({s.source for s in series.values()}))
    return Feed(found.whole, found.span, found.first, source, tuple(series.values()), found.notes, catalog)


def unchanged(feed: Feed, book: Book) -> None:
    """Raise DataError unless the bar that the desk saw last is still what it was."""
    if book.count == 0:
        return
    t = feed.after(book.close_ms) - 1
    if t < 0 or int(feed.span.close_ms[t]) != book.close_ms:
        raise DataError(f"the bar that closed at {utc(book.close_ms)} is gone", "restore the file it came from")
    now = feed.bars(t)
    for name, seen in zip(book.instruments, book.bars, strict=True):
        if seen.close_ms == book.close_ms and now[name] != list(seen[1:]):
            raise DataError(
                f"{name}: the bar that closed at {utc(book.close_ms)} is not what this desk saw",
                "its history was changed: restore the file, or begin a new home",
            )
