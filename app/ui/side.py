"""Beside the chat: who answers, and that role's threads. Called by chat.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import links
from app.ui.figures import when
from app.ui.page_client import PageClient, Trouble
from app.ui.safe import one_line, words

ROLES = ("developer", "operator", "advisor")
ABOUT = {
    "developer": "backtests, compares, proposes changes",
    "operator": "reports what happened and what is wrong",
    "advisor": "explains where the P&L comes from",
}
THREADS = 12


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
    phone = "Mobi" in str(st.context.headers.get("User-Agent") or "")
    with st.expander("Threads", expanded=not phone, key="thread_list"):
        threads(api, of_role)


def _ask_another() -> None:
    """Switch to another role's chat."""
    st.query_params.from_dict({"tab": "chat", "role": st.session_state["role"]})


def threads(api: PageClient, of_role: str) -> None:
    """The role's latest threads; the open one and running ones are marked."""
    st.button("New thread", icon=":material/add:", key="new_thread", width="stretch", on_click=_open, args=(of_role, ""))
    try:
        items = api.get("/api/threads", role=of_role, limit=THREADS)["items"]
    except Trouble as trouble:
        st.caption(trouble.markdown())
        return
    for item in items:
        _thread(item, of_role)


def _thread(item: Mapping[str, Any], of_role: str) -> None:
    ident = str(item["id"])
    st.button(
        words(one_line(item.get("title") or "no question yet", 60)),
        key=f"thread_{ident}",
        type="primary" if ident == links.at("thread") else "tertiary",
        icon=":material/progress_activity:" if item.get("running") else None,
        help=f"{words(item.get('turns'), 12)} questions, the last {when(item.get('touched_ms')).replace(':', chr(92) + ':')}",
        width="stretch",
        on_click=_open,
        args=(of_role, ident),
    )


def _open(of_role: str, thread: str) -> None:
    st.query_params.from_dict({"tab": "chat", "role": of_role} | ({"thread": thread} if thread else {}))
