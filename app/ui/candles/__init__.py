"""The candle chart: a small component of our own on a canvas, without a library. Called by app/ui/market.py.

Turns the JSON of /api/desk/candles or /api/runs/ID/candles into candles with trips, levels, bands and breakers, and a click on a
trip, `j` or `k` into that trip's id. The data goes to the browser once; which trip is chosen goes by a second, tiny component, so
that choosing one does not send half a megabyte again.

    unpack.js   packed bars and lines -> numbers; candles of a longer step
    words.js    prices and times as text, ticks of the axes
    draw.js     one view on the canvas
    mount.js    the component: view, mouse, touch, keys; chart.css its look
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
SHAPE = """<header><span><b></b> <span class="about"></span></span>
<div class="ranges" role="group" aria-label="Range"></div></header>
<div class="values"></div><div class="frame"><canvas tabindex="0" role="img"></canvas><div class="probes"></div></div>
<div class="legend"></div><div class="notes"></div>"""
PICKED_MAX = 9  # t and at most seven digits, with room


def _text(*names: str) -> str:
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


CHART = st.components.v2.component(
    "nightdesk_candles", html=SHAPE, css=_text("chart.css"), js=_text("unpack.js", "words.js", "draw.js", "mount.js")
)
CHOSEN = st.components.v2.component(
    "nightdesk_candles_chosen",
    html="",
    js="""export default function ({data}) {
      (window.nightdeskChosen ||= {})[data.name] = data.chosen;
      document.dispatchEvent(new CustomEvent('nightdesk-candles-chosen', {detail: data}));
    }""",
)


def show(data: Mapping[str, Any], *, key: str, height: int, chosen: str = "", wanted: bool = True) -> str | None:
    """Draw `data`; the id of the trip that was picked in it just now. `chosen`: the trip to mark and bring into view, until
    another is picked; one that nobody `wanted` does not move a chart that is looked at.
    """
    title = str(data["instrument"]).split(":")[1]
    drawn = [str(data["mark"]), str(height), *(f"{other['name']}" for other in data.get("others") or ())]
    parts = {"title": title, "name": key, "mark": " ".join(drawn), "height": height}
    found = CHART(key=key, data=[{**parts, "chart": dict(data)}], on_picked_change=_nothing)  # why a list: drawn.py
    picked = str(getattr(found, "picked", None) or "")
    picked = picked if picked[:1] == "t" and picked[1:].isdecimal() and len(picked) <= PICKED_MAX else ""
    CHOSEN(key=f"{key}_chosen", data={"name": key, "chosen": picked or chosen, "wanted": wanted})
    return picked or None


def _nothing() -> None:
    """A trigger needs a callback to be kept."""
