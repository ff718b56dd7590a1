"""A proposal's card on the page: paints its rows, with the evidence's equity curves and the buttons that decide it.

Called by proposals.py and answer.py. The API builds the rows (app/views/proposal_card.py). What is approved is what was shown:
the approval carries the card's full diff_sha256, and the API refuses any other.
"""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import streamlit as st

from app.ui import charts, links, parts, rights
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, typeset, words

COLORS: dict[str, Any] = {"tightens": "green", "neutral": "gray", "loosens": "red", "unknown": "red"}
TABLES = ("diff", "worst", "model", "evidence")  # kinds of rows whose first row is the head of a table
CELL_MAX = 1_000
# kinds of rows of the card in a chat
DECISIVE = ("direction", "diff", "applies", "worst", "warning", "finding", "decision", "now")
RECEIPTS = ("proposal", "requested by", "diff", "expires")  # rows that only a doubt asks for: folded
LOUD = ("warning", "finding")
RUN = re.compile(r"r-[\w-]{1,60}")


def short(api: PageClient, ident: str, *, key: str) -> None:
    """The card in a chat, without its table of evidence; a tightening can be approved here, anything else on the proposals
    page."""
    try:
        held = api.get(f"/api/proposals/{ident}")
    except Trouble as trouble:
        st.caption(f"{words(ident)}: {trouble.markdown()}")
        return
    pending = held["state"] == "pending"
    with st.container(border=True):
        title(held)
        paint(held, *DECISIVE)
        with st.container(horizontal=True):
            if pending and held["direction"] == "tightens":
                look: dict[str, Any] = {"type": "primary", "icon": ":material/check:"}
                rights.button(api, "Approve", key=f"approve_{key}", act=act_of(held), on_click=approve, args=(api, held), **look)
                rights.button(api, "Reject", key=f"reject_{key}", on_click=reject, args=(api, ident, "rejected in chat"))
            label = "Decide on the proposals page" if pending else "Open the card"
            links.button(label, "proposal", ident, key=f"open_{key}", icon=":material/open_in_full:")
        show_outcome(ident)


def title(held: Mapping[str, Any]) -> None:
    """Id, sleeve, direction, state."""
    state, direction = str(held.get("state")), str(held.get("direction"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{words(held['id'], 40)}** · {words(held.get('sleeve') or 'whole desk', 100)}")
        now = (held.get("runs_now") or {}).get("outcome")
        st.badge(words(held.get("verdict") or direction.upper(), 40), color=COLORS.get(direction, "red"))
        color: Any = {"pending": "blue", "applied": "green" if now in (None, "runs") else "gray"}.get(state, "gray")
        gone = f", {now}" if state == "applied" and now not in (None, "runs") else ""
        st.badge(words(f"{state}{gone}".upper(), 40), color=color)


def paint(held: Mapping[str, Any], *kinds: str) -> None:
    """The card's rows of these kinds (none given: all), in their order: direction, tables, warnings, lines; receipts folded."""
    rows = [row for row in held.get("rows") or [] if not kinds or row["kind"] in kinds]
    folded = [row for row in rows if row["label"] in RECEIPTS and row["kind"] in ("text", "expiry")]
    for kind, group in groupby([row for row in rows if row not in folded], key=lambda row: row["kind"]):
        found = list(group)
        if kind in TABLES:
            _table(found)
        elif kind in LOUD:
            for row in found:
                parts.note(f"▲ {row['label']}:", typeset(one_line(row["cells"][0], CELL_MAX)), "warn")
        elif kind == "direction":
            _direction(found[0], str(held.get("direction")))
        else:
            parts.pairs([(row["label"], _cell(row["cells"][0])) for row in found], said=True)
    if folded:
        with st.expander("Receipts: who asked, what is signed, until when"):
            parts.pairs([(row["label"], _cell(row["cells"][0])) for row in folded], said=True)


def _direction(row: Mapping[str, Any], direction: str) -> None:
    """Where the change leads, first and with its sign; anything but tighter is loud."""
    kind = "calm" if COLORS.get(direction) in ("green", "gray") else "warn"
    parts.note(f"{'●' if kind == 'calm' else '▲'} {row['label']}: {typeset(row['cells'][0])}", "", kind)


def _table(rows: list[Mapping[str, Any]]) -> None:
    """Rows as a table; the first is its head. Numbers stand to the right, and so do runs; words may take several lines."""
    heads = [rows[0]["label"], *map(str, rows[0]["cells"])]
    shown = [[row["label"], *map(_cell, row["cells"])] for row in rows[1:]]
    parts.table(heads, shown, wrap=range(1, len(heads)))


def _cell(text: str) -> parts.Cell:
    """A cell; the id of a run leads to it."""
    if RUN.fullmatch(text):
        return parts.Linked(text, links.place("run", text) or {})
    return "–" if text == "-" else typeset(one_line(text, CELL_MAX))


def evidence(api: PageClient, held: Mapping[str, Any]) -> None:
    """The equity curves of the evidence runs."""
    curves = []
    for role, run in (held.get("evidence_runs") or {}).items():
        try:
            curves.append((role, api.get(f"/api/runs/{run['run_id']}/equity", points=400)))
        except Trouble as trouble:
            st.caption(f"{words(role)}: {trouble.markdown()}")
    if held.get("state") == "pending" and (old := next((c["behind"] for _, c in curves if c.get("behind")), "")):
        parts.note(f"▲ The evidence is old: {old}.", "Next: reject it, and propose the change again.", "warn")
    if curves:
        charts.equity(curves, key=f"evidence_{held['id']}", height=260, said=False)


def act_of(held: Mapping[str, Any]) -> str:
    """The act that approving a card is; the API says it."""
    return str(held.get("act") or "loosen")


def approve(api: PageClient, held: Mapping[str, Any]) -> None:
    """Approve exactly what was shown."""
    _decide(api, str(held["id"]), "approve", {"diff_sha256": held["diff_sha256"]})


def reject(api: PageClient, ident: str, reason: str) -> None:
    """Reject with a reason."""
    _decide(api, ident, "reject", {"reason": reason})


def refresh(api: PageClient, ident: str) -> None:
    """Propose the same change again on the current version."""
    _decide(api, ident, "refresh", {})


def _decide(api: PageClient, ident: str, what: str, body: Mapping[str, Any]) -> None:
    """Ask the API; the outcome is shown beside the card at the next run."""
    try:
        done = api.post(f"/api/proposals/{ident}/{what}", body)
    except Trouble as trouble:
        st.session_state[f"outcome_{ident}"] = (False, trouble.markdown())
        return
    if what == "refresh":
        links.go({"tab": "proposals", "proposal": done.get("id")})
        return
    actor = done.get("actor") or {}
    version = f", version {done['version']}" if done.get("version") else ""
    st.session_state[f"outcome_{ident}"] = (
        True,
        words(f"{done.get('state')}{version} by {actor.get('name')} ({actor.get('assurance')})"),
    )


def show_outcome(ident: str) -> None:
    """The outcome of the last click on this card."""
    outcome = st.session_state.get(f"outcome_{ident}")
    if outcome:
        (st.success if outcome[0] else st.error)(outcome[1])
