"""`nightdesk people ...`: who may do what, and who did. Called by app/cli/main.py."""

import time
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out, people_on_call
from app.cli.words import shown
from engine.clock import utc

if TYPE_CHECKING:
    from app.home.home import Home
    from app.people.identity import Actor

JSON = typer.Option(False, "--json")
AS = typer.Option("", "--as", metavar="NAME", help="the admin who does it (asked for when it is left out)")
NAME = typer.Argument(..., metavar="NAME")
NOBODY = (
    "Nobody is registered: every name is believed, and everybody may do everything. One person needs no more.\n"
    "The first to be added is admin: nightdesk people add NAME --passphrase"
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(invoke_without_command=True, callback=all_people, help="People: who may do what, and who did.")
    for name, command in (
        ("list", list_people),
        ("show", show),
        ("add", add),
        ("role", role),
        ("remove", remove),
        ("two-people", two),
        ("link-telegram", link_telegram),
        ("on-call", people_on_call.on_call),
        ("rota", people_on_call.show_rota),
    ):
        group.command(name)(command)
    app.add_typer(group, name="people")


def now() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


def all_people(ctx: typer.Context, as_json: bool = JSON) -> None:
    """Without a command: the list."""
    if ctx.invoked_subcommand is None:
        list_people(as_json)


def list_people(as_json: bool = JSON) -> None:
    """List people with their roles, and what each role may do."""
    from app.home.home import existing_home
    from app.people import authority
    from app.people.identity import ROLES, two_people
    from app.people.register import people_rows

    home = existing_home()
    value = {
        "items": people_rows(home),
        "two_people": two_people(home.path),
        "roles": {role: authority.acts_for(role) for role in ROLES},
    }
    out.emit(value, as_json=as_json, text=lambda: _list_text(value))


def _list_text(value: dict[str, Any]) -> str:
    """A line a person, then a line a role."""
    lines = [
        f"{shown(item['name']):<20} {item['role']:<9} {item['acts']:>6} acts, last "
        f"{utc(item['last_ms']) if item['last_ms'] else 'none'}"
        + (f", {item['claimed']} in this name without proof" if item["claimed"] else "")
        + "".join(f", {word}" for word in ("passphrase", "slack", "telegram") if item[word])
        for item in value["items"]
    ] or [NOBODY]
    both = ["What loosens a live sleeve takes two people."] if value["two_people"] else []
    before: list[str] = []
    for role, acts in value["roles"].items():
        more = [act for act in acts if act not in before]
        lines.append(f"{role}: {'all of that, and ' if before else ''}{', '.join(more)}")
        before = acts
    return "\n".join([*lines, *both])


def show(name: str = NAME, limit: int = typer.Option(30, "--limit", min=1, max=200), as_json: bool = JSON) -> None:
    """Show what a person may do, and what they did, from the people journal."""
    from app.home.home import existing_home
    from app.people.identity import read_people
    from app.people.register import acts_of_role, is_claimed, story_of
    from engine.errors import BadInput
    from tools.common.event_text import people_event_line

    home = existing_home()
    people = read_people(home.path)
    did = story_of(home, name, limit)
    if name not in people and not did:
        raise BadInput(f"{name[:60]!r} is not registered and has done nothing here", "nightdesk people list")
    held = people[name].role if name in people else "viewer" if people else "admin"
    events = [
        {"id": e.id, "kind": e.kind, "t_ms": e.t_event_ms, "text": people_event_line(e), "claimed": is_claimed(e.body)}
        for e in did
    ]
    acts = acts_of_role(held)
    value = {"name": name, "registered": name in people, "role": held, "acts": acts, "events": events}
    lines = [f"{shown(name)}: {held}{'' if name in people else ', not registered'}"]
    lines += [f"  {'may' if act['may'] else 'may not':<8}{act['act']:<12} {act['about']}" for act in acts]
    lines += [
        f"  {utc(e['t_ms'])}  {e['kind']:<11} {shown(e['text'])} ({e['id']}{', CLAIMED: not proven' if e['claimed'] else ''})"
        for e in events
    ]
    out.emit(value, as_json=as_json, text=lambda: "\n".join(lines))


def add(
    name: str = NAME,
    passphrase: bool = typer.Option(False, "--passphrase", help="also set the passphrase needed to release a halt"),
    role: str = typer.Option("", "--role", help="viewer (default), operator, approver, admin; the first person is admin"),
    as_name: str = AS,
) -> None:
    """Issue a token for NAME; from then on every name needs its own. The token is shown once and stored nowhere."""
    from app.home.home import open_home
    from app.people import register
    from app.people.identity import ROLES, TOKEN_VARIABLE, read_people
    from engine.errors import BadInput

    home, given = open_home(), next((one for one in ROLES if one == role), None)
    if role and given is None:
        raise BadInput(f"unknown role {role[:40]!r}", f"roles: {', '.join(ROLES)}")
    people = read_people(home.path)
    if people and name not in people and not as_name:
        as_name = typer.prompt("your own name", err=True)
    elif name in people and as_name in ("", name):
        from app.people.identity import identify

        identify(home.path, name, "cli")  # before a passphrase is typed
    word = typer.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True) if passphrase else ""
    token, held = register.add(home, name, word, given, as_name, now())
    out.say(
        f"{name} is now in {home.path / 'people.toml'}, as {held}. Set {TOKEN_VARIABLE} to this token; it is not shown again:"
    )
    typer.echo(token)


