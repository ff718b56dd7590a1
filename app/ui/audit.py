"""The last audit of the sleeves: a table by dimension, what fails first. Called by runs.py.

Nothing is drawn before the first audit; what holds is counted, not listed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import short
from app.ui.page_client import PageClient
from app.ui.safe import typeset

SHOWN_MAX = 60
DIMENSIONS = ("live", "backtest", "training", "data")
STATES = {"fails": ("■ fails", "neg"), "cannot_say": ("▲ cannot say", "wrn")}


def show(api: PageClient) -> None:
    """The verdict, then what fails and what cannot be said, one dimension after the other."""
    last = api.get("/api/audit")
    if last["wall_ms"] is None:
        return
    with st.container(key="panel_audit"):
        parts.head("Audit", f"{last['verdict']} Asked {short(last['wall_ms'])}; nightdesk audit asks again")
        bad = [line for line in last["items"] if line["state"] in STATES]
        for dimension in DIMENSIONS:
            mine = [line for line in last["items"] if line["dimension"] == dimension]
            open_ = [line for line in bad if line["dimension"] == dimension]
            held = sum(line["state"] == "holds" for line in mine)
            parts.soft(f"{dimension}: {len(open_)} open, {held} hold")
            if open_:
                rows = [_row(line) for line in open_[:SHOWN_MAX]]
                parts.table(("point", "state", "sleeve", "why", "seen in"), rows, left=(0, 1, 2, 3, 4), wrap=(3,), thin=(4,))


def _row(line: Mapping[str, Any]) -> Sequence[parts.Cell]:
    evidence = ", ".join(map(str, line["evidence"]))
    return (line["name"], STATES[line["state"]], line["sleeve"], typeset(line["why"] or line["question"]), evidence)
