"""Routes of checklists: runbooks that people work through. Registered by app.api.factory.

Reading is everybody's; each act is a person's, whose role app.people.authority covers. The step's number is that of what the
person saw: one that another person has decided meanwhile is refused, never the next one decided in its place.
"""

from typing import Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from app.api import models as m
from app.api.context import At, Deciding, NotFound, Who, now_ms
from app.api.models_people import EmptyBody, RequestBody, Text
from app.people import checklists as people
from app.people.identity import REASON_MAX
from app.views.checklists import checklist_list, shown_checklist
from engine.control.checklists import STEPS_MAX, Checklist, StepReading, checklists_of

router = APIRouter(prefix="/api", tags=["checklists"])
ID = Path(max_length=12, pattern=r"^(cl-)?[0-9]{1,8}$")


class BeginBody(RequestBody):
    """A runbook, about an alert, an incident window, a sleeve or an account; without a name the alert's own."""

    runbook: str = Field("", max_length=41, pattern=r"^[a-z-]*$")
    about: str = Field("", max_length=60)


class DoneBody(RequestBody):
    """The step that the person saw as the current one, and what they saw."""

    step: int = Field(ge=1, le=STEPS_MAX)
    evidence: Text = Field("", max_length=REASON_MAX)


class RefuseBody(RequestBody):
    """The step that the person saw as the current one, and why it is not done."""

    step: int = Field(ge=1, le=STEPS_MAX)
    reason: Text = Field("", max_length=REASON_MAX)


class EndBody(RequestBody):
    """Why a checklist ends before its last step."""

    reason: Text = Field("", max_length=REASON_MAX)


class ChecklistList(m.ApiModel):
    """Newest first; of each current step what its checks read now."""

    items: list[dict[str, Any]]


@router.get("/checklists")
def listed(
    at: At, _: Who, about: str = Query("", max_length=60), open_only: bool = Query(default=True, alias="open")
) -> ChecklistList:
    """Checklists that are open, or all; of one subject or of every."""
    return ChecklistList(items=checklist_list(at.path, at.engine, now_ms(), about=about, ended=not open_only))


@router.post("/checklists", status_code=201)
def begin(at: At, actor: Deciding, body: BeginBody) -> dict[str, Any]:
    """Begin a runbook in the person's name."""
    return _shown(at, people.begin(at.home, body.runbook, body.about, actor, now_ms()))


@router.post("/checklists/{checklist_id}/look")
def look(at: At, actor: Deciding, body: EmptyBody, checklist_id: str = ID) -> dict[str, Any]:  # noqa: ARG001 - checked to be empty
    """Read the checks of the current step now."""
    one, readings = people.look(at.home, _there(at, checklist_id), actor, now_ms())
    return _shown(at, one, readings or None)


@router.post("/checklists/{checklist_id}/done")
def done(at: At, actor: Deciding, body: DoneBody, checklist_id: str = ID) -> dict[str, Any]:
    """Mark a step done; 409 where a check says no or cannot say, or the step is not the current one."""
    return _shown(at, people.done(at.home, _there(at, checklist_id), body.step, body.evidence, actor, now_ms()))


@router.post("/checklists/{checklist_id}/refuse")
def refuse(at: At, actor: Deciding, body: RefuseBody, checklist_id: str = ID) -> dict[str, Any]:
    """Refuse a step, with why."""
    return _shown(at, people.refuse(at.home, _there(at, checklist_id), body.step, body.reason, actor, now_ms()))


@router.post("/checklists/{checklist_id}/end")
def end(at: At, actor: Deciding, body: EndBody, checklist_id: str = ID) -> dict[str, Any]:
    """End a checklist before its last step."""
    return _shown(at, people.end(at.home, _there(at, checklist_id), body.reason, actor, now_ms()))


def _there(at: At, ident: str) -> str:
    """The id, of a checklist that is there."""
    key = f"cl-{ident.removeprefix('cl-')}"
    if key not in checklists_of(at.path):
        raise NotFound(f"no checklist {key}", "see /api/checklists")
    return key


def _shown(at: At, one: Checklist, readings: tuple[StepReading, ...] | None = None) -> dict[str, Any]:
    return shown_checklist(at.path, at.engine, now_ms(), one, readings)
