"""The page: login, head, then the tab from app/ui; no logic. Run by Streamlit, started by `nightdesk ui`."""

import streamlit as st

from app.ui import catcher, chat, desk, garbage, head, links, login, parts, proposals, runs, sleeves
from app.ui.page_client import Trouble, open_client


def main() -> None:
    """Log in, draw the head, then the tab in the URL."""
    st.set_page_config(page_title="Nightdesk", layout="wide")
    parts.sheet()
    catcher.mount()
    api = open_client()
    try:
        session = api.last("/api/session")
    except Trouble as trouble:
        if not (trouble.down and api.known):
            login.show(api, trouble)
            return
        head.show(api, {})
        login.stopped(api, trouble)
        return
    api.session = session
    head.show(api, session)
    silent = api.silent  # the session is of the last answer: drawn again as soon as there is a new one
    tabs = {
        "desk": lambda: desk.show(api, session),
        "sleeves": lambda: sleeves.show(api, session),
        "runs": lambda: runs.show(api),
        "proposals": lambda: proposals.show(api, session),
        "chat": lambda: chat.show(api),
    }
    try:
        tabs[links.tab()]()
    except Trouble as trouble:
        login.stopped(api, trouble)
        return
    except Exception:  # noqa: BLE001 - a fault of one view takes neither the head nor HALT away
        login.broken()
    if silent:
        login.until_back(api)


main()
garbage.settled()
