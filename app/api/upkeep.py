"""Routes of what looks after the desk by itself: what fell silent, the monitor's notes, backup and retention; read alone, each
from what was kept. Registered by app.api.factory.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from app.api.context import At, Who
from app.api.models import ApiModel, Number, Texts
from app.notify.monitor_notes import monitor_of
from app.views import upkeep as views

router = APIRouter(prefix="/api", tags=["desk"])


class SilenceCounts(ApiModel):
    """How many of what should happen again and again stand how; `cannot_tell` is not a pass."""

    silent: int
    cannot_tell: int
    as_expected: int


class SilenceLine(ApiModel):
    """Something that should have happened again: its sleeve, instrument or series, and the sentence with its counts."""

    kind: str
    place: str
    name: str
    state: Literal["silent", "cannot tell"]
    text: str
    why: str


class SilencesView(ApiModel):
    """The last look, what is silent first; `wall_ms` is null before the first look."""

    wall_ms: int | None
    counts: SilenceCounts
    items: list[SilenceLine] = Field(max_length=views.SILENCES_MAX)


class MonitorNote(ApiModel):
    """A note that a model wrote by itself: only sentences that were proven; `left_out`: how many were not."""

    turn: str
    at_ms: int
    text: str
    model: str
    left_out: int = 0
    tokens: int = 0


class MonitorView(ApiModel):
    """The monitor's setting (`every_minutes` 0: it is off), what its last look came to, its notes, newest first."""

    every_minutes: int
    after_alerts: bool
    tokens_day: int
    to: Texts
    last_ms: int | None
    why: str | None
    items: list[MonitorNote]


class BackupMade(ApiModel):
    """The last backup of this home. Whether the file is still there is not asked."""

    file: str
    made_ms: int
    files: int | None
    bytes: int | None


class KindKept(ApiModel):
    """What a kind of files took at the last look (null before one), and for how many days it is kept; 0: for ever."""

    kind: str
    days: float
    files: int | None
    bytes: int | None


class UpkeepView(ApiModel):
    """Backup and retention: `backup` is null where none is known; `removed` and `freed` (bytes) are of the last look."""

    backup: BackupMade | None
    looked_ms: int | None
    removed: int | None
    freed: int | None
    log_megabytes: Number
    items: list[KindKept]


@router.get("/silences")
def silences(at: At, _: Who) -> SilencesView:
    """What fell silent, and what cannot be judged yet: the last look of the supervisor or of `nightdesk silences`."""
    return SilencesView.model_validate(views.silences_of(at.home))


@router.get("/monitor")
def monitor(at: At, _: Who) -> MonitorView:
    """The notes that a model wrote by itself, and why there is none."""
    return MonitorView.model_validate(monitor_of(at.home))


@router.get("/upkeep")
def upkeep(at: At, _: Who) -> UpkeepView:
    """When the last backup was made, what everything takes, and how long it is kept."""
    return UpkeepView.model_validate(views.upkeep_of(at.home))
