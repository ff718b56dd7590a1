"""The page, as Streamlit runs it: role selector and navigation over app/ui; no logic. Started by `nightdesk ui`."""

import streamlit as st

from app.ui import chat, desk, head, links, login, proposals, side
from app.ui.door import Trouble, open_door

# drawn here: an icon by name would be fetched from elsewhere
MOON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M21 4a12 12 0 1 0 7 17A10 10 0 0 1 21 4z" '
    'fill="#5aa9e6"/></svg>'
)


def main() -> None:
    """Log in, draw the strip and the side, then the tab of the address."""
    st.set_page_config(page_title="Nightdesk", page_icon=MOON, layout="wide")
    door = open_door()
    try:
        session = door.get("/api/session")
    except Trouble as trouble:
        if not (trouble.down and door.known):
            login.show(door, trouble)
            return
        head.show(door, {})
        login.stopped(door, trouble)
        return
    head.show(door, session)
    try:
        with st.sidebar:
            st.markdown("### :material/nightlight: Nightdesk")
            role = side.choose_role()
            side.threads(door, role)
            side.who(door, session)
        tabs = {
            "chat": lambda: chat.show(door, role),
            "proposals": lambda: proposals.show(door, session),
            "desk": lambda: desk.show(door, session),
        }
        tabs[links.tab()]()
    except Trouble as trouble:
        login.stopped(door, trouble)


main()
