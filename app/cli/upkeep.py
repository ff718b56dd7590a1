"""`nightdesk backup | restore | retention`: a copy of the whole home while it runs, a home out of one, and how long what grows is
kept. Called by app/cli/main.py.
"""

import time
from pathlib import Path
from typing import Any

import typer

from app.cli import out
from engine.clock import utc

JSON = typer.Option(False, "--json", help="one JSON object on stdout")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    retention = typer.Typer(no_args_is_help=True, help="How long logs, runs, recordings and requests are kept: show, apply.")
    retention.command("show")(show_retention)
    retention.command("apply")(apply_retention)
    app.add_typer(retention, name="retention")


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


def show_retention(as_json: bool = JSON) -> None:
    """What [retention] of desk.toml would remove, pack or turn over now, and which old runs are kept because something names
    them. Changes nothing."""
    from app.home.home import existing_home
    from app.upkeep.retention import plan

    home = existing_home()
    acts = plan(home, time.time_ns() // 1_000_000)
    of_desk = home.desk.retention.model_dump()
    items = [as_item(home.path, act) for act in acts]
    value = {"items": items, "retention": of_desk}
    ages = ", ".join(f"{name} {days:g}" for name, days in of_desk.items())
    out.emit(value, as_json=as_json, text=lambda: "\n".join([f"[retention] {ages}; 0 days: kept for ever.", *lines_of(items)]))


def apply_retention(as_json: bool = JSON) -> None:
    """Do now what the running desk does every six hours: remove, pack and turn over what [retention] of desk.toml says."""
    from app.home.home import existing_home
    from app.upkeep.retention import carry_out, keep_done, names, plan

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    acts = plan(home, now_ms)
    done = carry_out(acts, lambda: names(home, now_ms))
    keep_done(home, now_ms, done)
    failed = sum(act.act != "keep" for act in acts) - len(done)
    items = [as_item(home.path, act) for act in done]
    value = {"items": items, "failed": failed}
    more = [f"{failed} could not be done: is the disk full, or the home not yours?"] if failed else []
    out.emit(value, as_json=as_json, text=lambda: "\n".join([*lines_of(items), *more]))
    if failed:
        raise typer.Exit(1)


def as_item(home: Path, act: Any) -> dict[str, Any]:
    """One act, its path relative to the home."""
    return {**act._asdict(), "path": act.path.relative_to(home).as_posix()}


def lines_of(items: list[dict[str, Any]]) -> list[str]:
    """An act a line, and the sum."""
    freed = sum(item["bytes"] for item in items if item["act"] == "remove")
    lines = [f"{item['act']:<9} {item['kind']:<9} {item['bytes']:>13,}  {item['path']}: {item['why']}" for item in items]
    return (
        [*lines, f"{sum(item['act'] == 'remove' for item in items)} to remove, {freed:,} bytes."] if items else ["Nothing to do."]
    )
