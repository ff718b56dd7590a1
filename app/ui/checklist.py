"""A runbook that people work through, beside its alert or incident: each step with what became of it, the current one with what
its checks read now and the buttons that decide it. Called by alerts.py, incident.py and handover.py.

The API decides whose click counts and whether a step can be done; here nothing is a rule.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import clocks, links, parts, rights
from app.ui.figures import to_minute
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import markdown, one_line, typeset, words

SIGNS = {"yes": ("✓", "mut"), "no": ("■", "neg"), "cannot say": ("?", "wrn")}
STATES = {"done": "✓", "refused": "✕", "open": "○", "cannot say": "○"}
WORDS_MAX = 1_000
TITLE_MAX = 100  # of a step in the list of all
DOC = re.compile(
    r"\[([^\[\]\n]+)\]\([^()\s]+\.md(?:#[\w-]*)?\)"
)  # a runbook's link to another page of the docs: its words are enough


def open_ones(api: PageClient) -> list[Mapping[str, Any]]:
    """Every checklist that is open; none where the API cannot say, which is said where they are drawn."""
    try:
        return list(api.get("/api/checklists")["items"])
    except Trouble as trouble:
        st.caption(f"Runbooks: {trouble.markdown()}")
        return []


def show(
    api: PageClient, session: Mapping[str, Any], items: Sequence[Mapping[str, Any]], about: str, runbooks: Sequence[str]
) -> None:
    """What is worked through about this alert or incident, and a button for each of its runbooks that nobody has begun."""
    mine = [item for item in items if item.get("about") == about]
    for item in mine:
        card(api, session, item)
    left = [name for name in runbooks if not any(item.get("runbook") == name for item in mine)]
    with st.container(horizontal=True, gap="small"):
        for name in left:
            which = f" {words(name.replace('-', ' '), 40)}" if len(runbooks) > 1 else ""
            label = f"Begin the runbook{which} as {words(session.get('name') or 'unknown', 40)}"
            key = f"checklist_begin_{about}" + (f"_{name}" if len(runbooks) > 1 else "")
            rights.button(api, label, key=key, icon=":material/checklist:", on_click=_begin, args=(api, about, name))
    _error(about)


def others(api: PageClient, session: Mapping[str, Any], items: Sequence[Mapping[str, Any]], drawn: Sequence[str]) -> None:
    """Those whose alert or incident is not on this page."""
    rest = [item for item in items if item.get("about") not in drawn]
    if rest:
        with st.container(key="panel_checklists"):
            parts.head("Runbooks being worked through", str(len(rest)))
            for item in rest:
                card(api, session, item)


def card(api: PageClient, session: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    """One checklist."""
    ident, steps = str(item.get("id")), list(item.get("steps") or [])
    at = next((step for step in steps if step.get("number") == item.get("current")), None)
    with st.container(border=True, key=f"checklist_card_{words(ident, 20)}", gap="small"):
        about = f" · {item['about']}" if item.get("about") else ""
        begun = f"begun {to_minute(item.get('begun_ms'), clocks.wall_ms())} by {(item.get('by') or {}).get('name')}"
        st.caption(words(typeset(f"{ident} · runbook {item.get('runbook')}{about} · {begun}"), 200))
        if at is None:
            st.markdown(f"**Over: {words(item.get('state'), 20)}.**")
            _error(ident)
            return
        st.markdown(f"**Step {at['number']} of {len(steps)}.** {markdown(bare(at.get('text'), 1_500))}")
        if at.get("origin"):
            st.caption(words(at["origin"], 100))
        if at.get("readings"):
            parts.listed(map(_reading, at["readings"]))
        _decide(api, session, ident, at)
        with st.expander("All steps", key=f"checklist_all_{words(ident, 20)}"):
            parts.listed([_line(step) for step in steps])
        _error(ident)


def line(item: Mapping[str, Any]) -> parts.Line:
    """Where a checklist is, for a list."""
    about = f" about {item['about']}" if item.get("about") else ""
    what = f"step {item.get('current')} of {len(item.get('steps') or [])}, begun by {(item.get('by') or {}).get('name')}."
    to = parts.Linked("go on", {"tab": "desk", "view": "alerts"})
    return parts.Line("▲", f"Runbook {item.get('runbook')}{about}:", what, "wrn", to)


def bare(text: object, most: int) -> str:
    """A step's text as one line; a link to another page of the docs leads nowhere here: its words are enough."""
    return one_line(DOC.sub(r"\1", str(text or "")), most)


