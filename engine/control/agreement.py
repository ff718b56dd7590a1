"""Whether the database agrees with the desk journal, which outranks it: halt, version, anchors.

Called by engine.live.controls before the desk follows either, by approvals for a rollback, and by `doctor` and
`journal verify`, which print every difference. Turns the journal's last word and rows of the database into a release, a
reason not to follow a version, or lines for a person. A database that was lost, or restored from an older copy, knows less
than the journal: it must not release a halt, nor take the desk back to an older version, without a row that names a person.
"""

import json
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, select

from engine.control import halt
from engine.control.config import active_version, stored
from engine.errors import DeskError
from engine.store.anchors import JOURNALS, anchor_fault
from engine.store.chain import Event
from engine.store.db import read
from engine.store.lookback import last
from engine.store.tables import Active, ConfigVersion, Halt

COMMAND_MS = 600_000  # a release command reads the clock before its person has typed a passphrase
DRAWDOWN = "desk drawdown"  # the breaker that halts by itself
LOST_VERSION_ACTION = (
    "restore a newer copy of the database, or accept what it holds (nightdesk proposals rollback VERSION --as NAME); then release"
)


class Release(NamedTuple):
    """A release that the database holds: who, and why."""

    by: str
    reason: str


def halt_of(journal: Path) -> Event | None:
    """The journal's last halt or release; a drawdown breaker halts too."""
    return last(journal, ("halt", "breaker"), lambda e: e.kind == "halt" or e.body.get("breaker") == DRAWDOWN)


def version_of(journal: Path) -> Event | None:
    """The journal's last configuration event of the whole desk."""
    return last(journal, ("config",), lambda e: "sha256" in e.body)


class Followed(NamedTuple):
    """The versions that the desk last followed: its own, and each sleeve's. 0 and none before it began."""

    version: int
    sleeves: dict[str, int]


def followed(home: Path) -> Followed:
    """What the desk last followed. New versions get higher numbers, also in a database that knows of fewer."""
    event = version_of(home / "journal" / "desk.jsonl")
    if event is None:
        return Followed(0, {})
    sleeves = {str(s["name"]): int(s.get("version", 0)) for s in event.body.get("sleeves", ())}
    return Followed(int(event.body.get("version", 0)), sleeves)


def version_run(home: Path) -> int | None:
    """The version that the desk runs, by its last bar or adoption; None before its first bar."""
    mark = last(home / "journal" / "desk.jsonl", ("mark",))
    return None if mark is None else mark.body.get("version")


def release_of(engine: Engine, halted: Event, reason: str, by: str) -> Release | None:
    """The release by a named person of the halt that the journal knows; None when the database holds none.

    An older release does not count: it came before the halt was journaled. Only a release of a halt with the same reason and
    author may carry a time up to COMMAND_MS earlier.
    """
    since_ms = halted.t_recv_ms
    late = select(Halt).where(col(Halt.released_ms) >= since_ms - COMMAND_MS).order_by(col(Halt.released_ms).desc())
    with read(engine) as session:
        for row in session.exec(late).all():
            same = row.reason == reason and name_in(row.set_by) == by
            if name_in(row.released_by) and (same or (row.released_ms or 0) >= since_ms):
                return Release(name_in(row.released_by), row.release_reason or "")
    return None


def lost_version(engine: Engine, journal: Path, version: int, sha256: str, active: int) -> str:
    """Why the desk, which follows `version` with this digest, cannot follow the database's `active` one; "" when it can."""
    with read(engine) as session:
        row, known = session.get(ConfigVersion, active), session.get(ConfigVersion, version)
        if row is None and session.get(Active, 1) is None:
            why = f"the database holds no version, the journal follows version {version}"
        elif row is None:
            why = f"the database says version {active} is in force and does not hold it"
        elif active < version:
            why = f"the database has version {active} in force, the journal follows version {version}"
        elif known is None or known.sha256 != sha256:
            why = f"the database's version {version} is not the one that the journal follows"
        else:
            return ""
        if row is None or row.rollback_of is None or not name_in(row.made_by):
            return why
        older = session.get(ConfigVersion, row.rollback_of)
        equal = older is not None and older.sha256 == row.sha256
        adopted = version_of(journal)
        newer = adopted is not None and row.created_ms >= adopted.t_recv_ms
        return "" if equal and newer else why


def unreadable(engine: Engine, version: int) -> str:
    """Why a version of the database cannot be read whole, its sleeves included; "" when it can, or none is written yet."""
    with read(engine) as session:
        if session.get(Active, 1) is None:
            return ""
        try:
            stored(session, version)
        except DeskError as error:
            return error.what
    return ""


def name_in(text: str | None) -> str:
    """The name in an actor's JSON; empty when it names nobody."""
    try:
        return str(json.loads(text or "{}").get("name") or "").strip()
    except (ValueError, AttributeError):
        return ""


def differs(engine: Engine, journal: Path) -> str:
    """Why the database's version cannot be followed by the desk of this journal; "" when it can, or nothing has begun."""
    event = version_of(journal)
    if event is None:
        return ""
    return lost_version(engine, journal, int(event.body["version"]), str(event.body["sha256"]), active_version(engine))


def differences(home: Path, engine: Engine) -> list[str]:
    """Every point in which journal and database contradict each other, one line each, with what to do."""
    journal, found = home / "journal" / "desk.jsonl", []
    for look in (version_line, _halt_line):
        try:
            found.append(look(home, engine, journal))
        except DeskError as error:
            found.append(f"{error}")
    found += [anchor_fault(home / "journal" / f"{name}.jsonl", engine, name) for name in JOURNALS]
    return [line for line in found if line]


def version_line(_home: Path, engine: Engine, journal: Path) -> str:
    """Why the desk of this journal follows no version of the database, with what to do; "" when it follows one."""
    why = differs(engine, journal)
    if why:
        return f"version: {why}; {LOST_VERSION_ACTION}"
    found = unreadable(engine, active_version(engine))
    return f"version: {found}; restore a copy of the database, then release" if found else ""


def _halt_line(home: Path, engine: Engine, journal: Path) -> str:
    """A halt that only the journal knows. (A latch that the journal does not know yet is followed before the next bar.)"""
    event = halt_of(journal)
    if event is None or event.body.get("state") == "released" or halt.read(home, engine).halted:
        return ""
    reason, by = halt_words(event)
    if release_of(engine, event, reason, by) is not None:
        return ""
    return f"halt: the journal says halted by {by} ({reason}), neither file nor database does, and no release names a person"


def halt_words(event: Event) -> tuple[str, str]:
    """(reason, by) of a halt or of the breaker that halts by itself."""
    if event.kind == "breaker":
        return "desk drawdown breaker", "guardrail"
    return str(event.body.get("reason", "")), str(event.body.get("by", ""))
