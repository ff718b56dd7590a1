"""What is shown without a session: how to get one. Called by streamlit_app.py."""

import streamlit as st

from app.ui.door import Trouble

HALT = 'Without this page, `nightdesk halt --reason "..."` in a terminal stops the desk at any time.'


def show(trouble: Trouble) -> None:
    """Say what is missing, and the one command that helps."""
    st.title("Nightdesk")
    if trouble.down:
        st.error(trouble.markdown(), icon=":material/cloud_off:")
        st.markdown("Start the desk with `make run` (or `nightdesk up`), then open the login link it prints.")
        st.markdown(HALT)
        st.button("Try again", icon=":material/refresh:")
        return
    st.markdown("**You are not logged in here.** Only people with a login link of this desk see it, also on this machine.")
    st.markdown(
        "1. In a terminal on the desk's machine: `nightdesk login`\n2. Open the link it prints, in this browser. It works once."
    )
    st.caption(f"The API says: {trouble.markdown()}")
    st.button("I am logged in, try again", icon=":material/refresh:")
