"""The page: login, strip, sidebar, then the tab from app/ui; no logic. Run by Streamlit, started by `nightdesk ui`."""

import streamlit as st

from app.ui import chat, desk, head, links, login, proposals, runs, side
from app.ui.page_client import Trouble, open_client

# inline, because an icon by name would be fetched from a CDN
MOON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M21 4a12 12 0 1 0 7 17A10 10 0 0 1 21 4z" '
    'fill="#5aa9e6"/></svg>'
)


def main() -> None:
    """Log in, draw the strip and the sidebar, then the tab in the URL."""
    st.set_page_config(page_title="Nightdesk", page_icon=MOON, layout="wide")
    api = open_client()
    try:
        session = api.get("/api/session")
    except Trouble as trouble:
        if not (trouble.down and api.known):
            login.show(api, trouble)
            return
        head.show(api, {})
        login.stopped(api, trouble)
        return
    head.show(api, session)
    try:
        with st.sidebar:
            st.markdown("### :material/nightlight: Nightdesk")
            role = side.choose_role()
            side.threads(api, role)
            side.who(api, session)
        tabs = {
            "chat": lambda: chat.show(api, role),
            "proposals": lambda: proposals.show(api, session),
            "desk": lambda: desk.show(api, session),
            "runs": lambda: runs.show(api),
        }
        tabs[links.tab()]()
    except Trouble as trouble:
        login.stopped(api, trouble)


main()
