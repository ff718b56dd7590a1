"""Routes about the desk now: health, desk, equity, sleeves, model, data. Registered by app.api.factory."""

from typing import Any

from fastapi import APIRouter, Query
from sqlmodel import col, func, select

from app import VERSION
from app.api import models as m
from app.api.context import ApiContext, At, NotFound, Who, now_ms
from app.api.models_people import PullBody
from app.views.desk_status import walks_on
from app.views.sleeve_page import marked, with_cover
from engine.control import halt
from engine.control.config import active
from engine.control.limits import limits_of
from engine.control.watches import listed
from engine.store import db
from engine.store.tables import Job, Proposal, Turn
from engine.watch.desk_view import desk_view, release_effect
from engine.watch.health import checks
from engine.watch.limit_usage import limit_usage
from engine.watch.tripped import tripped_events
from engine.watch.window import journal_of

router = APIRouter(prefix="/api", tags=["desk"])
PULL_S = 3600.0  # time limit of a pull
SENDS = ["your question and this thread's turns", "the desk's state", "memory pages", "what tools find"]
OFFLINE = "Answers come from the offline model: a planner, no language model. Nothing leaves this machine."


@router.get("/health")
async def health() -> m.Health:
    """Whether the API answers. Public, and reveals nothing about the desk."""
    return m.Health(ok=True, name="nightdesk", version=VERSION)


@router.get("/desk")
def desk(at: At, _: Who) -> m.DeskStatus:
    """Everything the first panel shows: data, time, halt, worker, equity, guards, model, health."""
    now, home = now_ms(), at.home
    view, hard = desk_view(home.path, home.engine), limits_of(home.path)
    active_desk = active(home.engine, home.path)
    body = view.mark.body if view.mark is not None else None
    tripped = tripped_events(journal_of(home.path), view.mark, hard.pause_hours)
    with db.read(home.engine) as session:
        pending = session.exec(select(func.count()).where(Proposal.state == "pending")).one()
        turns = session.exec(select(func.count()).where(Turn.state == "running")).one()
        jobs = session.exec(select(func.count()).where(col(Job.state).in_(("queued", "running")))).one()
    return m.DeskStatus(
        source=view.source or home.feed.get("source"),
        walks=walks_on(home),
        halt=latch_view(view.halt),
        worker=view.worker,
        limits={k: list(v) if isinstance(v, tuple) else float(v) for k, v in hard.model_dump().items()},
        guards=[m.GuardView(**usage._asdict()) for usage in limit_usage(body, hard, active_desk.config.traded, tripped)],
        model=model_view(at),
        checks=[m.CheckView(**check._asdict()) for check in checks(home.path, home.engine, now)],
        pending=pending,
        watches_asked=sum(row.state == "asked" for row in listed(home.engine, now)),
        running_turns=turns,
        live_jobs=jobs,
        now_ms=now,
        active_version=active_desk.version,
        release_effect=release_effect(view, hard.drawdown_frac_max) if view.halt.halted else "",
        **{k: getattr(view, k) for k in ("stamp", "mode", "desk_ms", "event", "state", "equity", "peak", "drawdown_frac")},
        **{k: getattr(view, k) for k in ("breaker_peak", "breaker_drawdown_frac")},
        **{k: getattr(view, k) for k in ("gross", "gross_frac", "breakers", "bars", "version", "incident", "orphan_pnl")},
        windows=list(view.windows),
        entries_blocked=bool(body and body.get("blocked") is not None),
    )


def latch_view(latch: halt.Latch) -> m.LatchView:
    """The API's view of the halt latch."""
    return m.LatchView(**{**{k: getattr(latch, k) for k in m.LatchView.model_fields}, "where": list(latch.where)})


@router.get("/desk/equity")
def equity(
    at: At,
    _: Who,
    points: int = Query(500, ge=2, le=2000),
    since_ms: int = Query(0, ge=0, le=1 << 52),
    sleeve: str = Query("", max_length=60),
) -> m.Curve:
    """Equity of the desk, or of one sleeve, at `points` marks, evenly over desk time; reads only those, not the whole journal."""
    from app.api.pages import curve_of

    if sleeve and not any(leg.name == sleeve for leg in active(at.engine, at.path).config.traded):
        raise NotFound(f"the desk has no sleeve {sleeve!r}", "see /api/sleeves")
    return m.Curve(**curve_of(journal_of(at.path), points, since_ms, sleeve))


@router.get("/sleeves")
def sleeves(at: At, _: Who) -> m.Sleeves:
    """Every sleeve: its configuration and its state at the last mark."""
    found = active(at.engine, at.path)
    view, items = desk_view(at.path, at.engine), []
    for s in found.config.traded:
        now = {k: v for k, v in view.sleeves.get(s.name, {}).items() if k in m.SleeveView.model_fields}
        now["position"] = with_cover(now.get("position"))
        names = ("name", "strategy", "venue", "symbol", "market", "timeframe", "side")
        paused, (mark, unrealised) = s.paused_at(view.desk_ms), marked(view.sleeves.get(s.name, {}))
        items.append(
            m.SleeveView(
                **{k: getattr(s, k) for k in names},
                cash_start=s.cash,
                leg_of=s.leg_of,
                params=dict(s.params),
                size_part=s.size_part,
                canary=view.canaries.get(s.name),
                mark=mark,
                unrealised=unrealised,
                **{**now, "stage": s.stage, "paused": paused, "resumes_ms": s.resumes_ms if paused else None},
            )
        )
    basket = None if view.basket is None else dict(view.basket)
    return m.Sleeves(items=items, basket=basket, version=found.version, desk_ms=view.desk_ms)


@router.get("/model")
def model(at: At, _: Who) -> m.ModelView:
    """Which model answers, at which host, and what is sent to it."""
    return model_view(at)


def model_view(at: ApiContext) -> m.ModelView:
    """The model that the next turn would ask. A configuration error is reported, not raised: the desk is shown anyway."""
    from app.wiring import model_of

    chosen: Any = model_of(at.home)
    endpoint = getattr(chosen, "endpoint", None)
    if endpoint is None:
        why = getattr(chosen, "why", "")
        privacy = f"No model answers: {why}" if why else OFFLINE
        return m.ModelView(
            name=chosen.name, api_format=chosen.api_format, offline=chosen.offline, host=None, privacy=privacy, sends=[]
        )
    return m.ModelView(
        name=chosen.name, api_format=chosen.api_format, offline=False, host=endpoint.host, privacy=chosen.privacy, sends=SENDS
    )


@router.get("/data")
def data(at: At, _: Who) -> m.DataView:
    """The available market data, and what the desk trades on."""
    home = at.home
    found = home.catalog.series()
    items = [m.SeriesView(**{k: getattr(s, k) for k in m.SeriesView.model_fields}) for s in found]
    source = desk_view(home.path, home.engine).source or home.feed.get("source")
    unknown = [path.name for path in home.catalog.unknown()]
    empty = all(s.venue == "synthetic" for s in found)
    return m.DataView(items=items, unknown=unknown, source=source, walks=walks_on(home), empty=empty)


@router.post("/data/pull", status_code=202)
def pull(at: At, session: Who, body: PullBody) -> m.JobStatus:
    """Fetch bars from a venue's public data, in a separate process. Nothing is ever fetched without this request."""
    from app.api.jobs import job_status
    from app.jobs.queue import JobQueue

    jobs = JobQueue(at.home, session.name, PULL_S)
    return job_status(at, jobs.submit("pull", body.model_dump()))
