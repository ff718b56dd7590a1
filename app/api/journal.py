"""Routes over the two journals: events newest first with filters, and one event's story. Reads from the end, in bounded pages."""

from typing import Literal

from fastapi import APIRouter, Path, Query

from app.api import models as m
from app.api import pages
from app.api.context import At, NotThere, Who
from app.views.event_story import story
from engine.store.chain import Event
from engine.store.journal import find
from tools.common.event_text import event_line, people_event_line

router = APIRouter(prefix="/api/journal", tags=["journal"])
EventId = Path(pattern=r"^[dp]-\d{1,15}$", examples=["d-123"])


@router.get("")
def events(
    at: At,
    _: Who,
    journal: Literal["desk", "people"] = "desk",
    kinds: str = Query("", max_length=200, description="comma-separated; empty: all"),
    sleeve: str = Query("", max_length=60),
    text: str = Query("", max_length=80),
    since_ms: int | None = Query(None, ge=0, le=1 << 52),
    until_ms: int | None = Query(None, ge=0, le=1 << 52),
    cursor: str = Query("", max_length=20),
    limit: int = Query(50, ge=1, le=500),
) -> m.Events:
    """Events, newest first. A page may hold fewer than `limit` although `next` is there: it looked at enough bytes."""
    path = at.home.desk_journal if journal == "desk" else at.home.people_journal
    names = [name.strip() for name in kinds.split(",") if name.strip()]
    wanted = pages.Wanted(names, sleeve, text, since_ms, until_ms, limit)
    before = pages.cursor_of(cursor)
    found = pages.page(path, wanted, pages.start_of(path, until_ms) if before is None else before)
    return m.Events(items=[event_said(e) for e in found.events], next=None if found.before is None else str(found.before))


@router.get("/{event_id}")
def one(at: At, _: Who, event_id: str = EventId) -> m.StorySaid:
    """One event, what led to it and what followed."""
    path = at.home.people_journal if event_id.startswith("p-") else at.home.desk_journal
    event = find(path, event_id)
    if event is None:
        raise NotThere(f"there is no event {event_id} in {path.name}", "see /api/journal")
    whole = story(path, event)
    near = {name: [event_said(Event(**_event(e))) for e in whole[name]] for name in ("before", "followed")}
    return m.StorySaid(event=event_said(event), **near)


def _event(shown: dict[str, object]) -> dict[str, object]:
    """What a story shows of an event, as the event's own fields."""
    return {key: value for key, value in shown.items() if key in Event._fields}


def event_said(e: Event) -> m.EventSaid:
    """An event as the API tells it: its envelope without the chain, and one line."""
    line = people_event_line(e) if e.id.startswith("p-") else event_line(e)
    kept = {name: getattr(e, name) for name in m.EventSaid.model_fields if name not in ("told", "body")}
    return m.EventSaid(**kept, body=dict(e.body), told=line)
