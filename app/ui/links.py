"""Our own URLs: where an id leads, and navigation. Called by the pages and by app.ui.safe."""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import streamlit as st

TABS = ("desk", "sleeves", "runs", "proposals", "chat")
VIEWS = ("overview", "account", "journal", "alerts", "handover")
APART = ("people",)  # views of the desk tab that a link leads to
Look = Literal["primary", "secondary", "tertiary"]
ID = re.compile(r"[\w.-]{1,80}")
ADDRESS_MAX = 600
TRIP = re.compile(r"([\w.-]{1,80})/(t\d{1,7})")
IDS = (  # every parameter a URL may hold
    "tab",
    "view",
    "role",
    "thread",
    "sleeve",
    "proposal",
    "version",
    "run",
    "with",
    "job",
    "trip",
    "event",
    "order",
    "window",
    "maker",
)


def place(kind: str, ident: str) -> dict[str, str] | None:
    """The page that shows an id; None for an invalid id or one that no page shows."""
    if kind in ("run", "trip") and (found := TRIP.fullmatch(ident)):
        return {"tab": "runs", "run": found[1], "trip": found[2]}
    if not ID.fullmatch(ident):
        return None
    places = {
        "run": {"tab": "runs", "run": ident},
        "sleeve": {"tab": "sleeves", "sleeve": ident},
        "event": {"tab": "desk", "view": "journal", "event": ident},
        "order": {"tab": "desk", "view": "account", "order": ident},
        "window": {"tab": "desk", "view": "alerts", "window": ident},
        "proposal": {"tab": "proposals", "proposal": ident},
        "config": {"tab": "proposals", "version": ident},
        "thread": {"tab": "chat", "thread": ident},
        "alert": {"tab": "desk", "view": "alerts"},
        "job": {"tab": "runs", "job": ident},
        "maker": {"tab": "runs", "maker": ident},
    }
    return places.get(kind)


def href(kind: str, ident: str) -> str:
    """The same as a relative URL; empty when there is none."""
    where = place(kind, ident)
    return "?" + urlencode(where) if where else ""


def at(name: str) -> str:
    """A parameter of this page's URL, if it is a valid id; empty otherwise."""
    value = str(st.query_params.get(name, ""))
    return value if name in IDS and ID.fullmatch(value) else ""


def tab() -> str:
    """The tab in the URL; default: the desk."""
    name = at("tab")
    return name if name in TABS else TABS[0]


def view() -> str:
    """The view of the desk tab in the URL; default: overview."""
    name = at("view")
    return name if name in (*VIEWS, *APART) else VIEWS[0]


def follow(address: str) -> None:
    """Navigate to a relative address that a link of this page had; what it names that we do not know is left out."""
    found = dict(parse_qsl(address.lstrip("?")[:ADDRESS_MAX]))
    where = {name: ident for name, ident in found.items() if name in IDS and ID.fullmatch(ident)}
    if where.get("tab") in TABS:
        go(where)


def go(where: Mapping[str, Any]) -> None:
    """Navigate from the next run on: role and thread are kept, other ids only if `where` names them."""
    kept = {name: at(name) for name in ("role", "thread") if at(name)}
    wanted = {**kept, **{name: str(value) for name, value in where.items() if value}}
    st.query_params.from_dict({name: wanted[name] for name in IDS if wanted.get(name)})


def ask_about(sleeve: str) -> None:
    """Open a new thread of the operator whose subject is a sleeve."""
    st.query_params.from_dict({"tab": "chat", "role": "operator", "sleeve": sleeve})


def button(label: str, kind: str, ident: str, *, key: str, icon: str | None = None) -> None:
    """A button that opens the page of `ident` in the same browser tab."""
    where = place(kind, ident)
    if where:
        press(label, where, key=key, icon=icon, look="tertiary")


def press(label: str, where: Mapping[str, Any], *, key: str, icon: str | None = None, look: Look = "secondary") -> None:
    """A navigation button; it also works inside a fragment, which a callback would not leave."""
    if st.button(label, key=key, icon=icon, type=look):
        go(where)
        st.rerun()
