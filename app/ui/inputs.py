"""Below the runs: models trained on bars, champions beside challengers, and outside series with their age. Called by runs.py.

Nothing is drawn while there is neither.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import clocks, parts
from app.ui.figures import NONE, is_number, number, short
from app.ui.page_client import PageClient
from app.ui.safe import typeset

CHALLENGERS_MAX = 6  # beside a champion
DAMAGED = (
    "a desk that is started anew refuses to start. Put its folder back from a copy, or go back to the version before: "
    "nightdesk proposals rollback ID --as NAME, with the proposal that named it. Then:"
)
DAY_HOURS = 48.0  # an age from here on is in days


def show(api: PageClient) -> None:
    """Both lists."""
    if models := api.get("/api/trained-models")["items"]:
        with st.container(key="panel_models"):
            used = sum(line["state"] == "champion" for line in models)
            parts.head("Trained models", f"{len(models)} stored, {used} read by sleeves; none trades by itself")
            columns = ("model", "state", "predicts", "figure, test rows", "hardest baseline", "gates", "drift of inputs")
            parts.table(columns, [_model(line) for line in models], left=(0, 1, 2, 5, 6), wrap=(1, 2, 3, 5, 6), thin=(2, 4, 6))
            for line in models:
                if line["error"] and line["sleeves"]:  # whoever reads it cannot start again
                    who, name = ", ".join(line["sleeves"]), f"{line['name']}@{line['version']}"
                    parts.note(f"■ {name} is damaged, and {who} reads it:", DAMAGED, "bad", command="nightdesk up")
            for line in models if parts.phone() else ():  # its column has no room there
                if line["moved"]:
                    parts.note(f"▲ {line['name']}@{line['version']}:", str(line["drift"]), "warn")
        challengers(models)
    if series := api.get("/api/outside")["items"]:
        stale = sum(not line["fresh"] for line in series)
        with st.container(key="panel_outside"):
            parts.head(
                "Outside data", f"{stale} of {len(series)} count no longer" if stale else f"{len(series)} series, all count"
            )
            heads = ("series", "state", "age", "at most", "last row, UTC")
            parts.table(heads, [_series(line) for line in series], left=(0, 1), wrap=(0, 1), thin=(3, 4))


def challengers(models: Sequence[Mapping[str, Any]]) -> None:
    """Each champion with the other versions of its model below it; nothing while no sleeve reads a model of several versions."""
    rows: list[tuple[parts.Cell, ...]] = []
    for name in dict.fromkeys(line["name"] for line in models if line["state"] == "champion"):
        own = [line for line in models if line["name"] == name and line["state"] != "retired"]
        ordered = sorted(own, key=lambda line: line["state"] != "champion")
        rows += [_challenger(line) for line in ordered[: CHALLENGERS_MAX + 1]] if len(own) > 1 else []
    if not rows:
        return
    with st.container(key="panel_challengers"):
        parts.head("Champion and challengers", "each judged on its own test rows; a promotion is a proposal")
        columns = ("version", "figure, 95 %", "folds: worst, median, best", "baselines", "shadow", "gates")
        parts.table(columns, rows, left=(0, 3, 5), wrap=(0, 1, 2, 3, 5), thin=(2, 3))


def _challenger(line: Mapping[str, Any]) -> tuple[parts.Cell, ...]:
    champion = line["state"] == "champion"
    name = f"{line['name']}@{line['version']}" + (f" ● champion of {', '.join(line['sleeves'])}" if champion else "")
    if line["error"]:
        return name, NONE, NONE, NONE, NONE, (typeset(f"■ {line['error']}"), "neg")
    figure = spread = NONE
    if is_number(line["value"]):
        figure = f"{line['figure']} {number(line['value'], 3)} ({number(line['low'], 3)} to {number(line['high'], 3)})"
    if line["folds"] and all(map(is_number, line["folds"])):
        spread = ", ".join(number(one, 2) for one in line["folds"])
    shadow = f"{number(line['shadow_days'], 1)} days, {line['shadow_of']}" if is_number(line["shadow_days"]) else NONE
    gates = (f"● {line['gates']}", "") if line["promotable"] else (f"▲ {line['gates']}", "wrn")
    return name, figure, spread, "; ".join(line["baselines"]) or NONE, shadow, gates


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
    return name, state, typeset(f"{line['target']} of {line['instrument']} {line['timeframe']}"), figure, beside, gates, drift


def _series(line: Mapping[str, Any]) -> tuple[parts.Cell, ...]:
    state: parts.Cell = ("● counts", "") if line["fresh"] else (typeset(f"■ counts no longer: {line['why']}"), "neg")
    if line["fresh"] and (line["why"] or line["warnings"]):
        state = (typeset(f"▲ counts; {line['why'] or line['warnings'][0]}"), "wrn")
    return (
        line["name"],
        state,
        age_text(line["age_hours"]),
        age_text(line["max_age_hours"]),
        short(line["last_ms"], clocks.wall_ms()),
    )


def age_text(hours: Any) -> str:
    """2.5 h, 3.1 d; a row that is not due yet has no age."""
    if not is_number(hours):
        return NONE
    hours = max(0.0, float(hours))
    return f"{number(hours / 24.0, 1)} d" if hours >= DAY_HOURS else f"{number(hours, 1)} h"
