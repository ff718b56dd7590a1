"""Routes of the two journals: events newest first with filters, and one event with causes and consequences. Reads bounded pages
from the end. Registered by app.api.factory."""

from typing import Any, Literal

from fastapi import APIRouter, Path, Query

from app.api import models as m
from app.api import pages
from app.api.context import At, NotFound, Who
from app.api.models_incidents import EventStory, OrderView
from app.views.event_story import story
from engine.store.chain import Event
from engine.store.journal import find
from tools.common.event_text import event_line, is_routine, people_event_line

router = APIRouter(prefix="/api/journal", tags=["journal"])
EventId = Path(max_length=17, pattern=r"^[dp]-[0-9]{1,15}$", examples=["d-123"])


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
    """Events, newest first. A page may hold fewer than `limit` events although `next` is set: its read limit was reached."""
    path = at.home.desk_journal if journal == "desk" else at.home.people_journal
    names = [name.strip() for name in kinds.split(",") if name.strip()]
    wanted = pages.EventFilter(names, sleeve, text, since_ms, until_ms, limit)
    before = pages.cursor_of(cursor)
    found = pages.page(path, wanted, pages.start_of(path, until_ms) if before is None else before)
    return m.Events(items=[event_view(e) for e in found.events], next=None if found.before is None else str(found.before))


@router.get("/{event_id}")
def one(at: At, _: Who, event_id: str = EventId) -> EventStory:
    """One event, what led to it and what followed; of an order's event, the order's life."""
    path = at.home.people_journal if event_id.startswith("p-") else at.home.desk_journal
    event = find(path, event_id)
    if event is None:
        raise NotFound(f"unknown event {event_id} in {path.name}", "see /api/journal")
    found = story(path, event)
    near = {name: [event_view(Event(**_event(e))) for e in found[name]] for name in ("before", "followed")}
    life = OrderView.model_validate(found["order"]) if "order" in found else None
    return EventStory(event=event_view(event), order=life, **near)


def _event(shown: dict[str, Any]) -> dict[str, Any]:
    """A story's event JSON as the event's own fields."""
    return {key: value for key, value in shown.items() if key in Event._fields}


def event_view(e: Event) -> m.EventView:
    """The API's view of an event: its fields without the hash chain, and one line of text."""
    line = people_event_line(e) if e.id.startswith("p-") else event_line(e)
    kept = {name: getattr(e, name) for name in m.EventView.model_fields if name not in ("told", "body", "routine")}
    return m.EventView(**kept, body=dict(e.body), told=line, routine=is_routine(e))
