"""Candles with every trip in them, the chosen trip explained beside them, the table of trips below. Called by run.py, sleeve.py.

One fragment: a click in the chart or the table, `j`, `k` or the buttons choose a trip, and only this part is drawn again. The
trip is in the address; the data of chart and table goes to the browser once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from app.ui import candles, drawn, links, parts, trip_panel
from app.ui.figures import year_of
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words

KEPT, KEPT_MAX = "charts", 3
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
def show(api: PageClient, of: MarketPart, table: Mapping[str, Any], note: str) -> None:
    """Candles and trip, then the table (a spec of drawn.long_table)."""
    try:
        data = _chart(api, of)
    except Trouble as trouble:
        data = {}
        with st.container(key="panel_market"):
            parts.head("Candles")
            parts.note("▲ No candles.", f"{trouble.what}. {trouble.hint}", "warn")
    order = list((data.get("trips") or {}).get("trip") or [row[0] for row in reversed(table["rows"])])
    trip, picked = links.at("trip") or (order[-1] if order else ""), None
    if data:
        left, right = st.columns([2.7, 1], gap="small")
        with left.container(key="panel_market", height="stretch"):
            chart = st.container()
            data["others"] = _another(api, of, data)
            with chart:
                picked = candles.show(data, key=f"candles_{of.key}", height=HEIGHT, chosen=trip, wanted=bool(links.at("trip")))
        place = right.container(key="panel_market_trip", height="stretch")
    else:
        place = st.container(key="panel_market_trip")
    if picked and picked != trip:
        trip = picked
        _choose(of, trip)
    with place:
        _steps(of, order, trip)
    with st.container(key="panel_market_trips"):
        parts.head("Round trips", note)
        name, mark = f"candles_{of.key}", f"{of.key}/{of.clock_ms}"
        table = {**table, "year": year_of(of.clock_ms)}
        row = drawn.long_table(table, key=f"trips_{of.key}", mark=mark, follows=name)
    if row and row != trip:
        _choose(of, row)
        st.rerun(scope="fragment")
    with place:
        _explained(api, of, trip)


def _chart(api: PageClient, of: MarketPart) -> dict[str, Any]:
    """The chart's data, kept in the session for the last few subjects while their clock stands."""
    kept = st.session_state.setdefault(KEPT, {})
    mark = (of.chart, *of.query.values(), of.clock_ms)
    if mark not in kept:
        kept[mark] = api.get(of.chart, **of.query)
        while len(kept) > KEPT_MAX:
            kept.pop(next(iter(kept)))
    return dict(kept[mark])


def _another(api: PageClient, of: MarketPart, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same instrument on another venue, as a second line, if its bars are there and a person wants it."""
    venue, symbol, kind = str(data["instrument"]).split(":")
    files = api.as_of(of.clock_ms, "/api/data")["items"]
    wanted = (symbol, kind, data["timeframe"], "")
    names = sorted({f["venue"] for f in files if (f["symbol"], f["market"], f["series"], f["tag"]) == wanted} - {venue})
    if not names:
        return []
    name = st.pills("The same on", names, key=f"another_{of.key}", format_func=words)
    if not name:
        return []
    place = {"instrument": f"{name}:{symbol}:{kind}", "timeframe": data["timeframe"]}
    window = {"from_ms": data["from_ms"], "until_ms": data["until_ms"]}
    try:
        return [{"name": name, "bars": api.as_of(of.clock_ms, "/api/markets/candles", **place, **window)["bars"]}]
    except Trouble as trouble:
        parts.note(f"▲ {name} is not drawn.", f"{trouble.what}. {trouble.hint}", "warn")
        return []


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
