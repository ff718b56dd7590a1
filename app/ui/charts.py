"""Plotly figures: equity with drawdown below, several runs compared. Called by app.ui.answer, card, desk and runs.

Plotly interprets tags in labels, so every name passes safe.chart.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui.safe import chart, words

COLORS = ("#5aa9e6", "#f4a259", "#7fc29b", "#c58af9", "#e8c547", "#d77a7a")
RED = "#d9655f"
CONFIG = {"displayModeBar": False, "scrollZoom": False}
Curve = Mapping[str, Any]  # close_ms, equity, optimistic?, drawdown_frac, and of a run: life, stopped_ms, beyond


def equity(curves: Sequence[tuple[str, Curve]], *, key: str, height: int = 300, relative: bool | None = None) -> None:
    """Equity above, drawdown below; several curves are indexed to 100 for comparison."""
    drawn = [(name, curve) for name, curve in curves if curve.get("close_ms")]
    if not drawn:
        st.caption("No equity curve yet.")
        return
    compared = len(drawn) > 1 if relative is None else relative
    st.plotly_chart(_figure(drawn, compared, height), key=key, config=CONFIG, width="stretch")
    for line in lives(drawn):
        st.caption(words(line, 400))


def lives(curves: Sequence[tuple[str, Curve]]) -> list[str]:
    """What is said under a chart of runs: of each one that stopped, or goes beyond the desk's time, how long it traded."""
    said = []
    for name, curve in curves:
        parts = [curve.get("life") if curve.get("stopped_ms") is not None else "", curve.get("beyond")]
        if text := "; ".join(part for part in parts if part):
            said.append(f"{name}: {text}")
    return said


def _figure(curves: Sequence[tuple[str, Curve]], compared: bool, height: int) -> Any:
    """Two rows on one time axis."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.05)
    for n, (name, curve) in enumerate(curves):
        color = COLORS[n % len(COLORS)]
        _add(figure, chart(name), curve, color, compared)
        if curve.get("stopped_ms") is not None:
            (when,) = times([curve["stopped_ms"]])
            figure.add_vline(x=when, line={"color": color if compared else RED, "width": 1, "dash": "dot"})
    figure.update_yaxes(title_text="start = 100" if compared else "equity, USDT", row=1, col=1, tickformat=",.6~g")
    figure.update_yaxes(title_text="drawdown", tickformat=".1%", row=2, col=1)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        showlegend=compared,
        legend={"orientation": "h", "y": 1.12, "x": 0},
    )
    return figure


def _add(figure: Any, name: str, curve: Curve, color: str, compared: bool) -> None:
    """One curve: pessimistic as a line, optimistic dotted if present, drawdown filled below."""
    import plotly.graph_objects as go

    when = times(curve["close_ms"])
    line = {"color": color, "width": 1.6}
    figure.add_trace(go.Scatter(x=when, y=scaled(curve["equity"], compared), name=name, line=line), row=1, col=1)
    if curve.get("optimistic") and not compared:
        dotted = {"color": color, "width": 1, "dash": "dot"}
        figure.add_trace(go.Scatter(x=when, y=curve["optimistic"], name="optimistic fills", line=dotted), row=1, col=1)
    if curve.get("drawdown_frac"):
        below = [None if d is None else -abs(d) for d in curve["drawdown_frac"]]
        shape = {"color": RED if not compared else color, "width": 1}
        area = go.Scatter(
            x=when, y=below, name=f"{name} drawdown", line=shape, fill=None if compared else "tozeroy", showlegend=False
        )
        figure.add_trace(area, row=2, col=1)


def times(ms: Sequence[int]) -> list[str]:
    """UTC instants as plotly reads them."""
    from datetime import UTC, datetime

    return [datetime.fromtimestamp(t / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") for t in ms]


def scaled(values: Sequence[float | None], compared: bool) -> list[float | None]:
    """The values, or indexed to 100 at the first; missing values stay missing."""
    first = next((v for v in values if v), None)
    return [None if v is None or not first else v / first * 100 for v in values] if compared else list(values)
