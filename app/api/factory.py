"""`create`: turns an opened home into the API's ASGI application. Called by app/api/__main__.py and by tests.

AccessMiddleware (app.api.access) wraps everything; behind it thin routers, one error shape, and the turns of this process.
"""

import gc
import importlib
import json
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse

from agents.threads import close_dead
from app import VERSION
from app.api import (
    account,
    alerts,
    audits,
    checklists,
    figures,
    halt,
    incidents,
    inputs,
    jobs,
    journal,
    login,
    makers,
    markets,
    metrics,
    people,
    proposals,
    proposing,
    research,
    runs,
    slack,
    sleeves,
    strategies,
    turns,
    upkeep,
    watches,
)
from app.api import desk as desk_routes
from app.api.access import AccessMiddleware
from app.api.context import Address, ApiContext, allowed, now_ms
from app.api.faults import add_faults
from app.api.models import Failure
from app.api.running import RunningTurns
from app.api.under_way import UnderWay
from app.home.home import Home

# a request is compared with one route after the other: what a conversation and every page ask for comes first
ROUTERS: tuple[ModuleType, ...] = (
    turns,
    desk_routes,
    sleeves,
    figures,
    markets,
    halt,
    login,
    journal,
    runs,
    strategies,
    proposals,
    proposing,
    research,
)
ROUTERS += (account, audits, incidents, inputs, jobs, alerts, checklists, watches, upkeep, makers, people, metrics, slack)
SWITCH_S = 0.0005  # thread switch interval: bounds how long a halt waits for a busy turn (default 5 ms)
WARM = "warm"  # the thread that makes ready what the first to ask would wait for
NOWHERE: dict[str, object] = {"type": "http", "method": "GET", "path": "/-", "root_path": ""}
FAILURES = (400, 401, 403, 404, 409, 413, 415, 422, 503)


class FiniteJson(JSONResponse):
    """JSON with null for NaN and infinities."""

    def render(self, content: Any) -> bytes:
        """As JSON text."""
        try:
            return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except ValueError:
            return json.dumps(finite(content), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def finite(value: Any) -> Any:
    """`value` with null where a number is NaN or infinite."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value  # noqa: PLR0124 - NaN alone differs from itself


def create(home: Home, address: Address | None = None) -> AccessMiddleware:
    """The application of one home behind its access control; `.app` is the FastAPI application inside."""
    desk = ApiContext(home, address or Address())
    desk.meters = metrics.Meters(desk)
    desk.under_way = UnderWay(home.path, home.engine)
    desk.running = RunningTurns(desk, lambda seconds, how: desk.meters.turns.labels(how).observe(seconds))

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(SWITCH_S)
        close_dead(home.engine, now_ms())
        desk.running.posting.start()
        threading.Thread(target=_preload, args=(desk, app), name=WARM, daemon=True).start()
        yield
        desk.running.close()

    app = FastAPI(
        title="Nightdesk",
        version=VERSION,
        description="The desk over HTTP: its state, its journal, proposals, and people's decisions.",
        lifespan=life,
        dependencies=[Depends(allowed)],
        docs_url=None,  # its pages load scripts from a CDN
        redoc_url=None,
        default_response_class=FiniteJson,
        responses={status: {"model": Failure, "description": "What failed, and what to do."} for status in FAILURES},
    )
    app.state.desk = desk
    add_faults(app)
    for module in ROUTERS:
        app.include_router(module.router)
    return AccessMiddleware(app, desk)


def _preload(desk: ApiContext, app: FastAPI) -> None:
    """Load and make what the first request, turn and chart need; a turn of the offline model needs no LangGraph."""
    for route in app.router.routes:  # FastAPI makes the routes and models of a router when it is first asked: 0.25 s of CPU
        route.matches(NOWHERE)
    from agents import graph
    from app.jobs.queue import JobQueue
    from app.wiring import model_of
    from memory.shelf import Shelf

    if not model_of(desk.home).offline:
        graph.no_tracing()
        importlib.import_module("langgraph.graph")
    del JobQueue, Shelf
    gc.collect()
    gc.freeze()  # modules loaded by now stay forever: collections need not scan them (a tenth of a turn's time)
    markets.prepare(desk)
