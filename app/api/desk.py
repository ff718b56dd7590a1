"""Routes about the desk as it is now: health, desk, its equity, sleeves, alerts, model, data. Thin: read, shape, answer."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Query
from sqlmodel import col, func, select

from app.api import models as m
from app.api.context import At, Desk, Who, now_ms
from app.api.guards import guards
from app.api.models_people import PullAsked
from app.views.desk_status import state_of, walks_on
from engine.control import halt
from engine.control.config import active
from engine.control.limits import limits_of
from engine.store import db
from engine.store.tables import Job, Proposal, Turn
from engine.watch.health import checks, holder
from engine.watch.heartbeat import heartbeat_of
from engine.watch.window import journal_of, mark_at

router = APIRouter(prefix="/api", tags=["desk"])
VERSION = "0.1.0"
PULL_S = 3600.0  # the longest a pull may take
SENDS = ["your question and this thread's last turns", "the desk's state", "memory pages", "what tools find"]
OFFLINE = "Answers come from the offline model: fixed intents, no language model. Nothing leaves this machine."


@router.get("/health")
async def health() -> m.Health:
    """Whether the API answers. Open to everybody, and says nothing of the desk."""
    return m.Health(ok=True, name="nightdesk", version=VERSION)


@router.get("/desk")
def desk(at: At, _: Who) -> m.DeskSaid:
    """Everything the first panel shows: data, time, halt, worker, money, guards, model, health."""
    now, home = now_ms(), at.home
    state, beat, hard = state_of(home), heartbeat_of(home.path), limits_of(home.path)
    pid, journal = holder(home.path / "journal" / "desk.lock"), journal_of(home.path)
    with db.read(home.engine) as session:
        pending = session.exec(select(func.count()).where(Proposal.state == "pending")).one()
        turns = session.exec(select(func.count()).where(Turn.state == "running")).one()
        jobs = session.exec(select(func.count()).where(col(Job.state).in_(("queued", "running")))).one()
    equity, peak, gross = state["equity"], state["peak"], state["gross"]
    drawdown = 1 - equity / peak if equity is not None and peak else None
    gross_frac = gross / equity if gross is not None and equity else None
    return m.DeskSaid(
        stamp=beat.get("stamp") if pid is not None else None,
        source=state["source"] or home.feed.get("source"),
        walks=walks_on(home),
        halt=latch_said(halt.read(home.path, home.engine)),
        worker=worker_said(beat, pid),
        drawdown_frac=drawdown,
        gross_frac=gross_frac,
        limits={k: float(v) for k, v in hard.model_dump().items()},
        guards=guards(journal, mark_at(journal), hard, active(home.engine)[1].sleeves),
        model=model_said(at),
        checks=[m.Check(**check._asdict()) for check in checks(home.path, home.engine, now)],
        pending=pending,
        running_turns=turns,
        live_jobs=jobs,
        now_ms=now,
        **{k: state[k] for k in ("desk_ms", "event", "state", "equity", "peak", "gross", "breakers", "bars")},
        **{k: state[k] for k in ("version", "active_version")},
    )


def latch_said(latch: halt.Latch) -> m.Latch:
    """The halt as the API tells it."""
    return m.Latch(**{**{k: getattr(latch, k) for k in m.Latch.model_fields}, "where": list(latch.where)})


def worker_said(beat: Mapping[str, Any], pid: int | None) -> m.Worker:
    """The worker as it last told of itself; what it told while it lived is not told of a dead one."""
    alive = pid is not None
    return m.Worker(
        running=alive,
        pid=pid or None,
        phase=beat.get("phase") if alive else "not running",
        note=str(beat.get("note") or ""),
        beat_ms=beat.get("wall_ms"),
        bars_per_second=beat.get("bars_per_second") if alive else None,
        replay_until_ms=beat.get("replay_until_ms") if alive else None,
    )


@router.get("/desk/equity")
def equity(at: At, _: Who, points: int = Query(500, ge=2, le=2000), since_ms: int = Query(0, ge=0, le=1 << 52)) -> m.Curve:
    """The desk's equity at its marks, evenly over desk time; reads so many marks, not the whole journal."""
    from app.api.pages import curve_of

    return m.Curve(**curve_of(journal_of(at.path), points, since_ms))


@router.get("/sleeves")
def sleeves(at: At, _: Who) -> m.Sleeves:
    """Every sleeve: what it is set to, and how it stands."""
    version, config = active(at.engine)
    mark = mark_at(journal_of(at.path))
    held = mark.body["sleeves"] if mark is not None else {}
    items = []
    for s in config.sleeves:
        now = {k: v for k, v in held.get(s.name, {}).items() if k in m.SleeveSaid.model_fields}
        plain = ("name", "strategy", "venue", "symbol", "market", "timeframe", "side")
        items.append(
            m.SleeveSaid(
                **{k: getattr(s, k) for k in plain},
                cash_start=s.cash,
                params=dict(s.params),
                **{**now, "paused": s.paused or bool(now.get("paused"))},
            )
        )
    return m.Sleeves(items=items, version=version, desk_ms=mark.t_event_ms if mark is not None else None)


@router.get("/model")
def model(at: At, _: Who) -> m.ModelSaid:
    """Which model answers, at which host, and what it is sent."""
    return model_said(at)


def model_said(at: Desk) -> m.ModelSaid:
    """The model that the next turn would ask. A fault in its configuration is told, not raised: the desk is shown anyway."""
    from app.wiring import model_of

    chosen: Any = model_of(at.home)
    endpoint = getattr(chosen, "endpoint", None)
    if endpoint is None:
        why = getattr(chosen, "why", "")
        privacy = f"No model answers: {why}" if why else OFFLINE
        return m.ModelSaid(
            name=chosen.name, api_format=chosen.api_format, offline=chosen.offline, host=None, privacy=privacy, sends=[]
        )
    return m.ModelSaid(
        name=chosen.name, api_format=chosen.api_format, offline=False, host=endpoint.host, privacy=chosen.privacy, sends=SENDS
    )


@router.get("/data")
def data(at: At, _: Who) -> m.DataSaid:
    """Which market data there is, and which the desk walks."""
    home = at.home
    found = home.catalog.series()
    items = [m.SeriesSaid(**{k: getattr(s, k) for k in m.SeriesSaid.model_fields}) for s in found]
    source = state_of(home)["source"] or home.feed.get("source")
    unknown = [path.name for path in home.catalog.unknown()]
    empty = all(s.venue == "synthetic" for s in found)
    return m.DataSaid(items=items, unknown=unknown, source=source, walks=walks_on(home), empty=empty)


@router.post("/data/pull", status_code=202)
def pull(at: At, session: Who, body: PullAsked) -> m.JobSaid:
    """Fetch bars from a venue's public data, in a process of its own. Nothing is ever fetched unasked."""
    from app.api.jobs import job_said
    from app.jobs.queue import Jobs

    jobs = Jobs(at.home, session.name, PULL_S)
    return job_said(at, jobs.submit("pull", body.model_dump()))
