"""A sleeve's settings: every parameter with the version that set it, its versions with their changes, and a person's proposals.

Called by sleeve.py. A person proposes as a role does (POST /api/proposals): the runs that are the evidence first, then a card;
nothing here changes the desk. While the evidence runs, the same request is sent again every few seconds; who leaves and comes
back finds it again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import card, clocks, param_field, parts, rights
from app.ui.figures import NONE, change_text, is_number, setting, short, to_minute
from app.ui.page_client import PageClient, Trouble
from app.ui.param_field import about_text, bounds_text
from app.ui.parts import Linked
from app.ui.safe import words

AGAIN_S = 2.5
WHY_MAX = 300
ENDS_MAX, ENDS_EXAMPLE = 60, "tomorrow, monday 06:00Z or 2026-03-04T05:15"
NO_REASON = "paused from the page, no reason given"  # a pause only stops entries: nobody types at night to get one
ENDS: dict[str, str | None] = {  # of a pause, as the tool reads it; "": typed, None: no end
    "until a person resumes it": None,
    "4 hours": "4h",
    "24 hours": "24h",
    "3 days": "3d",
    "until a time": "",
}
TIGHTER = {
    "Half the risk of each trade": (("risk_floor_frac", "risk_start_frac", "risk_max_frac"), 0.5),
    "Half the leverage allowed": (("leverage_max", "notional_frac_max"), 0.5),
    "One entry a position": (("layers_max",), None),
}


def show(api: PageClient, session: Mapping[str, Any], page: Mapping[str, Any]) -> None:
    """Settings and versions beside each other; below the settings the form that proposes others."""
    left, right = st.columns([1.7, 1], gap="small")
    with left.container(key="panel_sleeve_settings", height="stretch"):
        parts.head("Settings", f"{page['strategy']}, version {page['version']}")
        if page["params_why"]:
            parts.note("▲ No list of parameters.", page["params_why"], "warn")
        else:
            heads = ("parameter", "value", "bounds", "set in", "what it is")
            parts.table(heads, map(_row, page["params"]), left=(0, 4), thin=(4,), scroll=True)
        if session and page["params"]:
            _proposing(api, page)
    with right.container(key="panel_sleeve_versions", height="stretch"):
        parts.head("Versions", "newest first; wall time")
        parts.table(("", "changed", "by"), map(_version, page["versions"]), left=(0, 1, 2), wrap=(1, 2), scroll=True)


def _row(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    changed = row["value"] != row["default"]
    value = (setting(row["value"]), "" if changed else "mut")
    return (row["key"], value, (bounds_text(row), "mut"), f"v{row['version']}", (about_text(row), "mut"))


def _version(row: Mapping[str, Any]) -> Sequence[parts.Cell]:
    moved = [change_text(c) for c in row["changes"][:6]]
    more = len(row["changes"]) - len(moved)
    text = ", ".join(moved) + (f" and {more} more" if more > 0 else "") or row["reason"] or "as desk.toml says"
    when = f"{row['made_by']}, {to_minute(row['created_ms'], clocks.wall_ms())}" if row["created_ms"] else row["made_by"]
    by: parts.Cell = Linked(when, {"tab": "proposals", "proposal": row["proposal"]}) if row.get("proposal") else (when, "mut")
    return (f"v{row['version']}", text, by)


# ---- proposing


def acts(api: PageClient, item: Mapping[str, Any], page: Mapping[str, Any]) -> None:
    """Pause, or let it enter again, and tighten: each a proposal."""
    name, paused = str(item["name"]), bool(item.get("paused"))
    label = "Propose to resume" if paused else "Propose a pause"
    turn = st.session_state.get(f"turn_{name}", 0)  # another key after each proposal: the popover is closed again
    icon = ":material/play_arrow:" if paused else ":material/pause:"
    with st.popover(label, icon=icon, type="tertiary", key=f"pause_open_{name}_{turn}"):
        if paused:
            until = short(item.get("resumes_ms"), page["desk_ms"])
            st.caption(
                f"Its pause ends by itself at {until}." if item.get("resumes_ms") else "Until then a person keeps it paused."
            )
            _why(api, name, "pause", [{"key": "paused", "value": False}], label)
        else:
            _pause(api, name, label, page["desk_ms"])
    if page["params"]:
        with st.popover("Tighten", icon=":material/shield:", type="tertiary", key=f"tighten_open_{name}_{turn}"):
            _tighten(api, name, page)


def configured(page: Mapping[str, Any]) -> str:
    """The sleeve that a person changes: of a leg its basket."""
    return str(page.get("configured") or page["name"])


def _pause(api: PageClient, name: str, label: str, desk_ms: Any) -> None:
    """A pause with an end or without; what the end of a span or of words comes to is computed by the desk."""
    st.caption("A pause stops entries; exits go on. It waits for a person's approval.")
    chosen = st.radio("How long", list(ENDS), key=f"ends_{name}")
    ends = ENDS[chosen]
    if ends == "":
        ends = st.text_input("Until when, UTC", key=f"ends_at_{name}", max_chars=ENDS_MAX, placeholder=ENDS_EXAMPLE).strip()
    if is_number(desk_ms) and ends is not None:
        parts.soft(f"Counted from the desk's time, {short(desk_ms, desk_ms)}; at most 90 days ahead.")
    more = {} if ends is None else {"ends": ends}
    _why(api, name, "pause", [{"key": "paused", "value": True}], label, more, unsaid=NO_REASON)


def _tighten(api: PageClient, name: str, page: Mapping[str, Any]) -> None:
    """Presets that lower risk; which way a change goes is computed by the desk, not here."""
    rows = {row["key"]: row for row in page["params"]}
    chosen = st.radio("What", list(TIGHTER), key=f"tighter_{name}")
    changes = tighter(rows, *TIGHTER[chosen])
    for change in changes:
        parts.soft(f"{change['key']}: {setting(rows[change['key']]['value'])} → {setting(change['value'])}")
    if not changes:
        parts.soft("It is there already.")
    _why(api, name, "tighten", changes, "Propose it")


def _why(
    api: PageClient,
    name: str,
    act: str,
    changes: Sequence[Mapping[str, Any]],
    label: str,
    more: Mapping[str, str] | None = None,
    *,
    unsaid: str = "",
) -> None:
    """The reason, and the button that proposes; `more`: the end of a pause; `unsaid`: stands for a reason that nobody typed."""
    with st.form(f"{act}_{name}", border=False):
        why = st.text_input("Why", key=f"{act}_why_{name}", max_chars=WHY_MAX, placeholder="what you saw, what you expect of it")
        rights.line(api, "propose")
        pressed = rights.submit(api, label, key=f"{act}_go_{name}", type="primary", disabled=not changes)
    lacks, why = f"lacks_{act}_{name}", why.strip() or unsaid
    if pressed:  # kept: the page draws itself anew while somebody reads
        until = ("▲ Say until when:", f"for example {ENDS_EXAMPLE}.") if more and not more["ends"] else None
        st.session_state[lacks] = until if why else ("▲ Say why:", "the reason is on the card that a person decides on.")
    if lacking := st.session_state.get(lacks):
        strong, rest = lacking
        parts.note(strong, rest, "warn")
    if not pressed or lacking:
        return
    st.session_state[f"proposing_{name}"] = {"sleeve": name, "changes": list(changes), "rationale": why, **(more or {})}
    st.session_state[f"turn_{name}"] = st.session_state.get(f"turn_{name}", 0) + 1
    st.session_state.pop(f"proposed_{name}", None)
    st.rerun()


def tighter(rows: Mapping[str, Mapping[str, Any]], keys: Sequence[str], times: float | None) -> list[dict[str, Any]]:
    """These parameters times a factor, or at their lower bound without one; what is there already is left out."""
    changes = []
    for key in keys:
        row = rows.get(key)
        if row is None or not is_number(row["value"]):
            continue
        low = row["low"] if row["low"] is not None else 0.0
        value = low if times is None else max(float(f"{row['value'] * times:.4g}"), low)
        value = int(value) if isinstance(row["value"], int) else value
        if value < row["value"]:
            changes.append({"key": key, "value": value})
    return changes


@st.fragment
def _proposing(api: PageClient, page: Mapping[str, Any]) -> None:
    """The form, drawn when somebody opens it: its fields load scripts that the page's first candles would wait for."""
    form = st.expander("Propose other settings", icon=":material/edit:", key=f"form_open_{configured(page)}", on_change="rerun")
    if form.open:
        with form:
            _form(api, page)


