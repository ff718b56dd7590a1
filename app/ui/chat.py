"""The chat tab: one thread of one role. Called by streamlit_app.py.

Thread, turns and jobs are rows of the API; the address holds the thread's id and the page nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import streamlit as st

from app.ui import answer, first, jobs, links, safe, side, turn
from app.ui.page_client import PageClient, Trouble

SHOWN = 12  # turns; what is older stands behind a button
QUESTION_MAX = 4000
STARTERS = {  # what people ask first
    "developer": (
        "Backtest trend on BTC-USDT 15m, and compare a 2 ATR with a 3 ATR stop",
        "Propose the better one for the BTC trend sleeve",
    ),
    "operator": ("What happened since yesterday? Is anything wrong?", "Which proposals wait?"),
    "advisor": ("Where does the P&L come from?", "How are the sleeves correlated?"),
}


def show(api: PageClient, role: str) -> None:
    """The thread, or an empty one with something to begin with; the input below."""
    thread = _thread(api, role)
    if thread is None or not thread["turns"]:
        _welcome(api, role)
    else:
        _turns(api, thread["turns"])
    if thread is not None:
        followed = {str(held["id"]) for held in thread["turns"] if held["state"] not in turn.ENDED}  # these show their own
        jobs.live(api, [job for job in thread.get("jobs") or [] if str(job.get("turn")) not in followed])
        for owed in thread.get("owed") or []:
            jobs.awaited(api, str(owed["id"]))
    # inside the page while nothing was asked: a field at the foot would keep the page scrolled past the first panel
    with st.container() if thread is None or not thread["turns"] else nullcontext():
        _input(api, role, str(thread["id"]) if thread else "new")


def _thread(api: PageClient, role: str) -> dict[str, Any] | None:
    """The thread of the address, if there is one and it is this role's."""
    ident = links.at("thread")
    if not ident:
        return None
    try:
        held: dict[str, Any] = api.get(f"/api/threads/{ident}")
    except Trouble as trouble:
        if trouble.down:
            raise
        st.warning(trouble.markdown())
        return None
    if held.get("role") != role:
        links.go({"tab": "chat", "role": held.get("role"), "thread": ident})
        st.rerun()
    return held


def _turns(api: PageClient, turns: Sequence[Mapping[str, Any]]) -> None:
    """Question and answer, oldest first."""
    hidden = len(turns) - SHOWN
    if hidden > 0 and not st.toggle(f"Show {hidden} earlier questions", key="earlier"):
        turns = turns[hidden:]
    for held in turns:
        if not held.get("posts"):  # else nobody asked: code answers an earlier question
            with st.chat_message("user", avatar=":material/person:"):
                st.markdown(safe.words(held.get("text"), QUESTION_MAX))
        with st.chat_message("assistant", avatar=":material/nightlight:"):
            if held["state"] in turn.ENDED:
                answer.show(api, held, latest=held is turns[-1])
            else:
                turn.follow(api, str(held["id"]))


def _welcome(api: PageClient, role: str) -> None:
    """The first panel, who answers, and questions to begin with."""
    first.panel(api)
    roles = {r["name"]: r for r in api.get("/api/roles")["items"]}
    held = roles.get(role) or {}
    st.markdown(f"**{role.capitalize()}**: {safe.words(held.get('about') or side.ABOUT[role], 400)}")
    examples = dict.fromkeys([*STARTERS[role], *(held.get("examples") or [])])
    with st.container(horizontal=True):
        for n, example in enumerate(list(examples)[:8]):
            st.button(safe.words(example, 120), key=f"example_{n}", on_click=_send, args=(api, role, str(example), "new"))


def _input(api: PageClient, role: str, thread: str) -> None:
    """Where one types; a carried question waits above it until it is sent."""
    carried = st.session_state.get("carried")
    if carried:
        with st.container(border=True):
            st.markdown(f"For the {role}: {safe.words(carried, QUESTION_MAX)}")
            with st.container(horizontal=True):
                st.button(
                    f"Ask the {role}", type="primary", key="send_carried", on_click=_send, args=(api, role, carried, thread)
                )
                st.button("Drop it", key="drop_carried", on_click=st.session_state.pop, args=("carried", None))
    unsent = st.session_state.get("unsent")
    if unsent:
        st.error(unsent[0])
        st.code(unsent[1], language=None, wrap_lines=True)
    placeholder = f"Ask the {role} ...   /halt REASON stops the desk at once"
    text = st.chat_input(placeholder, key="question", max_chars=QUESTION_MAX)
    if text:
        _send(api, role, text, thread)
        st.rerun()


def _send(api: PageClient, role: str, text: str, thread: str) -> None:
    """Ask. What was not taken is kept to be seen and copied: nothing that was typed is lost."""
    st.session_state.pop("unsent", None)
    try:
        made = api.post("/api/turns", {"role": role, "text": text, "thread": thread})
    except Trouble as trouble:
        st.session_state["unsent"] = (trouble.markdown(), text)
        return
    st.session_state.pop("carried", None)
    links.go({"tab": "chat", "role": role, "thread": made["thread"]})
