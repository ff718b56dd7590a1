"""The chat tab: one thread of one role. Called by streamlit_app.py.

Thread, turns and jobs are rows of the API; the page only holds the thread's id, in the URL.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import streamlit as st

from app.ui import answer, asking, first, jobs, links, rights, safe, side, turn
from app.ui.page_client import PageClient, Trouble

SHOWN = 12  # turns; older ones are behind a toggle
QUESTION_MAX = 4000
STARTERS = {  # example first questions
    "developer": (
        "Backtest trend on BTC-USDT 15m, and compare a 2 ATR with a 3 ATR stop",
        "Propose the better one for the BTC trend sleeve",
    ),
    "operator": ("What happened since yesterday? Is anything wrong?", "Which proposals wait?"),
    "advisor": ("Where does the P&L come from?", "How are the sleeves correlated?"),
}


ABOUT_SLEEVE = (  # example first questions about a sleeve
    "How is {} doing?",
    "Why did {} not trade?",
    "What is {} running with?",
    "How did {} trade this week?",
)


def show(api: PageClient) -> None:
    """Role and threads at the left; the thread, or a welcome with example questions; the input below."""
    role = side.role()
    thread = _thread(api, role)
    left, right = st.columns([2, 7], gap="medium")
    with left.container(key="threads"):
        side.show(api, role)
    with right:
        if thread is None or not thread["turns"]:
            _welcome(api, role)
        else:
            _turns(api, thread["turns"])
        if thread is not None:
            followed = {str(one["id"]) for one in thread["turns"] if one["state"] not in turn.ENDED}  # these show their own jobs
            jobs.live(api, [job for job in thread.get("jobs") or [] if str(job.get("turn")) not in followed])
            for owed in thread.get("owed") or []:
                jobs.awaited(api, str(owed["id"]))
    with right if thread is None or not thread["turns"] else st.bottom:
        _input(api, role, str(thread["id"]) if thread else "new")


def _thread(api: PageClient, role: str) -> dict[str, Any] | None:
    """The thread in the URL, if it exists and belongs to this role."""
    ident = links.at("thread")
    if not ident:
        return None
    try:
        thread: dict[str, Any] = api.get(f"/api/threads/{ident}")
    except Trouble as trouble:
        if trouble.down:
            raise
        st.warning(trouble.markdown())
        return None
    if thread.get("role") != role:
        links.go({"tab": "chat", "role": thread.get("role"), "thread": ident})
        st.rerun()
    return thread


def _turns(api: PageClient, turns: Sequence[Mapping[str, Any]]) -> None:
    """Questions and answers, oldest first."""
    hidden = len(turns) - SHOWN
    if hidden > 0 and not st.toggle(f"Show {hidden} earlier questions", key="earlier"):
        turns = turns[hidden:]
    for one in turns:
        if not one.get("posts"):  # else no question: code posts the answer to an earlier one
            with st.chat_message("user", avatar=":material/person:"):
                st.markdown(safe.words(one.get("text"), QUESTION_MAX))
        newest = st.container(key=f"newest_{one['id']}_{one['state']}") if one is turns[-1] else nullcontext()  # catcher.js
        with newest, st.chat_message("assistant", avatar=":material/nightlight:"):
            if one["state"] in turn.ENDED:
                answer.show(api, one, latest=one is turns[-1])
            else:
                turn.follow(api, str(one["id"]))


def _welcome(api: PageClient, role: str) -> None:
    """The first panel, the role, and example questions."""
    first.panel(api)
    roles = {r["name"]: r for r in api.get("/api/roles")["items"]}
    chosen = roles.get(role) or {}
    st.markdown(f"**{role.capitalize()}**: {safe.words(chosen.get('about') or side.ABOUT[role], 400)}")
    about = links.at("sleeve")
    examples = dict.fromkeys(
        [text.format(about) for text in ABOUT_SLEEVE] if about else [*STARTERS[role], *(chosen.get("examples") or [])]
    )
    with st.container(horizontal=True):
        for n, example in enumerate(list(examples)[:8]):
            where = (api, role, str(example), "new")
            rights.button(api, safe.words(example, 120), key=f"example_{n}", on_click=asking.send, args=where)


def asked_of(text: str, sleeve: str) -> str:
    """A question with its sleeve's name, where it does not hold it; a halt is never touched."""
    if not sleeve or sleeve.lower() in text.lower() or text.lstrip().startswith("/"):
        return text
    end = re.search(r"[?.! ]*$", text)
    return f"{text[: end.start()]}, {sleeve}{end[0].strip()}" if end else text


def _input(api: PageClient, role: str, thread: str) -> None:
    """The input; a question carried over from another role waits above it."""
    carried = st.session_state.get("carried")
    if carried:
        with st.container(border=True):
            st.markdown(f"For the {role}: {safe.words(carried, QUESTION_MAX)}")
            with st.container(horizontal=True):
                where = (api, role, carried, thread)
                rights.button(api, f"Ask the {role}", type="primary", key="send_carried", on_click=asking.send, args=where)
                st.button("Discard", key="drop_carried", on_click=st.session_state.pop, args=("carried", None))
    unsent = st.session_state.get("unsent")
    if unsent:
        st.error(unsent[0])
        st.code(unsent[1], language=None, wrap_lines=True)
    about = links.at("sleeve") if thread == "new" else ""
    if about:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"About {safe.words(about, 60)}: a first question that names no sleeve is asked of it.")
            links.press("Of the whole desk", {"tab": "chat"}, key="about_nothing", look="tertiary")
    placeholder = f"Ask the {role} {f'about {about} ' if about else ''}...   /halt REASON stops the desk at once"
    if rights.why_not(api, "work"):  # the input stays: a halt is everybody's
        placeholder = "/halt REASON stops the desk at once"
        rights.line(api, "work")
    text = st.chat_input(placeholder, key="question", max_chars=QUESTION_MAX - len(about) - 2)
    if text:
        asking.send(api, role, asked_of(text, about), thread)
        st.rerun()
