"""Buttons that know who may press them: one that this person may not press is off and says who may. Called by the pages.

The API decides (app/people/authority.py) and names in /api/session why each act is refused; nothing here is a rule of its own.
"""

from typing import Any

import streamlit as st

from app.ui.page_client import PageClient
from app.ui.safe import words

DECIDE = "decide"  # the card says which act approving it is
BUTTONS = {  # beginning of a button's key -> the act that pressing it is
    "ack_": "acknowledge",
    "again_": "work",
    "approve_": DECIDE,
    "back_yes_": DECIDE,
    "bt_run": "work",
    "cancel_job_": "work",
    "cancel_u-": "work",
    "carry_": "work",
    "checklist_": "checklist",
    "confirm_": "note",
    "example_": "work",
    "form_go_": "propose",
    "halt_now": "halt",
    "hide_": "work",
    "keep_": "work",
    "newer_bars": "work",
    "notify_test": "work",
    "order_ask": "work",
    "pause_go_": "propose",
    "pull": "work",
    "refresh_": "propose",
    "reject_": "reject",
    "release_now": "release",
    "remove_": "note",
    "send_carried": "work",
    "step_": "work",
    "stop_": "work",
    "tighten_go_": "propose",
    "yes_": DECIDE,
}


def act_of(key: str, act: str = "") -> str:
    """The act of a button; `act`: of a decision, what its card says. Raises KeyError for a button of no row."""
    found = next((BUTTONS[start] for start in BUTTONS if key.startswith(start)), None)
    if found is None:
        raise KeyError(f"the button {key} has no row in the table of buttons")
    return act if found == DECIDE else found


def why_not(api: PageClient, act: str) -> str:
    """Why this person may not do an act: `needs an approver: ana, tom`; empty when they may, or before a login."""
    return words(str((api.session.get("refused") or {}).get(act) or ""), 300)


def button(api: PageClient, label: str, *, key: str, act: str = "", **more: Any) -> bool:
    """A button of Streamlit's that is off for a person who may not press it."""
    return bool(st.button(label, key=key, **(more | off(api, act_of(key, act)))))


def submit(api: PageClient, label: str, *, key: str, act: str = "", **more: Any) -> bool:
    """The same of a form."""
    return bool(st.form_submit_button(label, key=key, **(more | off(api, act_of(key, act)))))


def off(api: PageClient, act: str) -> dict[str, Any]:
    """What a widget of Streamlit's is given so that it is off for a person who may not; nothing for one who may."""
    why = why_not(api, act)
    return {"disabled": True, "help": f"{label_of(act)} {why}."} if why else {}


def label_of(act: str) -> str:
    """An act as the beginning of a sentence."""
    return ACTS.get(act, act.capitalize())


ACTS = {
    "work": "Asking and running",
    "note": "A watch",
    "checklist": "Deciding a step of a runbook",
    "acknowledge": "Acknowledging",
    "propose": "Proposing",
    "reject": "Rejecting",
    "tighten": "Approving a tightening",
    "loosen": "Approving a loosening",
    "promote": "Approving a step nearer to money",
    "release": "A release",
}


def line(api: PageClient, *acts: str) -> None:
    """In words what of these acts is off, for a screen on which nothing hovers."""
    found = [f"{label_of(act)} {why}." for act in acts if (why := why_not(api, act))]
    if found:
        st.caption(" ".join(found))