def role(name: str = NAME, to: str = typer.Argument(..., metavar="ROLE"), as_name: str = AS, as_json: bool = JSON) -> None:
    """Give NAME another role: viewer, operator, approver or admin."""
    from app.people import register
    from app.people.identity import ROLES
    from engine.errors import BadInput

    given = next((one for one in ROLES if one == to), None)
    if given is None:
        raise BadInput(f"unknown role {to[:40]!r}", f"roles: {', '.join(ROLES)}")
    home, actor = _admin(as_name)
    before = register.give_role(home, name, given, actor, now())
    value = {"name": name, "before": before, "role": given, "actor": actor.as_json()}
    out.emit(value, as_json=as_json, text=lambda: f"{name} is {given} now (was {before}), by {actor.name}.")


def remove(name: str = NAME, as_name: str = AS, as_json: bool = JSON) -> None:
    """Take NAME off the list: token and linked accounts decide nothing from now on, sessions are closed."""
    from app.people import register

    home, actor = _admin(as_name)
    register.remove(home, name, actor, now())
    value = {"name": name, "removed": True, "actor": actor.as_json()}
    out.emit(value, as_json=as_json, text=lambda: f"{name} is removed, by {actor.name}. What they did stays in the journal.")


def two(word: str = typer.Argument(..., metavar="on|off"), as_name: str = AS, as_json: bool = JSON) -> None:
    """Ask for two different people to approve what loosens a live sleeve, or no longer."""
    from app.people import register
    from engine.errors import BadInput

    if word not in ("on", "off"):
        raise BadInput(f"unknown word {word[:40]!r}", "on or off")
    home, actor = _admin(as_name)
    register.ask_for_two(home, actor, now(), both=word == "on")
    value = {"two_people": word == "on", "actor": actor.as_json()}
    text = f"What loosens a live sleeve takes {'two people' if word == 'on' else 'one person'} now, by {actor.name}."
    out.emit(value, as_json=as_json, text=lambda: text)


def link_telegram(name: str = NAME, user: str = typer.Option(..., "--user", help="the account's number, 123456789")) -> None:
    """Let a Telegram account decide as NAME. Needs NAME's own token."""
    from app.home.home import existing_home
    from app.people import register

    register.link(existing_home(), name.strip(), "telegram", user, now())
    typer.echo(f"{name} can now approve what tightens in Telegram, as account {user}.")


def _admin(as_name: str) -> "tuple[Home, Actor]":
    """(the home, who acts), proven by their token."""
    from app.home.home import existing_home
    from app.people.identity import identify

    home = existing_home()
    return home, identify(home.path, as_name or typer.prompt("your own name", err=True), "cli")
