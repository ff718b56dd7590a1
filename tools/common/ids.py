"""Looks up ids. Called by tools that store ids a model gave (a forged one is refused) or read one event.

An id is a run's, a proposal's, a job's, an alert's (`al-3`), a configuration version (`v3`), or an event's of either journal
(`d-12`, `p-7`).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from engine.errors import Refused
from engine.store.chain import Event
from tools.common.contract import ToolContext, clean

_EVENT = re.compile(r"([dp])-(\d{1,12})")


def require_known(ctx: ToolContext, ids: Sequence[str]) -> None:
    """Raise Refused for the first id that names nothing of this desk."""
    for found in ids:
        if not exists(ctx, found):
            raise Refused(
                f"evidence {clean(found, 60)!r} is not a run, event, proposal, job, alert or configuration of this desk"
            )


def exists(ctx: ToolContext, found: str) -> bool:
    """Whether `found` names something of this desk."""
    from engine.control.config import FIRST
    from engine.store.db import read
    from engine.store.tables import Alert, ConfigVersion, Job, LevelWatch, Proposal, Run

    event = _EVENT.fullmatch(found)
    if event:
        return 1 <= int(event[2]) <= last_seq(ctx, "desk" if event[1] == "d" else "people")
    with read(ctx.engine) as session:
        if re.fullmatch(r"v\d{1,9}", found):
            return int(found[1:]) == FIRST or session.get(ConfigVersion, int(found[1:])) is not None
        return any(session.get(table, found) is not None for table in (Run, Proposal, Job, Alert, LevelWatch))


def find_event(ctx: ToolContext, event_id: str) -> Event | None:
    """The event of either journal (`d-12`, `p-7`); None for an unknown id."""
    from engine.store.journal import find

    return find(_journal(ctx, "people" if event_id.startswith("p-") else "desk"), event_id)


def _journal(ctx: ToolContext, name: str) -> Path:
    return ctx.home / "journal" / f"{name}.jsonl"


def last_seq(ctx: ToolContext, journal: str) -> int:
    """The sequence number of a journal's last whole record; 0 for an empty one."""
    from engine.errors import JournalBroken
    from engine.store.opened import head_of

    try:
        return head_of(_journal(ctx, journal)).seq
    except JournalBroken:
        return 0
