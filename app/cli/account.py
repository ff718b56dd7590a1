"""`nightdesk account list | check NAME`: accounts at venues. Called by app/cli/main.py.

`list` reads desk.toml. `check` starts a process of its own that reads the keys and asks the venue
(app/processes/account_check.py): this command never holds a key.
"""

import json
import os
import subprocess
from typing import Any

import typer

from app.cli import out
from engine.errors import BadInput, DataError

WAIT_S = 300.0  # for all questions together; each has a limit of its own
NOT_LISTED = "not listed:"  # of an instrument: what the venue answers about its settings says no more
WORDS = {True: "ok", False: "bad"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Accounts at venues: what desk.toml names, and whether one is fit to trade.")
    group.command("list")(list_accounts)
    group.command("check")(check)
    app.add_typer(group, name="account")


def list_accounts(as_json: bool = typer.Option(False, "--json")) -> None:
    """The accounts of desk.toml: venue, mode, where the keys are (never a key), sleeves meant for it."""
    from app.home.accounts import meant_for
    from app.home.home import existing_home

    home = existing_home()
    items = [
        {
            "name": name,
            "venue": entry.venue,
            "mode": entry.mode,
            "margin": entry.margin,
            "leverage": entry.leverage,
            "keys": entry.source,
            "unset": [variable for variable in entry.variables if variable and not os.environ.get(variable)],
            "sleeves": [one.name for one in meant_for(name, home.desk.sleeves, (), home.desk.account)],
        }
        for name, entry in home.desk.accounts.items()
    ]
    out.emit({"items": items}, as_json=as_json, text=lambda: list_text(items))


def list_text(items: list[dict[str, Any]]) -> str:
    """A line an account."""
    lines = []
    for item in items:
        unset = f" (not set here: {', '.join(item['unset'])})" if item["unset"] and item["mode"] != "paper" else ""
        meant = ", ".join(item["sleeves"]) or "none"
        place = f"{item['venue']}, {item['mode']}, {item['margin']}, leverage {item['leverage']}"
        lines.append(f"{item['name']}: {place}; keys: {item['keys']}{unset}; sleeves: {meant}")
    return "\n".join(lines) or "desk.toml has no accounts: every sleeve is on paper. See docs/accounts.md."


def check(
    name: str = typer.Argument(..., metavar="NAME", help="of [accounts.NAME] in desk.toml"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Is the account fit to trade? Asks the venue, changes nothing there. Exit code 1 when something that must hold does not."""
    from app.processes.children import account_check_command, allowed_worker, home_of

    environment = allowed_worker(os.environ, home_of(os.environ))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            account_check_command(name),
            env=environment,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=WAIT_S,
            check=False,
        )
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        what = f"the check of {name[:60]} gave no answer ({type(error).__name__})"
        raise DataError(what, "try again; the lines above say what it met") from None
    if "error" in found:
        raise BadInput(found["error"]["what"], found["error"]["hint"])
    out.emit(found, as_json=as_json, text=lambda: report_text(found))
    if not found["ok"]:
        raise typer.Exit(1)


def report_text(found: dict[str, Any]) -> str:
    """The verdict, then a line for each row that was asked for, and how many were not."""
    unlisted = [row["name"].partition(" ")[2] for row in found["checks"] if NOT_LISTED in (row["found"] or "")]
    rows = [row for row in found["checks"] if row["found"] is not None and not _is_beside(row["name"], unlisted)]
    skipped = len(found["checks"]) - len(rows)
    verdicts = {
        "trade": "fit to trade",
        "attach": "not fit to trade: its key only reads, it may be looked at",
        "nothing": "not fit to trade",
    }
    lines = [f"{found['account']} ({found['venue']}, {found['mode']}): {verdicts[found['may']]}"]
    lines += [row_text(row) for row in rows]
    return "\n".join(lines + ([f"not asked: {skipped} more"] if skipped else []))


def _is_beside(row: str, unlisted: list[str]) -> bool:
    """Whether a row says once more that its instrument is not listed."""
    what, _, symbol = row.partition(" ")
    return what != "instrument" and symbol in unlisted


def row_text(row: dict[str, Any]) -> str:
    """A row; what is wanted only where it does not hold."""
    state = WORDS[row["ok"]] if row["must"] or row["ok"] else "warning"
    wanted = "" if row["ok"] else f"; wanted: {row['wanted']}"
    return f"  {state:<8}{row['name']}: {row['found']}{wanted}"