def _form(api: PageClient, page: Mapping[str, Any]) -> None:
    """Choose parameters, give each a value within its bounds, say why."""
    name, rows = configured(page), {row["key"]: row for row in page["params"]}
    keys = st.multiselect("Parameters to change", list(rows), key=f"keys_{name}", max_selections=8)
    changes = []
    for key in keys:
        value = param_field.field(rows[key], rows[key]["value"], f"value_{name}_{key}")
        if value is not None and value != rows[key]["value"]:
            changes.append({"key": key, "value": value})
    st.caption("Both configurations run first, over the bars up to the desk's time: that is the evidence on the card.")
    _why(api, str(name), "form", changes, "Propose")
    _came_of_it(str(name))


def _came_of_it(name: str) -> None:
    """Where to look: whoever proposes down here does not see the top of the page."""
    if st.session_state.get(f"proposing_{name}"):
        parts.note("◐ The evidence runs:", "its progress and the card are at the top of this page.", "calm")
    elif made := st.session_state.get(f"proposed_{name}"):
        kind, text = made
        if kind == "card":
            to = Linked("Decide on it", {"tab": "proposals", "proposal": text})
            parts.note(f"● {text} is proposed:", "a person decides.", "calm", to=to)
        else:
            parts.note("■ Not proposed.", text, "bad")


