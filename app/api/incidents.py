"""Routes of incident windows, differences from the venue and orders' lives; all of them read. Registered by app.api.factory.

A person decides at the command line (`nightdesk incidents`, `nightdesk adopt`): no route here writes.
"""

from fastapi import APIRouter, Path, Query

from app.api import models_incidents as m
from app.api.context import At, NotFound, Who
from app.views.incidents import incident, incident_list, pnl_parts, reconciliation
from engine.errors import BadInput
from engine.watch.order_lives import life_of, recent_lives
from engine.watch.window import journal_of

router = APIRouter(prefix="/api", tags=["incidents"])
WindowId = Path(max_length=12, pattern=r"^w[0-9]{1,10}$", examples=["w1"])
ClientId = Path(max_length=64, pattern=r"^[A-Za-z0-9]+$", examples=["ndmpj600000002E00"])


@router.get("/incidents")
def windows(at: At, _: Who, limit: int = Query(50, ge=1, le=500)) -> m.IncidentList:
    """Incident windows, newest first, and the desk's P&L parted into incidents and strategies."""
    path = journal_of(at.path)
    found, parts = incident_list(path), pnl_parts(path)
    items = [m.IncidentView(**window) for window in found[:limit]]
    return m.IncidentList(items=items, total=len(found), pnl=m.PnlPartsView(**parts) if parts else None)


@router.get("/incidents/{window}")
def one(at: At, _: Who, window: str = WindowId) -> m.IncidentStory:
    """One window with its orders, and what keeps it from being closed."""
    try:
        return m.IncidentStory(**incident(journal_of(at.path), window))
    except BadInput as error:
        raise NotFound(error.what, "see /api/incidents") from None


@router.get("/reconcile")
def reconcile(at: At, _: Who) -> m.Reconciliation:
    """What desk and venue differ in, with the choices of a person; whether entries are blocked."""
    return m.Reconciliation(**reconciliation(journal_of(at.path)))


@router.get("/orders")
def orders(
    at: At,
    _: Who,
    sleeve: str = Query("", max_length=60),
    open: bool = Query(False, description="those that have not ended"),
    limit: int = Query(50, ge=1, le=500),
) -> m.OrderList:
    """Orders of the last seven days of desk time as they lived: open ones first, then the newest."""
    found = recent_lives(journal_of(at.path), sleeve=sleeve, only_open=open, limit=limit)
    return m.OrderList(items=[m.OrderView.model_validate(life._asdict()) for life in found])


@router.get("/orders/{cid}")
def order(at: At, _: Who, cid: str = ClientId) -> m.OrderView:
    """One order by its client id: every state with its time and why, every execution."""
    life = life_of(journal_of(at.path), cid)
    if life is None:
        raise NotFound(f"the journal knows no order {cid}", "see /api/orders")
    return m.OrderView.model_validate(life._asdict())
