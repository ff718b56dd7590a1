"""`nightdesk backup | restore`: a copy of the whole home while it runs, and a home out of one. Called by app/cli/main.py."""

import time
from pathlib import Path

import typer

from app.cli import out
from engine.clock import utc

JSON = typer.Option(False, "--json", help="one JSON object on stdout")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(file: Path = typer.Argument(..., metavar="FILE", help="a new file: desk.tar.zst"), as_json: bool = JSON) -> None:
    """Copy this home into one file, also while the desk runs: configuration, database, journals, memory, runs, models, data. No
    keys, no sessions."""
    from app.home.home import existing_home
    from app.upkeep.backup import lines_of, make_backup

    found = make_backup(existing_home(), file, time.time_ns() // 1_000_000)
    out.emit(found, as_json=as_json, text=lambda: lines_of(found))


def restore(
    file: Path = typer.Argument(..., metavar="FILE", help="what `nightdesk backup` wrote"),
    check: bool = typer.Option(False, "--check", help="only read it whole and compare every digest"),
    as_json: bool = JSON,
) -> None:
    """Make a home out of a backup, where NIGHTDESK_HOME says: digests and chains are checked before anything is used. Refused
    where the home has something, or the backup is of a newer Nightdesk."""
    from app.people.identity import os_user
    from app.upkeep import restore as restoring

    if check:
        found = restoring.check_backup(file)
        whole = f"{file} is whole: {len(found['files'])} files of home {found['home_id']}, made {utc(found['made_ms'])}."
        out.emit(found, as_json=as_json, text=lambda: whole)
        return
    actor = {"name": os_user(), "assurance": "claimed", "os_user": os_user(), "channel": "cli"}
    found = restoring.restore(file, actor, time.time_ns() // 1_000_000)
    lines = [f"{found['home']} is the desk {found['home_id']} of {utc(found['made_ms'])}: {found['files']} files, chains whole."]
    lines += ["Its database was brought up to this version."] if found["migrated"] else []
    lines += [f"It read recorded data in {found['data']}: set NIGHTDESK_DATA to its place here."] if found["data"] else []
    lines += ["It traded an account and is HALTED: stop the other desk first, see docs/backups.md."] if found["halted"] else []
    out.emit(found, as_json=as_json, text=lambda: "\n".join([*lines, "Start it: nightdesk up"]))
