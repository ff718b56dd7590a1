"""What an instrument's market, its funding and the world around it were at a moment of the desk, each as it was known then.

Called by the tool `market_context` and `nightdesk journal explain`. Bars are those that the desk itself saw (its journal);
funding and outside series come by the join that strategies read them with (data/sources.py), so that nothing is shown that could
not have been known: what was fetched later counts from then on. What has no value says why.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.amounts import percent_text, price_text
from engine.clock import DAY_MS, HOUR_MS, utc
from engine.errors import DeskError
from engine.watch.window import FAR_MS, between

if TYPE_CHECKING:
    from engine.data.catalog import Catalog
    from engine.data.outside.declared import OutsideFeed
    from engine.data.sources import OutsideSeries

SPANS_H = (1, 24)  # over which the close is compared
LATE_MS = HOUR_MS  # a bar that closed this much before a span began still begins it
FUNDING_AGE_H = 9.0
NOT_STORED = "nothing of it is stored: nightdesk data fetch {group}"


class ContextReading(NamedTuple):
    """One reading. `unit`: price, frac (of 1), or an outside series' own; `known_ms`: UTC ms, since when; no value: why."""

    group: str  # market | funding | positioning | macro | on-chain | sentiment
    name: str
    value: float | None
    unit: str
    known_ms: int | None = None
    why: str = ""


def market_context(journal: Path, catalog: "Catalog", instrument: str, at_ms: int) -> list[ContextReading]:
    """Every reading of `instrument` (binance:BTC-USDT:perp) known at `at_ms` of desk time, market first."""
    return [*_market(journal, instrument, at_ms), *_funding(catalog, instrument, at_ms), *_outside(catalog, instrument, at_ms)]


def instruments_of(journal: Path) -> dict[str, str]:
    """Sleeve -> the instrument that it trades, for its life; empty before the first bar."""
    first = next(between(journal, -1, FAR_MS, {"config"}), None)
    return {str(s["name"]): str(s["instrument"]) for s in (first.body if first is not None else {}).get("sleeves", ())}


def _market(journal: Path, instrument: str, at_ms: int) -> Iterator[ContextReading]:
    """The last close, its change over each span, and the range of a day."""
    bars = list(_bars(journal, instrument, at_ms))
    if not bars:
        yield ContextReading("market", "close", None, "price", why="the desk saw no bar of it in the day before")
        return
    last_ms, (_, _, _, close) = bars[-1]
    yield ContextReading("market", "close", close, "price", last_ms)
    for hours in SPANS_H:
        name, begin = f"change in {hours} h", last_ms - hours * HOUR_MS
        before = [bar for ms, bar in bars if begin - LATE_MS <= ms <= begin]
        why = "" if before else f"the desk saw no close of it about {utc(begin)}"
        yield ContextReading("market", name, close / before[-1][3] - 1.0 if before else None, "frac", last_ms, why)
    day = [bar for ms, bar in bars if ms > last_ms - DAY_MS]
    span = f"range of {len(day)} bars up to it"
    yield ContextReading(
        "market", span, max(high for _, high, _, _ in day) / min(low for _, _, low, _ in day) - 1.0, "frac", last_ms
    )


def _bars(journal: Path, instrument: str, at_ms: int) -> Iterator[tuple[int, tuple[float, float, float, float]]]:
    """(close time, open high low close) of the bars of a day and a little more; one without a price is left out."""
    for event in between(journal, at_ms - DAY_MS - 2 * LATE_MS, at_ms, {"bar"}):
        row = (event.body.get("bars") or {}).get(instrument) or ()
        prices = tuple(float(x) for x in row[:4] if isinstance(x, int | float))
        if len(prices) == 4 and all(math.isfinite(x) and x > 0.0 for x in prices):
            yield event.t_event_ms, prices


def _funding(catalog: "Catalog", instrument: str, at_ms: int) -> Iterator[ContextReading]:
    """The last settled rate of a perpetual."""
    from engine.data.sources import FUNDING, OutsideSeries

    venue, symbol, market = instrument.split(":")
    if market == "perp":
        declared = OutsideSeries(FUNDING, "rate", FUNDING_AGE_H, 0.0, instrument)
        key = (venue, symbol, market, FUNDING, "")
        missing = "no settlement of it is stored: nightdesk data pull --funding"
        yield _read(catalog, "funding", "settled rate", "frac", declared, key, at_ms) or ContextReading(
            "funding", "settled rate", None, "frac", why=missing
        )


def _outside(catalog: "Catalog", instrument: str, at_ms: int) -> Iterator[ContextReading]:
    """Each outside series that is stored, by the first of its sources that has a value; a group without any in one line."""
    from engine.data.outside.declared import GROUPS, SERIES, feeds_of
    from engine.data.sources import FUNDING

    symbol = instrument.split(":")[1]
    for group in GROUPS:
        found = []
        for series in (one for one in SERIES if one.group == group and one.name != FUNDING):
            feeds = feeds_of([series], [symbol])
            for field in series.fields:
                name = series.name if len(series.fields) == 1 else f"{series.name} {field.name}"
                mine = [r for feed in feeds if (r := _of_feed(catalog, feed, name, field.name, field.unit, at_ms)) is not None]
                found += [next((r for r in mine if r.value is not None), mine[0])] if mine else []
        yield from found or [ContextReading(group, group, None, "", why=NOT_STORED.format(group=group))]


def _of_feed(catalog: "Catalog", feed: "OutsideFeed", name: str, field: str, unit: str, at_ms: int) -> ContextReading | None:
    place = (feed.source.name, feed.symbol, "perp") if feed.series.of == "instrument" else (feed.source.name, "", "")
    return _read(catalog, feed.series.group, name, unit, feed.reading(field), (*place, feed.word, ""), at_ms)


def _read(
    catalog: "Catalog", group: str, name: str, unit: str, declared: "OutsideSeries", key: tuple[str, ...], at_ms: int
) -> ContextReading | None:
    """One stored series as of a moment; None where no file of it is there."""
    import numpy as np

    from engine.data.sources import asof, observations, why_missing

    if key not in catalog.names:
        return None
    try:
        venue, symbol, market, series, _ = key
        known = observations(catalog, declared, catalog.find(venue, symbol, series, market))
        values, when = asof(known, np.array([at_ms], np.int64))
        why = why_missing(known, at_ms)
    except DeskError as error:
        return ContextReading(group, name, None, unit, why=str(error)[:200])
    return ContextReading(group, name, None if why else float(values[0]), unit, None if why else int(when[0]), why)


def context_line(one: ContextReading) -> str:
    """A reading as text: `funding: settled rate +0.0081%, known 2025-03-02 00:00Z`."""
    head = one.name if one.group == one.name else f"{one.group}: {one.name}"
    if one.value is None:
        return f"{head} not known: {one.why}"
    text = percent_text(one.value, 4, sign=True) if one.unit == "frac" else f"{one.value:,.6g}"
    text = price_text(one.value) if one.unit == "price" else text
    more = f" {one.unit}" if one.unit not in ("frac", "price") else ""
    return f"{head} {text}{more}, known {utc(one.known_ms)}"
