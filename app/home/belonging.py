"""Whether a home folder, its database and its journal belong together: the one id that all three carry.

Called by app.home.home at every opening, under the home's lock. `belonging` turns what the three say into an id, or into one line
that says what is where and what to do; it writes nothing. `keep` then gives the id to whichever of file and database lacks it.
A database that was lost, or restored from a copy older than the id, takes the home's id: the journal outranks it
(engine.control.agreement). One in another place that lacks the id is another desk's, or a forgotten setting.
"""

import json
import secrets
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from app.home.written import write_whole
from engine.errors import BadInput
from engine.store.chain import event_of
from engine.store.db import read, write
from engine.store.opened import open_journal
from engine.store.tables import HomeIdentity

FILE = "home.json"


class Belonging(NamedTuple):
    """The home's id, what file and database said of it, and where the database lies."""

    id: str
    in_file: str
    in_database: str
    database: str
    noted: str  # where the file says that the database lies
    fresh: bool  # a home that has never been opened


def belonging(home: Path, engine: Engine) -> Belonging:
    """The id of this home. Raises BadInput, one line, when folder, database and journal do not belong together."""
    in_file, noted = _of_file(home / FILE)
    in_database, in_journal = _of_database(engine), _of_journal(home / "journal" / "desk.jsonl")
    place = place_of(home, engine)
    if in_file and in_journal and in_file != in_journal:
        what = f"the folder {home} is {in_file}, its journal belongs to {in_journal}"
        raise BadInput(what, f"put back the journal of this home, or the {FILE} that belongs to the journal")
    mine = in_file or in_journal
    if mine and in_database and mine != in_database:
        hint = f"set NIGHTDESK_DATABASE_URL to this home's database ({noted or 'unset: desk.db in the home'}), or NIGHTDESK_HOME"
        raise BadInput(f"the home {home} is {mine}, the database {place} belongs to {in_database}", hint)
    if in_file and not in_database and place != noted:
        where = "unset NIGHTDESK_DATABASE_URL" if noted.startswith("sqlite:") else f"set NIGHTDESK_DATABASE_URL to {noted}"
        what = f"the home {home} keeps its desk in {noted}; {place} does not belong to it"
        raise BadInput(what, f"{where}; to move the desk, copy that database there first")
    if in_database and not mine:
        what = f"the database {place} belongs to the home {in_database}, which {home} is not"
        raise BadInput(what, f"set NIGHTDESK_HOME to that home; if this folder is its copy, put its {FILE} back")
    fresh = not (home / "desk.db").exists() and in_journal == "" and not (home / "journal" / "desk.jsonl").exists()
    return Belonging(mine or f"h-{secrets.token_hex(8)}", in_file, in_database, place, noted, fresh)


def keep(home: Path, engine: Engine, found: Belonging, now_ms: int) -> None:
    """Write the id where it is missing: the file first, so that a crash leaves no database that names an unknown home."""
    if (found.in_file, found.noted) != (found.id, found.database):
        write_whole(home / FILE, json.dumps({"home_id": found.id, "database": found.database}, indent=1) + "\n")
    if not found.in_database:
        with write(engine) as session:
            session.add(HomeIdentity(home_id=found.id, made_ms=now_ms))
        if not found.fresh:
            line = {
                "event": f"the database {found.database} carries the home's id from now on",
                "home_id": found.id,
                "wall_ms": now_ms,
            }
            with (home / "logs" / "home.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def _of_file(path: Path) -> tuple[str, str]:
    """(id, where the database lies) as the home's file says; empty without a file. Raises BadInput for an unreadable one."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return str(said["home_id"]), str(said["database"])
    except FileNotFoundError:
        return "", ""
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be read ({type(error).__name__})", "restore it from a copy of the home") from error


def _of_journal(path: Path) -> str:
    """The id in the journal's first configuration event; empty when there is none."""
    try:
        with open_journal(path) as file:
            event = event_of(file.readline().rstrip(b"\n"))
    except FileNotFoundError:
        return ""
    start = event.body.get("start") if event is not None and event.kind == "config" else None
    return str(start.get("home_id") or "") if isinstance(start, dict) else ""


def _of_database(engine: Engine) -> str:
    """The id in the database; empty when it has none. Nothing is written, and no file is made."""
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return ""
    try:
        if not inspect(engine).has_table(HomeIdentity.__tablename__):
            return ""
    except DBAPIError:
        return ""  # what cannot be opened is told by migrate
    with read(engine) as session:
        row = session.exec(select(HomeIdentity)).first()
        return row.home_id if row is not None else ""


def place_of(home: Path, engine: Engine) -> str:
    """Where the database lies, in words that hold when the home is moved and that name no password."""
    if engine.dialect.name != "sqlite":
        url = engine.url
        return f"postgresql://{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
    path = Path(engine.url.database or "").absolute()
    return f"sqlite:{path.relative_to(home.absolute()) if path.is_relative_to(home.absolute()) else path}"
