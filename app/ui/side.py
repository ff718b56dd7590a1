"""Beside the chat: who answers, and that role's threads. Called by chat.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import links, parts, rights
from app.ui.figures import short
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words

ROLES = ("developer", "operator", "advisor")
ABOUT = {
    "developer": "backtests, compares, proposes changes",
    "operator": "reports what happened and what is wrong",
    "advisor": "explains where the P&L comes from",
}
THREADS = 30


def role() -> str:
    """The role in the URL; default: operator."""
    name = links.at("role")
    return name if name in ROLES else "operator"


def show(api: PageClient, of_role: str) -> None:
    """The role's selector and its threads; folded on a phone, where they would stand above the answer."""
    st.session_state["role"] = of_role
    st.segmented_control(
        "Who answers",
        ROLES,
        key="role",
        format_func=str.capitalize,
        required=True,
        label_visibility="collapsed",
        on_change=_ask_another,
        width="stretch",
    )
    with st.expander("Threads", expanded=not parts.phone(), key="thread_list"):
        threads(api, of_role)


def _ask_another() -> None:
    """Switch to another role's chat."""
    st.query_params.from_dict({"tab": "chat", "role": st.session_state["role"]})


def threads(api: PageClient, of_role: str) -> None:
    """The role's latest threads, or those with some words; the open one can be named and taken off the list."""
    st.button("New thread", icon=":material/add:", key="new_thread", width="stretch", on_click=_open, args=(of_role, ""))
    wanted = st.text_input("Find", key="find_thread", placeholder="Find a thread", label_visibility="collapsed", max_chars=80)
    try:
        items = api.get("/api/threads", role=of_role, text=one_line(wanted, 80), limit=THREADS)["items"]
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    if not items:
        st.caption("No thread has these words." if wanted else "No thread yet.")
    for item in items:
        _thread(item, of_role)
        if str(item["id"]) == links.at("thread"):
            _own(api, item, of_role)


def _thread(item: Mapping[str, Any], of_role: str) -> None:
    ident, n = str(item["id"]), words(item.get("turns"), 12)
    last = short(item.get("touched_ms"), item.get("touched_ms")).replace(":", "\\:")
    st.button(
        words(one_line(item.get("name") or item.get("title") or "no question yet", 60)),
        key=f"thread_{ident}",
        type="secondary" if ident == links.at("thread") else "tertiary",
        icon=":material/progress_activity:" if item.get("running") else None,
        help=f"{n} question{'s' if n != '1' else ''}, the last {last}",
        width="stretch",
        on_click=_open,
        args=(of_role, ident),
    )


def _own(api: PageClient, item: Mapping[str, Any], of_role: str) -> None:
    """The open thread's name, and the way off the list."""
    ident = str(item["id"])
    with (
        st.container(horizontal=True, gap="small", key="thread_ways"),
        st.popover("Name", icon=":material/edit:", type="tertiary", key="thread_naming"),
        st.form(f"name_{ident}", border=False),
    ):
        st.text_input("Name of this thread", one_line(item.get("name"), 60), max_chars=60, key=f"named_{ident}")
        rights.submit(api, "Keep", key=f"keep_{ident}", on_click=_name, args=(api, ident))
    with st.container(key="thread_off"), st.popover("Remove from list", icon=":material/delete:", type="tertiary"):
        st.caption("Its questions and answers stay in the journal; its address still opens it.")
        rights.button(api, "Remove", key=f"hide_{ident}", on_click=_hide, args=(api, ident, of_role))
    if failed := st.session_state.pop("thread_failed", None):
        st.error(failed)


def _name(api: PageClient, ident: str) -> None:
    try:
        api.post(f"/api/threads/{ident}/name", {"name": one_line(st.session_state.get(f"named_{ident}"), 60)})
    except Trouble as trouble:
        st.session_state["thread_failed"] = trouble.markdown()


def _hide(api: PageClient, ident: str, of_role: str) -> None:
    try:
        api.delete(f"/api/threads/{ident}")
    except Trouble as trouble:
        st.session_state["thread_failed"] = trouble.markdown()
        return
    _open(of_role, "")


def _open(of_role: str, thread: str) -> None:
    st.query_params.from_dict({"tab": "chat", "role": of_role} | ({"thread": thread} if thread else {}))
