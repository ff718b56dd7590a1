"""`nightdesk proposals ...`: proposals and a person's decision. Called by app/cli/main.py.

Text from models and files is shown with every control character escaped, so that it cannot redraw the card.
"""

import json
import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown
from engine.clock import utc

AS = typer.Option(..., "--as", metavar="NAME", help="who decides")
JSON = typer.Option(False, "--json")


def register(app: typer.Typer) -> None:
    """Add `proposals`."""
    group = typer.Typer(no_args_is_help=True, help="Proposed changes: list, show, approve, reject, roll back.")
    for name, command in (
        ("list", list_proposals),
        ("show", show),
        ("approve", approve),
        ("reject", reject),
        ("rollback", rollback),
    ):
        group.command(name)(command)
    app.add_typer(group, name="proposals")


def now() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


def list_proposals(
    state: str = typer.Option("", "--state", help="pending, applied, rejected, expired, stale, superseded"), as_json: bool = JSON
) -> None:
    """List proposals, newest first."""
    from app.home.home import existing_home
    from engine.control.outcome import runs_now
    from engine.control.proposals import STATES, list_proposals, view
    from engine.errors import BadInput

    if state and state not in STATES:
        raise BadInput(f"unknown state {state!r}", f"available: {', '.join(STATES)}")
    home, now_ms = existing_home(), now()
    rows = list_proposals(home.engine, now_ms, state or None)
    items = [{**view(home.engine, row), "runs_now": as_dict(runs_now(home.engine, home.path, row))} for row in rows]
    out.emit({"items": items}, as_json=as_json, text=lambda: _table(items, now_ms))


def as_dict(value: Any) -> dict[str, Any] | None:
    """A NamedTuple as JSON; None stays None."""
    return None if value is None else dict(value._asdict())


def _table(items: list[dict[str, Any]], now_ms: int) -> str:
    """One line per proposal."""
    from app.views.proposal_card import left
    from engine.control.evidence import verdict_words

    if not items:
        return 'No proposals. Ask for one: nightdesk chat --role developer "propose ..."'
    lines = [f"{'id':<9}{'sleeve':<16}{'direction':<11}{'state':<12}{'what':<44} when"]
    for item in items:
        what = "; ".join(_change(c) for c in item["diff"]["changes"])
        when = left(item["expires_ms"], now_ms) if item["state"] == "pending" else utc(item["decided_ms"])
        name, what = _cut(shown(item["sleeve"]), 15), _cut(what, 43)
        word = verdict_words(item["direction"], item["exposure"]).partition(",")[0]
        outcome = (item["runs_now"] or {}).get("outcome")
        state = outcome if outcome in ("rolled back", "replaced") else item["state"]
        lines.append(f"{item['id']:<9}{name:<16}{word:<11}{state:<12}{what:<44} {when}")
    return "\n".join(lines)


def _cut(text: str, most: int) -> str:
    """A cell's text; what does not fit is seen to be cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _change(change: dict[str, Any]) -> str:
    """`stop_atr 2 -> 3`, the values as the card has them."""
    from app.views.proposal_card import value_cell

    return shown(f"{change['key']} {value_cell(change, 'old')} -> {value_cell(change, 'value')}")


def show(proposal_id: str = typer.Argument(..., metavar="ID"), as_json: bool = JSON) -> None:
    """Show the full card: diff, bounds, direction, worst case, evidence, requester, expiry."""
    from app.cli.card import card_text
    from app.home.home import existing_home
    from app.views.proposal_card import card
    from engine.control.proposals import expire_due, get

    home, now_ms = existing_home(), now()
    expire_due(home.engine, now_ms)
    value = card(home, get(home.engine, proposal_id), now_ms)
    out.emit(value, as_json=as_json, text=lambda: card_text(value))


def approve(
    proposal_id: str = typer.Argument(..., metavar="ID"),
    as_name: str = AS,
    sha: str = typer.Option("", "--sha", help="first digits of the diff you saw; any other diff is refused"),
    as_json: bool = JSON,
) -> None:
    """Apply a proposal exactly as shown. A running worker adopts it within one bar."""
    from app.home.home import existing_home
    from app.people import approvals
    from app.people.stages import raised_by, require_people
    from engine.control.proposals import get
    from engine.errors import Refused

    home, now_ms = existing_home(), now()
    row = get(home.engine, proposal_id)
    if sha and not (len(sha) >= 6 and row.diff_sha256.startswith(sha.lower())):
        raise Refused(f"{row.id} is not the diff you saw: its diff is {row.diff_sha256[:12]}", "show it again")
    actor = _who(home, as_name)
    word = None
    if raised_by(row):
        require_people(home, actor)
        approvals.before_passphrase(home, actor, now_ms, "approve")
        word = typer.prompt("passphrase", hide_input=True, err=True)
    done = approvals.approve(home, row.id, row.diff_sha256, actor, now(), word)
    if done.state == "pending":
        text = f"{row.id} is approved by {actor.name}, the first of two people; nothing has changed. It waits for a second."
        _decided(done, actor, row.direction, text, as_json)
        return
    if row.kind == "maker":
        text = f"{row.id} is approved by {actor.name} ({actor.assurance}); nightdesk making live starts {row.sleeve} by it"
        _decided(done, actor, row.direction, text, as_json)
        return
    text = f"{row.id} applied as {became(done)} ({verdict_of(row)}) by {actor.name} ({actor.assurance})"
    _decided(done, actor, row.direction, f"{text}. {_follows(home)}", as_json)


def reject(
    proposal_id: str = typer.Argument(..., metavar="ID"),
    reason: str = typer.Option("", "--reason", help="why; kept with the proposal"),
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Reject a proposal."""
    from app.home.home import existing_home
    from app.people import approvals
    from engine.control.proposals import get

    home = existing_home()
    row, actor = get(home.engine, proposal_id), _who(home, as_name)
    done = approvals.reject(home, row.id, actor, reason, now())
    _decided(done, actor, row.direction, f"{row.id} rejected by {actor.name} ({actor.assurance}).", as_json)


