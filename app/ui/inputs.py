"""Below the runs: models trained on bars, and outside series with freshness and age. Called by runs.py.

Nothing is drawn while there is neither.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import NONE, is_number, number, short
from app.ui.page_client import PageClient
from app.ui.safe import typeset

DAY_HOURS = 48.0  # an age from here on is in days


def show(api: PageClient) -> None:
    """Both lists."""
    if models := api.get("/api/trained-models")["items"]:
        with st.container(key="panel_models"):
            used = sum(line["state"] == "champion" for line in models)
            parts.head("Trained models", f"{len(models)} stored, {used} read by sleeves; none trades by itself")
            columns = ("model", "state", "predicts", "figure, test rows", "hardest baseline", "gates", "drift of inputs")
            parts.table(columns, [_model(line) for line in models], left=(0, 1, 2, 5, 6), wrap=(1, 2, 5, 6), thin=(2, 4))
    if series := api.get("/api/outside")["items"]:
        stale = sum(not line["fresh"] for line in series)
        with st.container(key="panel_outside"):
            parts.head(
                "Outside data", f"{stale} of {len(series)} count no longer" if stale else f"{len(series)} series, all count"
            )
            columns = ("series", "state", "age", "at most", "last row, UTC")
            parts.table(columns, [_series(line) for line in series], left=(0, 1), wrap=(0, 1), thin=(3, 4))


def _model(line: Mapping[str, Any]) -> tuple[parts.Cell, ...]:
    name = f"{line['name']}@{line['version']}"
    state = " of ".join(filter(None, (line["state"], ", ".join(line["sleeves"]))))
    if line["error"]:
        return name, state, NONE, NONE, NONE, (typeset(f"■ {line['error']}"), "neg"), NONE
    figure = beside = NONE
    if is_number(line["value"]):
        figure = f"{line['figure']} {number(line['value'], 3)} ({number(line['low'], 3)} to {number(line['high'], 3)})"
    if is_number(line["baseline_value"]):
        beside = f"{line['baseline']} {number(line['baseline_value'], 3)}"
    gates = (f"● {line['gates']}", "") if line["promotable"] else (f"▲ {line['gates']}", "wrn")
    drift = (f"▲ {line['drift']}", "wrn") if line["moved"] else line["drift"] or "not in use: nightdesk models drift"
    return name, state, f"{line['target']} of {line['instrument']} {line['timeframe']}", figure, beside, gates, drift


def _series(line: Mapping[str, Any]) -> tuple[parts.Cell, ...]:
    state: parts.Cell = ("● counts", "") if line["fresh"] else (typeset(f"■ counts no longer: {line['why']}"), "neg")
    if line["fresh"] and (line["why"] or line["warnings"]):
        state = (typeset(f"▲ counts; {line['why'] or line['warnings'][0]}"), "wrn")
    return line["name"], state, age_text(line["age_hours"]), age_text(line["max_age_hours"]), short(line["last_ms"])


def age_text(hours: Any) -> str:
    """2.5 h, 3.1 d; a row that is not due yet has no age."""
    if not is_number(hours):
        return NONE
    hours = max(0.0, float(hours))
    return f"{number(hours / 24.0, 1)} d" if hours >= DAY_HOURS else f"{number(hours, 1)} h"
