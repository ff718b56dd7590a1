"""Candles with every trip in them, the chosen trip explained beside them, the table of trips below. Called by run.py, sleeve.py.

One fragment: a click in the chart or the table, `j`, `k` or the buttons choose a trip, and only this part is drawn again. The
trip is in the address; the data of chart and table goes to the browser once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from app.ui import candles, drawn, links, parts, trip_panel
from app.ui.figures import year_of
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words

KEPT, KEPT_MAX = "charts", 4
ABOUT = ("instrument", "timeframe", "from_ms", "until_ms", "mark")  # of a chart what the page itself reads
HEIGHT = 500
HINT = "Click a trip in the chart or in the table; j and k go to the next and to the one before."
ON_PHONE = "Tap a trip in the chart or in the table; the arrows go to the one before and to the next."


class MarketPart(NamedTuple):
    """What a page shows of a market: `chart`, `trips` are API paths with their `query`; `where` is the page's own address."""

    key: str
    chart: str
    trips: str
    query: Mapping[str, str]
    where: Mapping[str, str]
    clock_ms: int | None  # the chart is asked for again when this changes


@st.fragment
def show(api: PageClient, of: MarketPart, trips: Callable[[], tuple[Mapping[str, Any], str]]) -> None:
    """Candles and trip, then `trips`: the table (a spec of drawn.long_table) and its note. The candles are sent first;
    the rest is read while the browser draws them.
    """
    chart, picked = _chart(api, of), None
    order = list(chart.data["trips"]) if chart else []
    order = order or [row[0] for row in reversed(trips()[0]["rows"])]
    trip = links.at("trip") or (order[-1] if order else "")
    if chart:
        left, right = st.columns([2.7, 1], gap="small")
        with left.container(key="panel_market", height="stretch"):
            others, name = _others(api, of, chart), f"candles_{of.key}"
            picked = candles.show(chart, others, key=name, height=HEIGHT, chosen=trip, wanted=bool(links.at("trip")))
            _venues(api, of, chart)
        place = right.container(key="panel_market_trip", height="stretch")
    else:
        place = st.container(key="panel_market_trip")
    if picked and picked != trip:
        trip = picked
        _choose(of, trip)
    with place:
        _steps(of, order, trip)
    with st.container(key="panel_market_trips"):
        table, note = trips()
        parts.head("Round trips", note)
        name, mark = f"candles_{of.key}", f"{of.key}/{of.clock_ms}"
        row = drawn.long_table({**table, "year": year_of(of.clock_ms)}, key=f"trips_{of.key}", mark=mark, follows=name)
    if row and row != trip:
        _choose(of, row)
        st.rerun(scope="fragment")
    with place:
        _explained(api, of, trip)


def _chart(api: PageClient, of: MarketPart) -> candles.Chart | None:
    """The chart; None, with a note in its place, where there is none."""
    try:
        return _read(api, of, of.chart, of.query)
    except Trouble as trouble:
        with st.container(key="panel_market"):
            parts.head("Candles")
            parts.note("▲ No candles.", f"{trouble.what}. {trouble.hint}", "warn")
    return None


def _read(api: PageClient, of: MarketPart, path: str, query: Mapping[str, Any]) -> candles.Chart:
    """A chart's data, kept in the session for the last few subjects while their clock stands, and while the API is silent."""
    kept: dict[Any, candles.Chart] = st.session_state.setdefault(KEPT, {})
    subject = (path, *query.values())
    mark = (*subject, of.clock_ms)
    if mark not in kept:
        try:
            data, text = api.sent(path, **query)
        except Trouble as trouble:
            earlier = [chart for key, chart in kept.items() if key[:-1] == subject]
            if not (trouble.down and earlier):
                raise
            return earlier[-1]  # its head says when its last candle ends, the page's head since when nobody answers
        about = {name: data[name] for name in ABOUT} | {"trips": (data.get("trips") or {}).get("trip") or []}
        kept[mark] = candles.Chart(about, text)
        while len(kept) > KEPT_MAX:
            kept.pop(next(iter(kept)))
    return kept[mark]


def _others(api: PageClient, of: MarketPart, chart: candles.Chart) -> dict[str, candles.Chart]:
    """The same instrument on the venue that a person chose, as a second line; by the venue's name."""
    name, data = st.session_state.get(_venue_key(of)), chart.data
    if not name:
        return {}
    place = {"instrument": ":".join((name, *str(data["instrument"]).split(":")[1:])), "timeframe": data["timeframe"]}
    try:
        window = {"from_ms": data["from_ms"], "until_ms": data["until_ms"]}
        return {name: _read(api, of, "/api/markets/candles", {**place, **window})}
    except Trouble as trouble:
        parts.note(f"▲ {name} is not drawn.", f"{trouble.what}. {trouble.hint}", "warn")
        return {}


def _venues(api: PageClient, of: MarketPart, chart: candles.Chart) -> None:
    """The other venues that have bars of this instrument, to choose one."""
    venue, symbol, kind = str(chart.data["instrument"]).split(":")
    files, wanted = api.as_of(of.clock_ms, "/api/data")["items"], (symbol, kind, chart.data["timeframe"], "")
    names = sorted({f["venue"] for f in files if (f["symbol"], f["market"], f["series"], f["tag"]) == wanted} - {venue})
    if names:
        st.pills("The same on", names, key=_venue_key(of), format_func=words)


def _venue_key(of: MarketPart) -> str:
    return f"another_{of.key}"


def _choose(of: MarketPart, trip: str) -> None:
    links.go({**of.where, "trip": trip})


def _steps(of: MarketPart, order: Sequence[str], trip: str) -> None:
    """Head of the trip, with buttons to the one before and the next."""
    at = order.index(trip) if trip in order else -1
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        parts.head(f"Trip {trip}")
        with st.container(horizontal=True, gap="small", width="content"):
            for label, step, key, about in (("‹", -1, "before", "The trip before: k"), ("›", 1, "next", "The next trip: j")):
                there = at >= 0 and 0 <= at + step < len(order)
                goes = (of, order[at + step] if there else "")
                st.button(label, key=f"{key}_{of.key}", disabled=not there, help=about, on_click=_choose, args=goes)


def _explained(api: PageClient, of: MarketPart, trip: str) -> None:
    """The chosen trip in words."""
    if not trip:
        parts.soft("No trip yet.")
        return
    try:
        trip_panel.show(api.get(f"{of.trips}/{trip}", **of.query), of.clock_ms)
    except Trouble as trouble:
        parts.note(f"▲ {one_line(trip, 12)} is not shown.", f"{trouble.what}. {trouble.hint}", "warn")
    parts.soft(ON_PHONE if parts.phone() else HINT)
