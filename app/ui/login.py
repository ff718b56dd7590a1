"""Shown without a session or without an API: how to get one, and a retry loop. Called by streamlit_app.py."""

import logging

import streamlit as st

from app.ui import parts
from app.ui.page_client import PageClient, Trouble

AGAIN_S = 2
HALT = 'Without this page, `nightdesk halt --reason "..."` in a terminal stops the desk at any time.'


def show(api: PageClient, trouble: Trouble) -> None:
    """What is missing, and the command that helps."""
    st.title("Nightdesk")
    if trouble.down:
        st.error(trouble.markdown(), icon=":material/cloud_off:")
        st.markdown("Start the desk with `make run` (or `nightdesk up`), then open the login link it prints.")
        st.markdown(HALT)
        until_back(api)
        return
    st.markdown("**You are not logged in.** This desk needs a login link, even on its own machine.")
    st.markdown(
        "1. In a terminal on the desk's machine: `nightdesk login`\n2. Open the link it prints, in this browser. It works once."
    )
    st.caption(f"The API says: {trouble.markdown()}")
    st.button("I am logged in, try again", icon=":material/refresh:")


def stopped(api: PageClient, trouble: Trouble) -> None:
    """Why a tab could not be drawn completely; it is redrawn once the API is back."""
    if trouble.down:
        until_back(api)  # the strip above names the API that does not answer
    else:
        st.error(trouble.markdown(), icon=":material/error:")
        st.button("Try again", icon=":material/refresh:")


def broken() -> None:
    """A fault of our own in a tab: logged, and said in our words."""
    logging.getLogger("nightdesk.page").exception("a view could not be drawn")
    parts.note("■ This view could not be drawn.", "A fault of the page; its log says which. The head and HALT work.", "bad")
    st.button("Try again", icon=":material/refresh:", key="try_broken")


@st.fragment(run_every=AGAIN_S)
def until_back(api: PageClient) -> None:
    """Poll the API until it answers, then redraw the page."""
    try:
        api.get("/api/health")
    except Trouble:
        st.caption(":material/progress_activity: Retrying every two seconds; you need not do anything here.")
        return
    st.rerun()
