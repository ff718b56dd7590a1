"""The bars the desk walks: from the anchor for features, from the last bar it saw for trading, aligned on the desk's one clock.

Called by app.processes.worker at start, and again when a file has grown. Turns catalog series into a Feed; a bar is never mended,
settlements that are missing refuse (DEFINITIONS D4), and what was chosen is said in `notes`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from engine.book.book import Book
from engine.clock import timeframe_ms, timeframe_text, utc
from engine.core.state import DAY_MS
from engine.data.align import Market, Policy, until
from engine.data.catalog import Catalog, Series
from engine.data.loading import LoadedBars, notes_on, with_read
from engine.data.sources import Observations, OutsideSeries, ReadFiles, observations
from engine.data.timeframes import known_until, load_desk, parts_of
from engine.errors import DataError
from engine.features.anchor import anchor_ms
from engine.features.frame import FeatureFrame
from engine.features.reads import Reads, files_read, frame_of

WAY_OUT = 'pull them (nightdesk data pull), or say funding = "none" or "assume=1" (bps in 8 hours) under [worker] in desk.toml'
BACK_MS = 7 * DAY_MS  # bars before the last one that the desk saw: its settlement may be charged at the close before it


class Span(NamedTuple):
    """Where a desk begins: all UTC ms, each the open of a bar."""

    anchor_ms: int  # of its first bar: the first bar it reads
    first_ms: int
    replay_until_ms: int


class Feed(NamedTuple):
    """Every known bar."""

    span: Market  # from the first traded bar, with funding, on the clock; own bars of longer timeframes as columns
    own: Mapping[int, LoadedBars]  # by timeframe in ms, the clock's among them: what features are computed from
    source: str  # recorded, pulled, synthetic
    files: tuple[Series, ...]
    notes: tuple[str, ...]
    catalog: Catalog  # where bars and series that a strategy reads come from

    def frame(self, instrument: str, reads: Reads) -> FeatureFrame:
        """One instrument's bars on the timeframe of `reads`, from the anchor on, with what else a strategy reads."""
        own = self.own[timeframe_ms(reads.timeframe)]
        return frame_of(own.whole, instrument, reads, own.observed)

    @property
    def clock(self) -> LoadedBars:
        """The bars of the clock."""
        return self.own[self.span.timeframe_ms]

    def closed(self, bar_ms: int, close_ms: int) -> int:
        """Index within the span of that timeframe of the last bar closed at `close_ms`; below 0 when none has."""
        return (close_ms - int(self.own[bar_ms].span.close_ms[0])) // bar_ms

    def closes(self, bar_ms: int, close_ms: int) -> bool:
        """Whether a bar of that timeframe, and of this desk, closes there."""
        return close_ms % bar_ms == 0 and 0 <= self.closed(bar_ms, close_ms) < len(self.own[bar_ms].span.close_ms)

    def covering(self, reads: Iterable[Reads]) -> "Feed":
        """The feed with every other instrument and outside series that is read. It ends where all bars are known, and all
        settlements that are read, unless those are too old to count anyway.

        Raises BadInput for what the catalog does not have, DataError for invalid bars or series.
        """
        feed = self
        found = files_read(self.catalog, reads, self._loaded())
        for timeframe, read in found.items():
            feed = feed._reading(timeframe, read) if read.files else feed
        return feed

    def _loaded(self) -> set[tuple[str, str | OutsideSeries]]:
        """(timeframe, name) of everything that it has already."""
        found: set[tuple[str, str | OutsideSeries]] = set()
        for ms, own in self.own.items():
            found |= {(timeframe_text(ms), name) for name in own.whole.instruments}
            found |= {(timeframe_text(ms), declared) for declared in own.observed}
        return found

    def _reading(self, timeframe: str, read: ReadFiles) -> "Feed":
        """The feed with what is read on one timeframe."""
        step, clock = timeframe_ms(timeframe), self.span.timeframe_ms
        feed = self._until(known_until(read.bars.values(), clock)) if read.bars else self
        observed = {declared: observations(self.catalog, declared, s) for declared, s in read.series.items()}
        for known in observed.values():
            feed = feed._until(settled_until(known, int(feed.span.close_ms[-1])))
        own = feed.own[step]
        whole, found = with_read(self.catalog, own.whole, read.bars, int(own.span.close_ms[0]) - step)
        own = own._replace(whole=whole, observed={**own.observed, **observed})
        files = (*feed.files, *read.files.values())
        source = "+".join(sorted({s.source for s in files}))
        notes = (*feed.notes, *found, *notes_on(observed, read.series, own.span))
        return feed._replace(own={**feed.own, step: own}, source=source, files=files, notes=notes)

    def _until(self, end_ms: int) -> "Feed":
        """The feed without the bars that close after `end_ms`; DataError when none of the desk's own is left."""
        if end_ms >= int(self.span.close_ms[-1]):
            return self
        if end_ms < int(self.span.close_ms[0]):
            raise DataError(f"bars that a strategy reads end at {utc(end_ms)}, before this desk began", "nightdesk data pull")
        cut = {ms: own._replace(whole=until(own.whole, end_ms), span=until(own.span, end_ms)) for ms, own in self.own.items()}
        return self._replace(span=until(self.span, end_ms), own=cut)

    def bars(self, t: int) -> dict[str, list[float | None]]:
        """Bar t of the span as the journal holds it: open, high, low, close, volume, funding rate and mark; of a longer
        timeframe only where it closes.
        """
        m, close_ms = self.span, int(self.span.close_ms[t])
        columns = (m.open, m.high, m.low, m.close, m.volume, m.funding_rate, m.funding_mark)
        clock = timeframe_text(m.timeframe_ms)
        return {
            name: [None if np.isnan(column[t, k]) else float(column[t, k]) for column in columns]
            for k, name in enumerate(m.instruments)
            if self.closes(timeframe_ms(parts_of(name, clock)[1]), close_ms)
        }

    @property
    def bar_count(self) -> int:
        """How many bars of the clock are known."""
        return len(self.span.close_ms)

    def after(self, close_ms: int) -> int:
        """Index within the span of the bar that follows the one closed at `close_ms`; the span's length when none has come."""
        t = (close_ms - int(self.span.close_ms[0])) // self.span.timeframe_ms + 1
        return min(max(t, 0), self.bar_count)


