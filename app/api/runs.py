"""Routes of stored runs: list, names, JSON, report page under a sandbox policy, its figures, equity, round trips.

Registered by app.api.factory.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, Response

from app.api import models as m
from app.api import models_people as p
from app.api.context import ApiContext, At, Channel, NotFound, Who, now_ms
from app.people.identity import Actor, os_user
from app.people.run_names import give_name
from app.views.run_export import MEDIA, exported
from app.views.run_figures import figures_json
from app.views.run_list import run_lines
from app.views.run_pair import pair_of
from engine.errors import BadInput
from engine.sim.life import behind, behind_text, beyond, beyond_text, life_of
from engine.store.runs import Runs
from engine.watch.window import desk_ms

router = APIRouter(prefix="/api/runs", tags=["runs"])
RUN = r"^r-[0-9]{8}-[0-9a-f]{8}(-[0-9]+)?$"
RunId = Path(max_length=40, pattern=RUN, examples=["r-20261120-0a1b2c3d"])
OneOf = Annotated[str, Query(max_length=40, pattern=RUN)]
SANDBOX = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


@router.get("")
def runs(at: At, _: Who, limit: int = Query(20, ge=1, le=500)) -> m.RunLines:
    """Stored runs, newest first, each named by what differs from the others."""
    found = run_lines(store(at), limit)
    return m.RunLines(items=[m.RunLine(**{k: run.get(k) for k in m.RunLine.model_fields}) for run in found])


@router.get("/compare", response_model=dict[str, Any])
def compare(at: At, _: Who, one: OneOf, other: OneOf) -> dict[str, Any]:
    """Two runs side by side: what differs, the figures of both, their curves, and whether they can be told apart."""
    for run_id in (one, other):
        store_with(at, run_id)
    return pair_of(store(at), one, other)


@router.post("", status_code=202)
def begin(at: At, session: Who, body: p.BacktestBody) -> m.JobStatus:
    """Start a backtest as a job, as the form of the page does; a run that is already stored ends at once."""
    from app.api.jobs import job_status
    from app.jobs.queue import JobQueue

    given = {key: value for key, value in body.model_dump(exclude={"changes"}).items() if value not in (None, "")}
    given["params"] = {change.key: change.value for change in body.changes}
    return job_status(at, JobQueue(at.home, session.name).submit("backtest", given))


@router.post("/{run_id}/name")
def name(at: At, session: Who, channel: Channel, body: p.RunNameBody, run_id: str = RunId) -> m.RunNamed:
    """Give a run a name, or take it away with an empty one; journaled with who did."""
    store_with(at, run_id)
    actor = Actor(session.name or os_user(), "claimed", os_user(), channel)
    return m.RunNamed(run_id=run_id, name=give_name(at.home, run_id, body.name, actor, now_ms()))


@router.get("/{run_id}/figures", response_model=dict[str, Any])
def run_figures(at: At, _: Who, run_id: str = RunId) -> Response:
    """What the report of a run shows, as JSON: verdicts, figures, tables, and what its charts and its list of trips draw."""
    store_with(at, run_id)
    return Response(figures_json(at.home.runs, run_id), media_type="application/json")


@router.get("/{run_id}")
def one(at: At, _: Who, run_id: str = RunId) -> dict[str, Any]:
    """A run's stored report; the keys of `backtest --json`. `life.beyond`: what it includes that the desk has not lived yet,
    `life.behind`: what the desk has lived since its bars end, from a week on; `trial`: its place among all that were tried of
    its hypothesis up to now, null where it is in no ledger."""
    from engine.research.ledger import as_of_now

    found = as_of_now(at.home.engine, store_with(at, run_id).load(run_id) | {"trial": None})
    named = {"life": {**life_of(found).as_json(), **_beside_desk(at, found)}, "name": store(at).name_of(run_id)}
    return {key: value for key, value in found.items() if key != "folder"} | named


@router.get("/{run_id}/report", response_class=HTMLResponse)
def report(at: At, _: Who, run_id: str = RunId) -> HTMLResponse:
    """A run's report page: one self-contained file under a sandbox policy."""
    content = _file(at, run_id, "report.html")
    page = " ".join(f"http://{name}:{at.address.page_port}" for name in at.address.names)
    policy = f"{SANDBOX}; frame-ancestors {page}"
    return HTMLResponse(content, headers={"content-security-policy": policy})