def _reading(one: Mapping[str, Any]) -> parts.Line:
    """What a check reads now."""
    sign, look = SIGNS.get(str(one.get("says")), SIGNS["cannot say"])
    to = links.place("event", str(one.get("event") or ""))
    event = parts.Linked(str(one["event"]), to) if to else None
    return parts.Line(sign, f"{one.get('check')} says {one.get('says')}:", str(one.get("text")), look, event)


def _line(step: Mapping[str, Any]) -> parts.Line:
    """A step with what became of it."""
    state, by = str(step.get("state")), (step.get("by") or {}).get("name")
    what = f"{step.get('number')}. {bare(step.get('text'), TITLE_MAX)}"
    made = f"{state} by {by} at {to_minute(step.get('t_ms'), clocks.wall_ms())}. {step.get('words') or ''}" if by else ""
    to = links.place("event", str(step.get("event") or ""))
    event = parts.Linked(str(step["event"]), to) if to else None
    look = "neg" if state == "refused" else "mut"
    return parts.Line(STATES.get(state, "○"), what, made, look, event)


def _decide(api: PageClient, session: Mapping[str, Any], ident: str, step: Mapping[str, Any]) -> None:
    """The person's words, and the buttons."""
    number, name = int(step["number"]), words(session.get("name") or "unknown", 40)
    place = f"{ident}_{number}"
    checks, readings = step.get("checks") or [], step.get("readings") or []
    needed = "" if checks else " (needed: no check decides this step)"
    label = f"What you saw{needed}, or why it is not done"
    st.text_input(label, key=f"checklist_words_{place}", max_chars=WORDS_MAX)
    bare = [f"{one.get('check')} says {one.get('says')}" for one in readings if one.get("says") != "yes"]
    shut: dict[str, Any] = {"disabled": True, "help": words(f"Not yet: {', '.join(bare)}.", 200)} if bare else {}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        made = (api, ident, number)
        rights.button(
            api,
            f"Step done, as {name}",
            key=f"checklist_done_{place}",
            icon=":material/done:",
            on_click=_act,
            args=(*made, "done"),
            **shut,
        )
        rights.button(
            api, "Not done", key=f"checklist_refuse_{place}", icon=":material/close:", on_click=_act, args=(*made, "refuse")
        )
        if checks:
            rights.button(
                api, "Check now", key=f"checklist_look_{place}", icon=":material/refresh:", on_click=_act, args=(*made, "look")
            )
        rights.button(api, "End the runbook", key=f"checklist_end_{place}", type="tertiary", on_click=_act, args=(*made, "end"))


def _begin(api: PageClient, about: str, runbook: str) -> None:
    st.session_state.pop(f"checklist_error_{about}", None)
    try:
        api.post("/api/checklists", {"runbook": runbook, "about": about})
    except Trouble as trouble:
        st.session_state[f"checklist_error_{about}"] = trouble.markdown()


def _act(api: PageClient, ident: str, number: int, act: str) -> None:
    st.session_state.pop(f"checklist_error_{ident}", None)
    said = one_line(st.session_state.get(f"checklist_words_{ident}_{number}"), WORDS_MAX)
    bodies: Mapping[str, Mapping[str, Any]] = {
        "done": {"step": number, "evidence": said},
        "refuse": {"step": number, "reason": said},
        "look": {},
        "end": {"reason": said},
    }
    if not said and act in ("refuse", "end"):
        st.session_state[f"checklist_error_{ident}"] = "Nothing was done: write why into the field above, then press again."
        return
    try:
        api.post(f"/api/checklists/{ident}/{act}", bodies[act])
    except Trouble as trouble:
        st.session_state[f"checklist_error_{ident}"] = trouble.markdown()


def _error(ident: str) -> None:
    if error := st.session_state.get(f"checklist_error_{ident}"):
        st.error(error)
