"""Routes of watches: levels to hear about, and a person's add, confirm and remove. Registered by app.api.factory."""

from typing import Any

from fastapi import APIRouter, Path
from pydantic import Field

from app.api import models as m
from app.api.context import At, Deciding, NotFound, Who, now_ms
from app.api.models_people import EmptyBody, RequestBody
from app.people import watches as people
from app.views.watches import watch_list
from engine.control.watches import LEVEL_MAX, view, wish_of
from engine.errors import BadInput

router = APIRouter(prefix="/api", tags=["watches"])
ID = Path(max_length=12, pattern=r"^(w-)?[0-9]{1,9}$")


class WatchBody(RequestBody):
    """A level to watch: `metric` price, day_pnl or equity; `subject` a symbol, a sleeve, or desk; `beyond` below or above."""

    metric: str = Field(max_length=20)
    subject: str = Field(max_length=60)
    beyond: str = Field(max_length=10)
    level: float = Field(ge=-LEVEL_MAX, le=LEVEL_MAX, allow_inf_nan=False)


class WatchList(m.ApiModel):
    """Those in force and those that wait for a person, newest first, each with its value at desk time."""

    items: list[dict[str, Any]]


@router.get("/watches")
def watches(at: At, _: Who) -> WatchList:
    """Watches and where each stands; `state` asked: it waits for a person."""
    return WatchList(items=watch_list(at.path, at.engine, now_ms()))


@router.post("/watches", status_code=201)
def add(at: At, actor: Deciding, body: WatchBody) -> dict[str, Any]:
    """Watch a level in the person's name."""
    wish = wish_of(at.engine, at.path, body.metric, body.subject, body.beyond, body.level)
    return view(people.add(at.home, wish, actor, now_ms()))


@router.post("/watches/{watch_id}/confirm")
def confirm(at: At, actor: Deciding, body: EmptyBody, watch_id: str = ID) -> dict[str, Any]:  # noqa: ARG001 - checked to be empty
    """Put a watch in force that was asked for in a chat."""
    try:
        return view(people.confirm(at.home, watch_id, actor, now_ms()))
    except BadInput as error:
        raise NotFound(error.what, "see /api/watches") from None


@router.post("/watches/{watch_id}/remove")
def remove(at: At, actor: Deciding, body: EmptyBody, watch_id: str = ID) -> dict[str, Any]:  # noqa: ARG001 - checked to be empty
    """End a watch, or what was asked for."""
    try:
        return view(people.remove(at.home, watch_id, actor, now_ms()))
    except BadInput as error:
        raise NotFound(error.what, "see /api/watches") from None