@router.get("/{run_id}/export/{name}", response_class=Response)
def export(at: At, _: Who, run_id: str = RunId, name: str = Path(max_length=20, examples=["trips.csv"])) -> Response:
    """A run as a file to save: report.html, run.json, trips.csv or equity.csv."""
    content = _file(at, run_id, name)
    saved = {"content-disposition": f'attachment; filename="{run_id}-{name}"', "content-security-policy": "sandbox"}
    return Response(content, media_type=MEDIA[name], headers=saved)


def _file(at: ApiContext, run_id: str, name: str) -> bytes:
    """An export of a run. Raises NotFound."""
    try:
        return exported(store_with(at, run_id), run_id, name)
    except BadInput as error:
        raise NotFound(error.what, error.hint) from None


@router.get("/{run_id}/equity")
def equity(at: At, _: Who, run_id: str = RunId, points: int = Query(1000, ge=2, le=5000)) -> m.RunCurve:
    """A run's equity under both fill scenarios, every n-th close and the last; and how long it traded."""
    runs_here = store_with(at, run_id)
    run, frame = runs_here.load(run_id), runs_here.frame(run_id, "equity")
    life = life_of(run)
    every = max(-(-frame.height // points), 1)
    peak = frame["equity"].cum_max()
    frame = frame.with_columns((1 - frame["equity"] / peak).alias("drawdown_frac"))
    thin = frame.gather_every(every)
    if frame.height and (frame.height - 1) % every:
        thin = thin.vstack(frame.tail(1))
    optimistic = thin["optimistic"].to_list() if "optimistic" in thin.columns else [None] * thin.height
    kept = {name: _finite(thin[name].to_list()) for name in ("equity", "drawdown_frac")}
    kept["hold"] = _finite(thin["hold"].to_list()) if "hold" in thin.columns else []
    lived = {"life": life.text, "stopped_ms": life.stopped_ms, **_beside_desk(at, run)}
    return m.RunCurve(run_id=run_id, close_ms=thin["close_ms"].to_list(), optimistic=_finite(optimistic), **kept, **lived)


@router.get("/{run_id}/trips/{trip}")
def round_trip(at: At, _: Who, run_id: str = RunId, trip: str = Path(max_length=8, pattern=r"^t[0-9]{1,7}$")) -> m.TripView:
    """One round trip: decisions, sizes, caps, fills, costs and the closing rule."""
    from engine.sim import explain

    found = explain.trip(store_with(at, run_id), run_id, trip)
    return m.TripView(text=found["closing_rule"]["text"], trip=found)


def _beside_desk(at: ApiContext, run: Mapping[str, Any]) -> dict[str, str]:
    """How a run's span stands to the desk's time, in words; empty where it needs none."""
    now = desk_ms(at.path)
    return {"beyond": beyond_text(beyond(run, now)), "behind": behind_text(behind(run, now))}


def store(at: ApiContext) -> Runs:
    """The run store."""
    return Runs(at.home.runs, at.engine)


def store_with(at: ApiContext, run_id: str) -> Runs:
    """The run store, if it has that run. Raises NotFound."""
    found = store(at)
    try:
        found.path(run_id)
    except BadInput as error:
        raise NotFound(error.what, error.hint) from None
    return found


def _finite(values: list[Any]) -> list[float | None]:
    """The numbers, with null for NaN, infinities and missing values."""
    import math

    return [v if isinstance(v, int | float) and math.isfinite(v) else None for v in values]
