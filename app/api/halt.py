"""Routes of the kill switch. The latch file is written on the event loop itself, before anything blocks: busy worker threads,
a busy database or a slow disk do not delay a halt. Registered by app.api.factory."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fastapi import APIRouter

from app.api import models as m
from app.api import models_people as p
from app.api.context import ApiContext, At, Channel, Deciding, Who, now_ms
from app.api.desk import latch_view
from app.people import approvals
from app.people.identity import Actor, os_user
from app.people.release_checks import healthy
from engine.control import halt
from engine.errors import DeskError

router = APIRouter(prefix="/api/halt", tags=["halt"])
_AFTER = ThreadPoolExecutor(1, "halt")  # a thread reserved for halts


@router.get("")
def latch(at: At, _: Who) -> m.LatchView:
    """Whether the desk is halted: by file, by database, or because either cannot be read."""
    return latch_view(halt.read(at.path, at.engine))


@router.post("")
async def set_halt(at: At, session: Who, channel: Channel, body: p.HaltBody | None = None) -> m.LatchView:
    """Halt the desk now. Any session that is not read-only may; an unproven name is recorded as claimed."""
    reason = halt.reason_of(" ".join((body.reason if body else "").split()))
    by = Actor(session.name or os_user(), "claimed", os_user(), channel).as_json()
    seen = halt.set(at.path, reason, by, now_ms())  # the file only, durably; row and journal follow in their own thread
    asyncio.get_running_loop().run_in_executor(_AFTER, _spread, at, reason, by)
    return latch_view(seen)


def _spread(at: ApiContext, reason: str, by: dict[str, str]) -> None:
    """Record the halt in the database and the people journal. The file holds even if both fail; they follow when they can."""
    at_ms = now_ms()
    for work in (partial(_set_row, at, reason, by, at_ms), partial(_journal, at, reason, by, at_ms)):
        try:
            work()
        except (DeskError, OSError):
            at.running.posting.once_there_is_room(work)


def _set_row(at: ApiContext, reason: str, by: dict[str, str], at_ms: int) -> None:
    """The database's half, unless a person has released the halt meanwhile; and the reason, if the disk had no room for it."""
    if halt.read(at.path).halted:
        halt.set_row(at.engine, reason, by, at_ms)


def _journal(at: ApiContext, reason: str, by: dict[str, str], at_ms: int) -> None:
    approvals.record(at.home, "halt", {"reason": reason, "actor": by}, at_ms)


@router.delete("")
def release(at: At, actor: Deciding, body: p.ReleaseBody) -> p.Released:
    """Release the halt, if the health checks pass; 409 with what is unhealthy."""
    _AFTER.submit(int).result()  # wait until a halt of a moment ago has its row, so that both are released
    seen = approvals.release(at.home, actor, body.reason, lambda: healthy(at.home), now_ms(), body.passphrase)
    who: Any = p.ActorView.model_validate(actor.as_json())
    return p.Released(released=latch_view(seen), actor=who)
