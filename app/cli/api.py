"""`nightdesk api`, `nightdesk login`, `nightdesk token`: run the API alone; log in a browser or a program."""

import os
import time
from pathlib import Path

import typer

from app.cli import out
from engine.clock import utc


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("api")(api)
    app.command("login")(login)
    app.command("token")(token)


def api(port: int = typer.Option(None, "--port", min=1, max=65535, help="default: [api] port of desk.toml, 8420")) -> None:
    """Serve the API until Ctrl-C (`nightdesk up` starts it too). It has no venue key."""
    from app.processes.children import allowed_api, api_command, home_of

    home = home_of(os.environ)
    command = api_command(home) + ([str(port)] if port else [])
    os.execve(command[0], command, allowed_api(os.environ, home))  # noqa: S606 - our own interpreter, in a clean environment


def login(
    as_name: str = typer.Option("", "--as", metavar="NAME", help="who you are (default: your OS account)"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Print a one-time link that logs a browser in."""
    from app.home.home import open_home
    from app.people.identity import NAME, NAME_HINT
    from engine.errors import BadInput

    if as_name and NAME.fullmatch(as_name.strip()) is None:
        raise BadInput(f"{as_name[:60]!r} is not a valid name", NAME_HINT)
    link = new_link(open_home().path, as_name.strip())
    out.emit({"url": link}, as_json=as_json, text=lambda: f"{link}\nIt works once and expires in twelve hours.")


def new_link(home: Path, name: str = "") -> str:
    """A one-time login link for a home's API, also written to its file login-link."""
    from app.people.sessions import Sessions, write_link
    from app.processes.children import LOOPBACK, ports

    code = Sessions(home).login_code(time.time_ns() // 1_000_000, name)
    link = f"http://{LOOPBACK}:{ports(home)[0]}/api/login?code={code}"
    write_link(home, link)
    return link


def token(
    name: str = typer.Option(..., "--name", help="the program that uses it: prometheus, backup"),
    read_only: bool = typer.Option(False, "--read-only", help="the token can read, but not halt, ask or decide"),
    days: int = typer.Option(365, "--days", min=1, max=3650),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Create a token for a program (`Authorization: Bearer TOKEN`), shown once. Decisions still need a person's name."""
    from app.home.home import open_home
    from app.people.identity import NAME, NAME_HINT
    from app.people.sessions import Sessions
    from engine.errors import BadInput

    if NAME.fullmatch(name) is None:
        raise BadInput(f"{name[:60]!r} is not a valid name", NAME_HINT)
    now_ms = time.time_ns() // 1_000_000
    secret, made = Sessions(open_home().path).open(name, "read" if read_only else "all", now_ms, days * 86_400_000)
    value = {"token": secret, "name": name, "scope": made.scope, "expires_ms": made.expires_ms}
    out.say(f"{name}: {'read-only' if read_only else 'full access'} until {utc(made.expires_ms)}. Shown once:")
    out.emit(value, as_json=as_json, text=lambda: secret)
