"""Routes of one sleeve: its page's figures, its trips as a table, a trip of the desk explained. Registered by app.api.factory."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api import models as m
from app.api import models_sleeve as s
from app.api.context import ApiContext, At, NotFound, Who
from app.views import desk_trip as explained
from app.views.sleeve_page import sleeve_page
from engine.control.config import active
from engine.errors import BadInput
from engine.sim.report_drawn import trip_list
from engine.watch.desk_trips import desk_trips
from engine.watch.shadow_costs import shadow_costs
from engine.watch.window import journal_of

router = APIRouter(prefix="/api", tags=["sleeves"])
SleeveName = Annotated[str, Path(max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$", examples=["btc-trend"])]


@router.get("/sleeves/{name}")
def one(at: At, _: Who, name: SleeveName) -> s.SleevePage:
    """A sleeve: open position, settings with the version that set each, versions with changes, its closes of the last days."""
    _require(at, name)
    return s.SleevePage(**sleeve_page(at.home, name))


@router.get("/sleeves/{name}/trips")
def table(at: At, _: Who, name: SleeveName) -> s.TableSpec:
    """The sleeve's round trips on the desk, newest first, as a table that sorts and filters."""
    _require(at, name)
    spec = trip_list(desk_trips(at.path, name))
    known = [n for n in range(len(spec["columns"])) if not spec["rows"] or any(row[n] is not None for row in spec["rows"])]
    rows = [[row[n] for n in known] for row in spec["rows"]]
    return s.TableSpec(columns=[spec["columns"][n] for n in known], rows=rows)


@router.get("/desk/trips/{trip}")
def trip_of_desk(at: At, _: Who, trip: str = Path(max_length=8, pattern=r"^t[0-9]{1,7}$")) -> m.TripView:
    """A round trip of the desk: its decisions, sizes, caps, fills, costs and the closing rule, with the ids of their events."""
    try:
        found = explained.desk_trip(at.path, trip)
    except BadInput as error:
        raise NotFound(error.what, error.hint) from None
    return m.TripView(text=found["closing_rule"]["text"], trip=found)


@router.get("/shadow")
def shadow(at: At, _: Who) -> s.ShadowList:
    """Of a desk in shadow of an account: a row a sleeve of what did not leave, and what the venue's book would have cost."""
    found = shadow_costs(journal_of(at.path))
    return s.ShadowList(items=[s.ShadowView(sleeve=name, **row._asdict()) for name, row in found.items()])


def _require(at: ApiContext, name: str) -> None:
    """Raises NotFound for a sleeve that the desk does not have."""
    if not any(leg.name == name for leg in active(at.engine, at.path).config.traded):
        raise NotFound(f"the desk has no sleeve {name!r}", "see /api/sleeves")
