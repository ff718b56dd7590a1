"""A proposal as a person decides on it: diff, direction, worst case, evidence side by side. Called by proposals.py and answer.py.

What is approved is what was shown: the approval carries the card's whole diff_sha256, and the API refuses any other.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import charts, links
from app.ui.figures import NONE, count, day, money, number, percent, ratio, setting, when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import words

DIRECTIONS = {
    "tightens": ("TIGHTENS", "green"),
    "neutral": ("NEUTRAL", "gray"),
    "loosens": ("LOOSENS", "red"),
    "unknown": ("UNKNOWN, treated as loosening", "red"),
}
METRICS = (
    ("return", "total_return_frac", percent),
    ("Sharpe", "sharpe", ratio),
    ("drawdown", "max_drawdown_frac", percent),
    ("round trips", "trades", count),
    ("win rate", "win_rate", percent),
    ("fees", "fees", money),
    ("funding", "funding", money),
)
WORST = (("risk at the stop", "risk_frac"), ("gross exposure", "gross_frac"), ("leverage", "leverage"))


def short(api: PageClient, ident: str, *, key: str) -> None:
    """The card in a chat: approve a tightening here, see the proposals page for anything else."""
    try:
        held = api.get(f"/api/proposals/{ident}")
    except Trouble as trouble:
        st.caption(f"{words(ident)}: {trouble.markdown()}")
        return
    with st.container(border=True):
        title(held)
        st.markdown(diff_table(held))
        with st.container(horizontal=True):
            if held["state"] == "pending" and held["direction"] == "tightens":
                st.button(
                    "Approve", key=f"approve_{key}", type="primary", icon=":material/check:", on_click=approve, args=(api, held)
                )
                st.button("Reject", key=f"reject_{key}", on_click=reject, args=(api, ident, "rejected in chat"))
            label = "Decide on the proposals page" if held["state"] == "pending" else "Open the card"
            links.button(label, "proposal", ident, key=f"open_{key}", icon=":material/open_in_full:")
        show_outcome(ident)


def title(held: Mapping[str, Any]) -> None:
    """Name, direction, sleeve, state."""
    label, color = DIRECTIONS.get(str(held.get("direction")), DIRECTIONS["unknown"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        said = f"{held.get('sleeve') or 'whole desk'} · from version {held.get('base_version')}"
        st.markdown(f"**{words(held['id'], 40)}** · {words(said, 100)}")
        st.badge(words(label), color=color)
        st.badge(
            words(str(held.get("state")).upper(), 20),
            color={"pending": "blue", "applied": "green"}.get(str(held.get("state")), "gray"),
        )


def diff_table(held: Mapping[str, Any]) -> str:
    """What would change, key by key, with bounds and how each moves risk."""
    changes = (held.get("diff") or {}).get("changes") or []
    if not changes:
        return f"{words(held.get('kind'), 40)}: {words(what_else(held.get('diff') or {}), 300)}"
    moves = (held.get("exposure") or {}).get("keys") or {}
    lines = [
        f"| {words(c.get('key'), 60)} | {words(setting(c.get('old')), 60)} | **{words(setting(c.get('value')), 60)}** "
        f"| {words(bounds(c), 60)} | {words(moves.get(c.get('key')) or NONE, 40)} |"
        for c in changes
    ]
    return "\n".join(["| parameter | now | proposed | bounds | moves risk |", "|---|---|---|---|---|", *lines])


def bounds(change: Mapping[str, Any]) -> str:
    """Between what and what, in which unit."""
    if change.get("low") is None and change.get("high") is None:
        return NONE
    return f"{setting(change.get('low'))} to {setting(change.get('high'))} {change.get('unit') or ''}"


def what_else(diff: Mapping[str, Any]) -> str:
    """A diff without parameters: a pause, a rollback."""
    return ", ".join(f"{k} {v}" for k, v in diff.items() if k != "changes" and v not in (None, "", [])) or "no parameter changes"


def worst_case(held: Mapping[str, Any]) -> None:
    """Worst case before and after: risk at the stop, gross exposure, leverage."""
    exposure = held.get("exposure") or {}
    pairs = exposure.get("sleeves") or ({"": exposure} if "before" in exposure else {})
    if exposure.get("why"):
        st.markdown(f"Computed by code: {words(exposure['why'], 400)}")
    rows = [_worst_row(name, pair, label, key) for name, pair in pairs.items() for label, key in WORST]
    if rows:
        head = ["| worst case, in multiples of the sleeve's equity | before | after |", "|---|---|---|"]
        st.markdown("\n".join([*head, *rows]))


def _worst_row(name: str, pair: Mapping[str, Any], label: str, key: str) -> str:
    before, after = (pair.get("before") or {}).get(key), (pair.get("after") or {}).get(key)
    said = [("not known" if x is None else number(x)) for x in (before, after)]
    arrow = "" if None in (before, after) or before == after else " ↑" if after > before else " ↓"
    return f"| {words(f'{name}: ' if name else '', 60)}{label} | {words(said[0])} | **{words(said[1])}**{arrow} |"


def evidence(api: PageClient, held: Mapping[str, Any]) -> None:
    """The evidence runs side by side, their curves, and whether they can be told apart."""
    runs: Mapping[str, Any] = held.get("evidence_runs") or {}
    if not runs:
        st.caption("Evidence: none is needed for this kind.")
        return
    if held.get("told_apart") is False:
        st.warning("**The two cannot be told apart** on this evidence.", icon=":material/balance:")
    st.markdown(_evidence_table(runs))
    curves = []
    for role, run in runs.items():
        try:
            curves.append((role, api.get(f"/api/runs/{run['run_id']}/equity", points=400)))
        except Trouble as trouble:
            st.caption(f"{words(role)}: {trouble.markdown()}")
    charts.equity(curves, key=f"evidence_{held['id']}", height=260)


def _evidence_table(runs: Mapping[str, Any]) -> str:
    """Metrics as rows, the runs as columns, each linked."""
    head = "| | " + " | ".join(f"{words(role, 30)}" for role in runs) + " |"
    named = [f"[{words(run['run_id'], 40)}]({links.href('run', str(run['run_id']))})" for run in runs.values()]
    lines = [head, "|---|" + "---|" * len(runs), "| run | " + " | ".join(named) + " |"]
    for label, key, form in METRICS:
        lines.append(
            f"| {label} | " + " | ".join(words(form((run.get("metrics") or {}).get(key))) for run in runs.values()) + " |"
        )
    spans = [
        f"{day(run.get('first_ms'))} to {day(run.get('last_ms'))}, {run.get('source') or 'source not known'}"
        for run in runs.values()
    ]
    lines.append("| bars | " + " | ".join(words(span, 80) for span in spans) + " |")
    lines += [f"| {words(role)} | {words(run['error'])} |" for role, run in runs.items() if run.get("error")]
    return "\n".join(lines)


def standing(held: Mapping[str, Any]) -> None:
    """Who asked and why; or who decided, and what became of it."""
    asked = held.get("requester") or {}
    who = " ".join(str(asked[k]) for k in ("role", "person") if asked.get(k)) or "unknown"
    st.markdown(f"Why: {words(held.get('rationale') or NONE, 1000)}")
    st.caption(words(f"asked by {who} at {when(held.get('created_ms'))}, diff {str(held.get('diff_sha256'))[:12]}", 200))
    for warning in held.get("warnings") or []:
        st.warning(words(warning, 400))
    by = held.get("decided_by") or {}
    if by and held.get("state") != "pending":
        version = f" as version {held['applied_version']}" if held.get("applied_version") else ""
        who = f"{by.get('name')} ({by.get('assurance')}, {by.get('channel')})"
        st.markdown(words(f"{held['state']}{version} by {who} at {when(held.get('decided_ms'))}", 300))
    if held.get("state_reason"):
        st.caption(words(held["state_reason"], 400))


def approve(api: PageClient, held: Mapping[str, Any]) -> None:
    """Approve exactly what was shown."""
    _decide(api, str(held["id"]), "approve", {"diff_sha256": held["diff_sha256"]})


def reject(api: PageClient, ident: str, reason: str) -> None:
    """Reject with a reason."""
    _decide(api, ident, "reject", {"reason": reason})


def refresh(api: PageClient, ident: str) -> None:
    """Propose the same change anew on today's base."""
    _decide(api, ident, "refresh", {})


def _decide(api: PageClient, ident: str, what: str, body: Mapping[str, Any]) -> None:
    """Ask the API; what it says is shown beside the card at the next run."""
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
    """What the last click on this card came to."""
    said = st.session_state.get(f"outcome_{ident}")
    if said:
        (st.success if said[0] else st.error)(said[1])
