"""What time it is for the page: the desk's and the wall's clock as the API last gave them. Called by the pages.

A time of this year has no year (figures.short), and texts of the API are read by the same rule (safe.typeset).
"""

from typing import Any

import streamlit as st

DESK = "desk_seen"  # in the session: the API's last answer about the desk (head.py)


def desk_ms() -> Any:
    """The close of the last bar that the desk decided on; None before the first answer."""
    return (st.session_state.get(DESK) or {}).get("desk_ms")


def wall_ms() -> Any:
    """The wall's clock at the API's last answer; None before it."""
    return (st.session_state.get(DESK) or {}).get("now_ms")
