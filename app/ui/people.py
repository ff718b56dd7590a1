"""Who may do what on this desk: people with their roles, and the acts of each role. Called by desk.py; account.py leads here."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import links, parts
from app.ui.page_client import PageClient

ROLES = ("viewer", "operator", "approver", "admin")
ALONE = "Nobody is registered: every name is believed, and everybody may do everything. One person needs no more."


def show(api: PageClient, session: Mapping[str, Any]) -> None:
    """What this person may do, then everybody, then what each role adds to the one before."""
    links.press("Overview", {"tab": "desk"}, key="people_back", icon=":material/arrow_back:", look="tertiary")
    found = api.get("/api/people")
    people, acts = found["items"], found["acts"]
    parts.title("Who may do what", [{"text": f"{len(people)} registered" if people else "nobody registered"}])
    if not people:
        parts.note("● One person alone.", ALONE, "calm", command="nightdesk people add NAME --passphrase")
    elif session.get("proof_needed"):
        parts.note("▲ Your name is not proven:", "you may look and halt. Open it in the head and enter your token.", "warn")
    else:
        off = [act["act"] for act in acts if act["act"] in (session.get("refused") or {})]
        rest = f"Not yours: {', '.join(off)}." if off else "Everything is yours."
        parts.note(f"● You are {session.get('name')}, {session.get('role')}.", rest, "calm")
    if found["two_people"]:
        parts.note("● Two people", "approve what loosens a live sleeve.", "calm")
    left, right = st.columns([1, 1.7], gap="small")
    with left.container(key="panel_people", height="stretch"):
        parts.head("People", "roles are given by an admin: nightdesk people role NAME ROLE")
        ordered = sorted(people, key=lambda person: (-_rank(person["role"]), person["name"]))
        rows = [(person["name"], person["role"]) for person in ordered]
        parts.table(("name", "role"), rows, left=(0, 1)) if rows else parts.soft("None.")
    with right.container(key="panel_acts", height="stretch"):
        parts.head("Roles", "each may do what the one before may, and")
        parts.table(("role", "act", "what it is"), list(_acts(acts)), left=(0, 1, 2), wrap=(2,))


def _rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else -1


def _acts(acts: Sequence[Mapping[str, Any]]) -> list[Sequence[parts.Cell]]:
    """The acts by their least role; the role stands in the first of its rows."""
    rows: list[Sequence[parts.Cell]] = []
    for role in ROLES:
        own = [act for act in acts if act["least"] == role]
        rows += [(role if n == 0 else "", act["act"], (act["about"], "mut")) for n, act in enumerate(own)]
    return rows
