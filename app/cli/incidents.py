"""`nightdesk incidents list | show | open | close`: windows whose P&L is no strategy's. Called by app/cli/main.py.

A person's word is handed to the worker, which alone writes the journal. Show reads the journal; nothing else is needed for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from app.cli import handing, out
from app.cli.words import shown
from engine.amounts import signed_text
from engine.clock import utc
from engine.errors import BadInput

CHANNEL = "cli"
JSON = typer.Option(False, "--json", help="one JSON object on stdout")
NAME = typer.Option("", "--as", metavar="NAME", help="who you are")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    incidents = typer.Typer(no_args_is_help=True, help="Incident windows: list, show, open, close. Their P&L is apart.")
    incidents.command("list")(list_windows)
    incidents.command("show")(show_window)
    incidents.command("open")(open_window)
    incidents.command("close")(close_window)
    app.add_typer(incidents, name="incidents")


def list_windows(as_json: bool = JSON) -> None:
    """List incident windows, newest first, and the desk's P&L in its two parts."""
    from app.home.home import existing_home
    from app.views.incidents import incident_list, pnl_parts

    path = existing_home().desk_journal
    found, parts = incident_list(path), pnl_parts(path)
    out.emit({"items": found, "pnl": parts}, as_json=as_json, text=lambda: _list_text(found, parts))


def show_window(
    window: str = typer.Argument(..., metavar="ID", help="w1, from nightdesk incidents list"), as_json: bool = JSON
) -> None:
    """Show one window: when, why, what it covers, its P&L and orders, and what keeps it open."""
    from app.home.home import existing_home
    from app.views.incidents import incident

    found = incident(existing_home().desk_journal, window)
    out.emit(found, as_json=as_json, text=lambda: _window_text(found))


def open_window(
    cause: str = typer.Option(..., "--cause", help="what is wrong"),
    sleeve: str = typer.Option("", "--sleeve", help="one sleeve (default: the whole desk)"),
    as_name: str = NAME,
    as_json: bool = JSON,
) -> None:
    """Open a window: from now on what it covers makes its P&L apart from the strategies, until a person closes it."""
    from app.home.home import open_home
    from app.people.identity import identify
    from app.people.windows import to_open
    from app.views.incident_pages import write_pages

    home = open_home()
    _require_name(as_name)
    actor = identify(home.path, as_name, CHANNEL)
    value = _handed(home, to_open(home, cause, sleeve, actor), actor)
    write_pages(home.path)
    out.emit(value, as_json=as_json, text=lambda: _answer_text(value, f"Opened by {actor.name}: P&L is apart from here on."))


def close_window(
    window: str = typer.Argument(..., metavar="ID", help="w1, from nightdesk incidents list"),
    cause: str = typer.Option(..., "--cause", help="what it was"),
    lesson: str = typer.Option(..., "--lesson", help="what to check from now on: it becomes a step of the runbook"),
    as_name: str = NAME,
    yes: bool = typer.Option(False, "--yes", help="do not ask again"),
    as_json: bool = JSON,
) -> None:
    """Close a window, by name, with its cause and its lesson. Refused while what opened it lasts."""
    from app.home.home import open_home
    from app.people.identity import identify
    from app.people.windows import to_close
    from app.views.incident_pages import write_pages

    home = open_home()
    _require_name(as_name)
    actor = identify(home.path, as_name, CHANNEL)
    body, money = to_close(home, window, cause, lesson, actor)
    out.say(f"{window}: {_money_text(money)}. It stays of the incident; {_then(home.path, window)}.")
    if not yes:
        typer.confirm("Close this window?", abort=True, err=True)
    value = _handed(home, body, actor)
    write_pages(home.path)
    out.emit(value, as_json=as_json, text=lambda: _answer_text(value, f"Closed by {actor.name} ({actor.assurance})."))


def _then(home: Path, window: str) -> str:
    """Whose P&L the sleeves of a window have once it is closed: the strategies', or another open window's that covers them."""
    from engine.watch.incidents import windows_of
    from engine.watch.window import journal_of

    found = {one.id: one for one in windows_of(journal_of(home)) if one.closed_ms is None}
    own = found[window].sleeves if window in found else []
    apart = {s: one.id for one in reversed(found.values()) if one.id != window for s in one.sleeves if s in own}
    still = "; ".join(f"{sleeve} stays apart, {id_} covers it too" for sleeve, id_ in sorted(apart.items()))
    return still or "from now on the strategies have their own again"


def _require_name(as_name: str) -> None:
    if not as_name.strip():
        raise BadInput("a window is opened and closed by name", "--as NAME")


def _handed(home: Any, body: Mapping[str, Any], actor: Any) -> dict[str, Any]:
    """The person proven, the word handed over and answered."""
    from app.people.windows import hand_over

    word = handing.passphrase(home, actor, "window", "incident")
    number = hand_over(home, body, actor, handing.now(), word)
    state = handing.answered(home, number, "nightdesk incidents list")
    return {"number": number, "state": "taken" if state == "adopted" else state, "window": dict(body), "actor": actor.as_json()}


def _answer_text(value: Mapping[str, Any], done: str) -> str:
    return done if value["state"] == "taken" else "Recorded. The worker takes it as soon as it runs: nightdesk up"


def _list_text(found: list[dict[str, Any]], parts: Mapping[str, Any]) -> str:
    lines = [_line(window) for window in found] or ["No incident window was ever open."]
    return "\n".join([*lines, parts_text(parts)] if found and parts else lines)


def parts_text(parts: Mapping[str, Any]) -> str:
    """The desk's P&L and its two parts, in cents that sum."""
    whole, incident = (round(parts[name], 2) for name in ("whole", "incident"))
    made, apart, rest = (signed_text(value) for value in (whole, incident, whole - incident))
    return f"P&L since the start {made}: {rest} of the strategies, {apart} in incidents"


def _line(window: Mapping[str, Any]) -> str:
    end = "open" if window["closed_ms"] is None else f"to {utc(window['closed_ms'])}, closed by {shown(window['closed_by'])}"
    pnl = "P&L not known" if window["pnl"] is None else f"P&L {window['pnl']:+,.2f}"
    return f"{window['id']:<4} from {utc(window['opened_ms'])} {end}; {pnl}; {shown(window['cause'])}"


def _money_text(money: Mapping[str, Any]) -> str:
    """P&L and the two amounts that it is the sum of; fees, funding and orphans are parts of what is realised."""
    pnl, realised = round(float(money["pnl"]), 2), round(float(money["realised"]), 2)
    within = [f"fees of {money['fees']:,.2f}", f"funding {money['funding']:+,.2f}"]
    within += [f"orphans {money['orphans']:+,.2f}"] if money["orphans"] else []
    return f"P&L {pnl:+,.2f}: realised {realised:+,.2f} ({', '.join(within)} in it), open positions {pnl - realised:+,.2f}"


def _window_text(found: Mapping[str, Any]) -> str:
    lines = [_line(found), f"  opened by {shown(found['opened_by'])}: {', '.join(map(shown, found['causes']))}"]
    lines.append(f"  covers {', '.join([*found['sleeves'], *found['instruments']])}")
    if found["pnl"] is not None:
        lines.append(f"  {_money_text(found)}")
    lines += [f"  lesson: {shown(found['lesson'])}"] if found["lesson"] else []
    lines.append(f"  {len(found['orders'])} orders" + (f": {', '.join(found['orders'][-8:])}" if found["orders"] else ""))
    if found["lasting"]:
        lines.append(f"  cannot be closed yet: {', '.join(map(shown, found['lasting']))}")
    return "\n".join(lines)