def rollback(
    target: str = typer.Argument(..., metavar="VERSION_OR_ID", help="a version (3), or an applied proposal to undo (prop-2)"),
    sleeve: str = typer.Option("", "--sleeve", metavar="NAME", help="only this sleeve, to a version of its own"),
    preview: bool = typer.Option(False, "--preview", help="show its diff and its direction against what runs; roll nothing back"),
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Roll back the desk or one sleeve: a new version equal to an old one, in your name. Shows its diff and direction."""
    from app.cli.card import rows_text
    from app.home.home import existing_home
    from app.people import approvals
    from app.views.proposal_card import rollback_card
    from engine.control.proposals import get
    from engine.control.rollbacks import back_to_text

    home = existing_home()
    actor = _who(home, as_name)
    goal = back_to_text(approvals.back_to_of(home, target, sleeve))
    shown_row = approvals.rollback_shown(home, target, now(), sleeve)
    rows = rollback_card(home, shown_row)["rows"]
    if preview:
        value = {"rows": rows, "direction": shown_row.direction, "diff": json.loads(shown_row.diff)}
        out.emit(value, as_json=as_json, text=lambda: f"{rows_text(rows)}\nNothing was rolled back.")
        return
    done = approvals.rollback(home, target, actor, now(), sleeve, shown_row.diff_sha256)
    row = get(home.engine, done.proposal_id)
    if done.state == "pending":
        text = f"{rows_text(rows)}\n{row.id} waits for a second person: nightdesk proposals approve {row.id} --as NAME."
        _decided(done, actor, row.direction, text, as_json, rows)
        return
    text = f"Rolled back to {goal}, as {became(done)} ({verdict_of(row)}), by {actor.name}"
    _decided(done, actor, row.direction, f"{rows_text(rows)}\n{text} ({actor.assurance}). {_follows(home)}", as_json, rows)


def _follows(home: Any) -> str:
    """Who adopts the new version, as of now."""
    from engine.watch.following import VERSION, carried_out

    return carried_out(home.path, now(), VERSION)


def verdict_of(row: Any) -> str:
    """The direction of a proposal as its card says it."""
    from engine.control.evidence import verdict_words

    return verdict_words(row.direction, json.loads(row.exposure))


def became(done: Any) -> str:
    """`version 3 (btc-trend v2)`: the desk's version, and the new one of each sleeve that changed."""
    own = ", ".join(f"{name} v{number}" for name, number in done.sleeves.items())
    return f"version {done.version} ({own})" if own else f"version {done.version}"


def _who(home: Any, name: str) -> Any:
    from app.people.identity import identify

    return identify(home.path, name, "cli")


def _decided(done: Any, actor: Any, direction: str, text: str, as_json: bool, rows: Any = None) -> None:
    """Print the outcome of a decision; of a rollback with the rows that say what it changed."""
    value = {
        **({} if rows is None else {"rows": rows}),
        "proposal": done.proposal_id,
        "state": done.state,
        "version": done.version,
        "sleeves": done.sleeves,
        "direction": direction,
        "actor": actor.as_json(),
        "journal_id": done.journal_id,
    }
    out.emit(value, as_json=as_json, text=lambda: f"{text} Journal: {done.journal_id}.")
