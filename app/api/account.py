"""Routes of the account that the desk trades, its sleeves' stages, a halt's progress; all read. Registered by app.api.factory.

A person probes, consents and moves stages at the command line (`nightdesk live`): no route here writes or reaches a venue.
"""

from fastapi import APIRouter

from app.api import models_account as m
from app.api.context import At, Who, now_ms
from app.people.stages import stage_rows
from app.views.account_page import account_of, halt_progress
from engine.control import halt

router = APIRouter(prefix="/api", tags=["account"])


@router.get("/account")
def account(at: At, _: Who) -> m.AccountView:
    """Gate, health, streams and polls, latency and probes of the account that the desk trades; on paper that there is none."""
    return m.AccountView(**account_of(at.home))


@router.get("/account/stages")
def stages(at: At, _: Who) -> m.StageList:
    """Where each sleeve is between paper and money, and what it lacks for its next stage, judged without a home before it."""
    return m.StageList(items=[m.StageView(**row) for row in stage_rows(at.home, "", now_ms())])


@router.get("/halt/progress")
def progress(at: At, _: Who) -> m.HaltProgress:
    """What the halt has cancelled and closed, and what is left; nothing while the desk is not halted."""
    latch = halt.read(at.path, at.engine)
    if not latch.halted:
        return m.HaltProgress(state=None, left=[], steps=[])
    return m.HaltProgress(**halt_progress(at.home, latch.since_ms or 0))
