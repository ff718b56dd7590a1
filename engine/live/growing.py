"""A feed that grows bar by bar: the history that files and REST gave, and behind it each close as the live feed decided it.

Called by app.processes.live_worker. What was decided on is never changed (`span`); the history that features are computed from
(`own`) takes what came late or was corrected, so that from the next close on it is what the venue's REST lists.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.clock import DAY_MS, timeframe_ms, timeframe_text, utc
from engine.data.align import Market, Policy
from engine.data.catalog import Catalog, Series
from engine.data.loading import BAR_COLUMNS, CHARGED_COLUMNS, LoadedBars
from engine.data.timeframes import column_name, known_until, load_desk, parts_of
from engine.errors import BadInput, DataError
from engine.features.anchor import anchor_ms
from engine.features.reads import Reads, files_read
from engine.live.feed import BACK_MS, Feed, Span
from engine.venues.candles import Prices

SOURCE = "live"
Row = Mapping[str, Sequence[float | None]]  # column -> open, high, low, close, volume, funding rate and mark


class LateBar(NamedTuple):
    """A bar of the history as REST lists it now: it came after its close, or was corrected."""

    column: str
    open_ms: int
    prices: Prices


class GrownFeed(Feed):
    """Every known bar of a desk on live data."""

    __slots__ = ()

    def covering(self, reads: Iterable[Reads]) -> "GrownFeed":
        """Itself. Raises BadInput for a strategy that reads other series than its own bars: nothing here lets those grow."""
        for read in files_read(self.catalog, reads, self._loaded()).values():
            if read.files:
                names = ", ".join(sorted(series.path.name for series in read.files.values()))
                raise BadInput(
                    f"a strategy reads {names} beside its own bars, and live data has the bars of the sleeves alone",
                    'let nightdesk data record grow that file, and write source = "files" under [data]',
                )
        return self


def begin_live(series: Mapping[str, Series], clock_ms: int, replay_days: int) -> Span:
    """Where a new paper desk on live data begins: the last so many days are replayed, the next close is its first live one."""
    first, end = max(s.first_ms for s in series.values()), known_until(series.values(), clock_ms)
    wished = max(0, min(replay_days * DAY_MS, (end - first) // 2 // clock_ms * clock_ms))
    return Span(max(min(s.first_ms for s in series.values()), anchor_ms(end - wished)), end - wished, end)


def history(
    catalog: Catalog,
    series: Mapping[str, Series],
    clock_ms: int,
    seen_ms: int,
    policy: Policy,
    ended: Collection[str] = (),
) -> GrownFeed:
    """What files hold (column -> file), to the end that all share; traded from shortly before the close at `seen_ms` on. Columns
    that have `ended` hold nothing back where others go on.

    Raises DataError for dirty bars there, for missing settlements unless the policy stands in, and for a hole at its end.
    """
    going = [one for name, one in series.items() if name not in ended] or [*series.values()]
    end, longest = known_until(going, clock_ms), max(timeframe_ms(s.series) for s in series.values())
    earliest = max(s.first_ms for s in series.values())
    first_ms = max(earliest, min(seen_ms - longest - BACK_MS, end - 2 * longest) // clock_ms * clock_ms)
    found = load_desk(catalog, series, policy, anchor_ms(first_ms), first_ms, end)
    if int(found.span.close_ms[-1]) != end:
        raise DataError(f"the bars end at {utc(int(found.span.close_ms[-1]))}, not at {utc(end)}", "nightdesk data pull")
    return GrownFeed(found.span, found.own, SOURCE, tuple(series.values()), found.notes, catalog)


def grown(feed: GrownFeed, close_ms: int, row: Row, late: Sequence[LateBar] = ()) -> GrownFeed:
    """The feed with the close at `close_ms` as it was decided, and with `late` in its history. Closes between are missing."""
    clock = timeframe_text(feed.span.timeframe_ms)
    if close_ms <= int(feed.span.close_ms[-1]):
        raise DataError(f"the close at {utc(close_ms)} is in the history already", "a bar is decided on once")
    own = dict(feed.own)
    for step, bars in feed.own.items():
        if close_ms % step == 0:
            mine = {name: row.get(column_name(name, timeframe_text(step), clock)) for name in bars.whole.instruments}
            values = [mine[name] for name in bars.whole.instruments]
            traded = [mine[name] for name in bars.span.instruments]
            own[step] = bars._replace(whole=_longer(bars.whole, close_ms, values), span=_longer(bars.span, close_ms, traded))
    span = _longer(feed.span, close_ms, [row.get(name) for name in feed.span.instruments])
    for bar in late:
        instrument, timeframe = parts_of(bar.column, clock)
        step = timeframe_ms(timeframe)
        own[step] = _put(own[step], instrument, bar.open_ms + step, bar.prices)
    return feed._replace(span=span, own=own)


def _longer(market: Market, close_ms: int, values: Sequence[Sequence[float | None] | None]) -> Market:
    """The market up to a close, which holds `values` (an instrument each; None: missing); closes between are missing."""
    more = (close_ms - int(market.close_ms[-1])) // market.timeframe_ms
    closes = np.arange(1, more + 1, dtype=np.int64) * market.timeframe_ms + int(market.close_ms[-1])
    new: dict[str, Any] = {"close_ms": np.concatenate((market.close_ms, closes))}
    for k, name in enumerate((*BAR_COLUMNS, *CHARGED_COLUMNS)):
        rows = np.full((more, len(market.instruments)), 0.0 if name in CHARGED_COLUMNS else np.nan)
        for n, found in enumerate(values):
            if found is not None and found[k] is not None:
                rows[-1, n] = found[k]
        new[name] = np.concatenate((getattr(market, name), rows))
    for name in ("taker_buy_volume", "quote_volume"):  # no stream of candles that is read here has them
        if (kept := getattr(market, name)) is not None:
            new[name] = np.concatenate((kept, np.full((more, len(market.instruments)), np.nan)))
    return market._replace(**new)


def _put(bars: LoadedBars, instrument: str, close_ms: int, prices: Prices) -> LoadedBars:
    """One bar of the history; one from before it is left out."""
    whole = bars.whole
    t = (close_ms - int(whole.close_ms[0])) // whole.timeframe_ms
    if not 0 <= t < len(whole.close_ms):
        return bars
    k, columns = whole.instruments.index(instrument), {}
    for name, value in zip(BAR_COLUMNS, prices, strict=True):
        columns[name] = getattr(whole, name).copy()
        columns[name][t, k] = value
    return bars._replace(whole=whole._replace(**columns))