def waiting(api: PageClient, session: Mapping[str, Any], name: str) -> None:
    """What was proposed for this sleeve: the evidence that runs, the card that was made, what waits for a person."""
    if session and not st.session_state.get(f"proposed_{name}"):
        _taken_up(api, name)
    if st.session_state.get(f"proposing_{name}"):
        st.fragment(_send, run_every=AGAIN_S)(api, name)
    if made := st.session_state.get(f"proposed_{name}"):
        kind, text = made
        if kind == "card":
            card.short(api, text, key=f"own_{name}")
        else:
            parts.note("■ Not proposed.", text, "bad")
        st.button("Close", key=f"close_{name}", type="tertiary", on_click=st.session_state.pop, args=(f"proposed_{name}", None))
        return
    pending = api.last("/api/proposals", state="pending", limit=50)["items"]
    for item in pending:
        if name in [part["sleeve"] for part in item["parts"]]:
            moved = ", ".join(map(change_text, item["diff"].get("changes") or []))
            to = Linked("Decide on it", {"tab": "proposals", "proposal": item["id"]})
            parts.note(f"▲ {item['id']} waits for a person: {item['verdict']}.", moved or NONE, "warn", to=to)


def _taken_up(api: PageClient, name: str) -> None:
    """What this person proposed before the page was left or loaded anew."""
    mine = [one for one in api.last("/api/proposing")["items"] if one["sleeve"] == name]
    if mine and not st.session_state.get(f"proposing_{name}"):
        wanted = {key: value for key, value in mine[-1].items() if key != "since_ms" and value is not None}
        st.session_state[f"proposing_{name}"] = wanted


def _send(api: PageClient, name: str) -> None:
    """Send what is proposed; again while its evidence runs."""
    body = st.session_state.get(f"proposing_{name}")
    if not body:
        return
    try:
        answer = api.post("/api/proposals", body)
    except Trouble as trouble:
        outcome = ("trouble", f"{trouble.what}. {trouble.hint}")
    else:
        if answer["state"] != "made":
            st.progress(float(answer["progress"]), f"Evidence: both configurations over the same bars ({words(name, 60)})")
            parts.soft("You may leave this page: it is proposed once they are done.")
            if rights.button(api, "Do not propose it", key=f"stop_{name}"):
                st.session_state.pop(f"proposing_{name}", None)
                for job in answer["jobs"]:
                    api.post(f"/api/jobs/{job}/cancel")
                st.rerun()
            return
        outcome = ("card", str(answer["proposal"]["id"]))
    st.session_state.pop(f"proposing_{name}", None)
    st.session_state[f"proposed_{name}"] = outcome
    st.rerun()
