"""The route of the last audit of the desk's sleeves; read alone. Registered by app.api.factory."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from app.api.context import At, Who
from app.api.models import ApiModel, Texts
from app.views.audits import last_lines

router = APIRouter(prefix="/api", tags=["desk"])


class AuditLine(ApiModel):
    """One question of one sleeve with its answer; `evidence`: ids of events and runs, files, digests."""

    sleeve: str
    name: str
    dimension: Literal["data", "training", "backtest", "live"]
    question: str
    state: Literal["holds", "fails", "cannot_say", "does_not_apply"]
    why: str
    evidence: Texts


class AuditView(ApiModel):
    """The last audit, what fails first; `wall_ms` is null where none was made. `cannot_say` is not a pass."""

    wall_ms: int | None
    verdict: str
    items: list[AuditLine] = Field(max_length=5_000)


@router.get("/audit")
def audit(at: At, _: Who) -> AuditView:
    """The last audit that `nightdesk audit` or the weekly look has kept."""
    return AuditView(**last_lines(at.path))
