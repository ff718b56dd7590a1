"""`nightdesk reconcile`: what desk and venue differ in, whether entries are blocked, and what a person can do about each.

Called by app/cli/main.py. To adopt is `nightdesk adopt`; to close by hand is at the venue; to wait is written down here.
"""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import handing, out
from app.cli.words import shown
from engine.book.bodies import keep_command, waits_for_person
from engine.clock import utc
from engine.errors import BadInput

CHANNEL = "cli"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    wait: str = typer.Option("", "--wait", metavar="DIFFERENCE", help="write down that you have looked and wait"),
    as_name: str = typer.Option("", "--as", metavar="NAME", help="who waits"),
    reason: str = typer.Option("", "--reason", help="what you found, and what you wait for"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show the differences between desk and venue with the choices of each, and whether entries are blocked. Moves nothing."""
    from app.home.home import existing_home, open_home
    from app.views.incidents import reconciliation

    if wait:
        from app.people.adoptions import wait as note_wait
        from app.people.identity import identify

        if not as_name.strip():
            raise BadInput("who waits needs a name", "--as NAME")
        home = open_home()
        note_wait(home, wait, reason, identify(home.path, as_name, CHANNEL), handing.now())
    found = reconciliation(existing_home().desk_journal)
    out.emit(found, as_json=as_json, text=lambda: _text(found))


def _way_on(what: str) -> str:
    """How a person ends it, where nothing else does."""
    return f"; looked at it? {keep_command(shown(what))}" if waits_for_person(what) else ""


def _text(found: Mapping[str, Any]) -> str:
    """The card of each difference."""
    from engine.watch.account_state import first_causes

    lines = []
    for difference in found["differences"]:
        since = f", since {utc(difference['since_ms'])} ({difference['event']})" if difference["event"] else ""
        lines.append(f"{shown(difference['what'])}: {shown(difference['text'])}{since}")
        lines += [f"  {choice['choice']:<6} {shown(choice['does'])}" for choice in difference["choices"]]
    lines += [
        f"{shown(o['instrument'])}: {o['lots']} lots that no order explains, {o['tries']} tries to close them"
        for o in found["orphans"]
    ]
    lines += [
        f"{shown(d['sleeve'])}: {d['lots']} lots of layer {d['layer']} are dust: the venue takes no order below"
        f" {d['least_lots']}; close them at its own page, and adopt the difference that shows then"
        for d in found["dust"]
    ]
    lines += [f"not well: {shown(what)}: {shown(why)}{_way_on(what)}" for what, why in first_causes(found["blocked"]).items()]
    if found["windows"]:
        lines.append(f"open incident windows: {', '.join(found['windows'])}; see nightdesk incidents list")
    some = "Entries of some sleeves are withheld" if found["blocked"] else "Entries are not blocked"
    blocked = "ENTRIES ARE BLOCKED" if found["entries_blocked"] else some
    return "\n".join([blocked + (":" if lines else ": desk and venue do not differ."), *lines])
