"""Equity curves of runs, several compared by their return. Called by app.ui.answer and card; drawn.py draws them.

Turns curves of the API into a spec of drawn.chart and the legend in the head of the panel; what is said of a run that stopped
stands below.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import drawn, parts
from app.ui.figures import is_number
from app.ui.safe import words

TONES = ("accent", "hold", "series2", "text")  # what a chart can tell apart
Curve = Mapping[str, Any]  # close_ms, equity, optimistic?, drawdown_frac, and of a run: life, stopped_ms, beyond


def equity(curves: Sequence[tuple[str, Curve]], *, key: str, height: int = 300, said: bool = True) -> None:
    """One curve: its equity, drawdown below. Several: the return of each since its start. `said`: with how long each traded."""
    found = [(name, curve) for name, curve in curves if curve.get("close_ms")][: len(TONES)]
    if not found:
        st.caption("No equity curve yet.")
        return
    made = spec(found, height)
    parts.head("Return" if len(found) > 1 else "Equity; drawdown below", legend=made["lines"])
    drawn.chart(made, key=key, mark=f"{key} {[(name, curve['close_ms'][-1]) for name, curve in found]}")
    for line in lives(found) if said else ():
        st.caption(words(line, 400))


def lives(curves: Sequence[tuple[str, Curve]]) -> list[str]:
    """What is said under a chart of runs: of each one that stopped, goes beyond the desk's time or ends long
    before it."""
    said = []
    for name, curve in curves:
        parts_ = [curve.get("life") if curve.get("stopped_ms") is not None else "", curve.get("beyond"), curve.get("behind")]
        if text := "; ".join(part for part in parts_ if part):
            said.append(f"{name}: {text}")
    return said


def spec(curves: Sequence[tuple[str, Curve]], height: int) -> dict[str, Any]:
    """The chart: lines named as the answer names them, a mark where a run stopped, the drawdown of a single one."""
    compared = len(curves) > 1
    lines = []
    for tone, (name, curve) in zip(TONES, curves, strict=False):
        y = returns(curve["equity"]) if compared else list(curve["equity"])
        lines.append({"name": name, "tone": tone, "dash": "", "x": list(curve["close_ms"]), "y": y})
        if curve.get("optimistic") and not compared:
            held: dict[str, Any] = {"tone": "hold", "dash": "dotted", "x": list(curve["close_ms"])}
            lines.append({"name": "optimistic fills", **held, "y": list(curve["optimistic"])})
    ends = [(name, curve) for name, curve in curves if curve.get("stopped_ms") is not None]
    marks = [{"x": curve["stopped_ms"], "text": f"{name} stopped" if compared else "stopped"} for name, curve in ends]
    times = [ms for _, curve in curves for ms in (curve["close_ms"][0], curve["close_ms"][-1])]
    longest = max((curve for _, curve in curves), key=lambda curve: len(curve["close_ms"]))
    made: dict[str, Any] = {"kind": "curve", "unit": "percent" if compared else "equity", "label": "Equity", "height": height}
    made |= {"x": list(longest["close_ms"]), "from": min(times), "until": max(times), "lines": lines, "marks": marks}
    if not compared and (fall := curves[0][1].get("drawdown_frac")):
        made["fall"] = [-abs(value) if is_number(value) else None for value in fall]
    return made


def returns(values: Sequence[float | None]) -> list[float | None]:
    """The return since the first value; what is missing stays missing."""
    first = next((value for value in values if value), None)
    return [None if value is None or not first else value / first - 1 for value in values]