def settled_until(known: Observations, end_ms: int) -> int:
    """The last close whose settlement is known; `end_ms` for another series, and for settlements that stopped long ago."""
    if known.until_ms is None or end_ms - known.until_ms > known.max_age_ms:
        return end_ms
    return min(end_ms, known.until_ms - 1)


def begin_at(series: Mapping[str, Series], clock_ms: int, replay_days: int) -> Span:
    """Where a new desk begins. Recorded bars: the replay is the days before the last so many; synthetic ones: the
    replay follows as many days that only warm the features, and the rest of the market lies ahead.
    """
    first, end = max(s.first_ms for s in series.values()), known_until(series.values(), clock_ms)
    wished = min(replay_days * DAY_MS, (end - first) // 3 // clock_ms * clock_ms)
    synthetic = all(s.source == "synthetic" for s in series.values())
    start = first + wished if synthetic else end - 2 * wished
    if wished <= 0 or end - first < 3 * clock_ms:
        start, wished = first, 0
    earliest = min(s.first_ms for s in series.values())
    return Span(max(earliest, anchor_ms(start)), start, start + wished)


def load(catalog: Catalog, series: Mapping[str, Series], clock_ms: int, span: Span, policy: Policy, seen_ms: int = 0) -> Feed:
    """Read, check and align the bars (column -> file) to the end that all of them share.

    A desk that has seen the close at `seen_ms` needs the bars from shortly before it on, and the anchor of those for features:
    as many after a year as after a day.
    Raises DataError for dirty bars in the traded span, and for missing settlements unless the policy stands in.
    """
    end, longest = known_until(series.values(), clock_ms), max(timeframe_ms(s.series) for s in series.values())
    if end <= span.first_ms:
        raise DataError(f"the bars end at {utc(end)}, before this desk began ({utc(span.first_ms)})", "nightdesk data list")
    first_ms = max(span.first_ms, seen_ms - longest - BACK_MS)
    try:
        found = load_desk(catalog, series, policy, anchor_ms(first_ms), first_ms, end)
    except DataError as error:
        raise DataError(error.what, WAY_OUT if "funding" in error.what else error.hint) from error
    if first_ms == span.first_ms and int(found.span.close_ms[0]) != first_ms + clock_ms:
        raise DataError(f"the first bar of this desk, {utc(span.first_ms)}, is no longer there", "restore the file it came from")
    source = "+".join(sorted({s.source for s in series.values()}))
    return Feed(found.span, found.own, source, tuple(series.values()), found.notes, catalog)


def unchanged(feed: Feed, book: Book) -> None:
    """Raise DataError unless the bar that the desk saw last is still what it was."""
    if book.count == 0:
        return
    t = feed.after(book.close_ms) - 1
    if t < 0 or int(feed.span.close_ms[t]) != book.close_ms:
        raise DataError(f"the bar that closed at {utc(book.close_ms)} is gone", "restore the file it came from")
    for name, seen in zip(book.columns, book.bars, strict=True):
        t = feed.after(seen.close_ms) - 1
        if seen.close_ms and t >= 0 and feed.bars(t).get(name) != list(seen[1:]):
            raise DataError(
                f"{name}: the bar that closed at {utc(seen.close_ms)} is not what this desk saw",
                "its history was changed: restore the file, or begin a new home",
            )
