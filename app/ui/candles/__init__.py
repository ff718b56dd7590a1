"""The candle chart: a small component of our own on a canvas, without a library. Called by app/ui/market.py.

Turns the JSON of /api/desk/candles or /api/runs/ID/candles into candles with trips, levels, bands and breakers, and a click on a
trip, `j` or `k` into that trip's id. The data goes to the browser once; which trip is chosen goes by a second, tiny component, so
that choosing one does not send half a megabyte again.

    unpack.js   packed bars and lines -> numbers; candles of a longer step
    words.js    prices and times as text, ticks of the axes
    draw.js     one view on the canvas
    mount.js    the component: view, mouse, touch, keys; chart.css its look
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

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


class Chart(NamedTuple):
    """What the API sent of a chart: `text` goes on to the browser as it came, `data` is what it says."""

    data: Mapping[str, Any]
    text: bytes


def show(
    chart: Chart, others: Mapping[str, Chart], *, key: str, height: int, chosen: str = "", wanted: bool = True
) -> str | None:
    """Draw a chart, and as lines over it `others` by venue; the id of the trip that was picked in it just now. `chosen`: the trip
    to mark and bring into view, until another is picked; one that nobody `wanted` does not move a chart that is looked at.
    """
    parts = {
        "title": str(chart.data["instrument"]).split(":")[1],
        "name": key,
        "mark": " ".join((str(chart.data["mark"]), str(height), *others)),
        "height": height,
        "others": list(others),
    }
    # bytes, a line each: of anything else Streamlit makes JSON twice, once to send it and once to compare it
    lines = (json.dumps(parts).encode(), chart.text, *(other.text for other in others.values()))
    found = CHART(key=key, data=b"\n".join(line.replace(b"\n", b" ") for line in lines), on_picked_change=_nothing)
    picked = str(getattr(found, "picked", None) or "")
    picked = picked if picked[:1] == "t" and picked[1:].isdecimal() and len(picked) <= PICKED_MAX else ""
    CHOSEN(key=f"{key}_chosen", data={"name": key, "chosen": picked or chosen, "wanted": wanted})
    return picked or None


def _nothing() -> None:
    """A trigger needs a callback to be kept."""
