"""An API of a few fixed shapes (those of app/api/__init__.py) on loopback, for the page's own tests. `Fake` is what it tells.

The flow over the real API is in test_page_flow.py; here are the states that are hard to bring about: hostile names, a worker
that is dead, a turn that never ends.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.api import models_figures as m
from app.views.proposal_card import rows_of
from app.views.research import view_of
from tests.app.ui.fake_accounts import no_account
from tests.app.ui.fake_figures import exposure, hold_line, lately, periods, shocks, trips
from tests.app.ui.fake_market import desk_trip, market_chart, sleeve_page, stretches, trip_table
from tests.app.ui.fake_notices import no_look, no_monitor, no_upkeep
from tests.app.ui.fake_runs import run_figures, run_pair
from tests.app.ui.fake_shapes import BARS, NOW_MS, STRATEGIES, answer, card, curve, desk, event, model, run, sleeve, turn


class Fake:
    """The state of a small desk; tests change it as they like. `asked` holds every request that was not a GET."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.desk = desk()
        self.sleeves = [sleeve("btc-trend", with_position=True), sleeve("eth-trend")]
        self.basket: dict[str, Any] | None = None
        self.events = [event(n, kind) for n, kind in enumerate(("fill", "order", "decision", "config"), 1)]
        self.proposals = {"prop-1": card("prop-1", "tightens"), "prop-2": card("prop-2", "loosens")}
        self.turns: dict[str, dict[str, Any]] = {}
        self.turn_events: list[dict[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.research: dict[str, tuple[str, str, dict[str, Any]]] = {}  # id -> kind, state, result
        self.alerts: list[dict[str, Any]] = []
        self.handovers: list[dict[str, Any]] = []
        self.empty = False
        self.series: list[dict[str, Any]] = list(BARS)
        self.ways: list[str] = []
        self.no_watch: str | None = None
        self.watches: list[dict[str, Any]] = []
        self.checklists: list[dict[str, Any]] = []
        self.outside: list[dict[str, Any]] = []
        self.makers: dict[str, dict[str, Any]] = {}
        self.audit: dict[str, Any] = {"wall_ms": None, "verdict": "", "items": []}
        self.silences, self.monitor, self.upkeep = no_look(), no_monitor(), no_upkeep()
        self.trained: list[dict[str, Any]] = []
        self.session: dict[str, Any] | None = {"name": "vera", "assurance": "claimed", "scope": "all", "expires_ms": NOW_MS}
        self.session |= {"proof_needed": False, "passphrase_needed": False, "refused": {}}
        self.runs = [run("r-1"), run("r-2")]
        self.titles = ["Backtest trend on BTC"]
        self.candle_trips = 3  # round trips in a chart and in a sleeve's table
        self.halt_progress: dict[str, Any] = {"state": None, "left": [], "steps": []}
        self.evil = ""  # text in every field of a sleeve's page that others write
        self.under_way: list[dict[str, Any]] = []
        self.proposing: Any = lambda _: (
            200,
            {"state": "made", "proposal": self.proposals["prop-1"], "jobs": [], "progress": 1.0},
        )

    def research_view(self, ident: str) -> Any:
        """A research job as the API shows it."""
        if ident not in self.research:
            return 404, {"error": {"kind": "BadInput", "what": f"unknown job {ident!r}", "hint": "see /api/research"}}
        kind, state, result = self.research[ident]
        found = view_of(kind, result) if result else {"title": f"{kind} of trend", "verdict": "", "look": "calm"}
        job = {"id": ident, "kind": kind, "state": state, "progress": 0.4, "thread": "t-1", "person": "vera"}
        shown = m.ResearchView(**job, created_ms=NOW_MS, ended_ms=NOW_MS, **found)
        return shown.model_dump(mode="json")

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Status and body."""
        if self.session is None and path != "/api/health":
            return 401, {"error": {"kind": "NoSession", "what": "nobody known is at the door", "hint": "nightdesk login"}}
        if method != "GET":
            self.asked.append((method, path, body))
        for (verb, pattern), route in ROUTES.items():
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                said = route(self, query, body, *found.groups())
                return said if isinstance(said, tuple) else (200, said)
        return 404, {"error": {"kind": "BadInput", "what": f"there is no {path}", "hint": ""}}


def _thread(fake: Fake) -> dict[str, Any]:
    turns = [held for held in fake.turns.values() if held["state"] != "owed"]
    return {
        "id": "t-1",
        "role": "developer",
        "person": "vera",
        "created_ms": NOW_MS,
        "turns": turns,
        "jobs": list(fake.jobs.values()),
        "owed": [held["posts"] for held in fake.turns.values() if held["state"] == "owed"],
    }


def _begin_turn(fake: Fake, body: Any) -> tuple[int, Any]:
    ident = f"u-{len(fake.turns) + 1}"
    fake.turns[ident] = turn(ident, "running", body["text"])
    return 202, {"turn": ident, "thread": "t-1", "role": body["role"]}


def with_rows(card: dict[str, Any]) -> dict[str, Any]:
    """A card with the rows that the API builds from it."""
    return card | {"rows": [row._asdict() for row in rows_of(card)]}


def _decided(fake: Fake, ident: str, what: str) -> dict[str, Any]:
    state = {"approve": "applied", "reject": "rejected"}[what]
    actor = {"name": "vera", "assurance": "claimed", "os_user": "vera", "channel": "page"}
    fake.proposals[ident] |= {"state": state, "decided_by": actor, "decided_ms": NOW_MS, "applied_version": 2}
    fake.proposals[ident]["adoption"] = {"active_version": 2, "desk_version": 2, "adopted": True, "waiting": [], "event": "d-4"}
    return {
        "proposal": ident,
        "state": state,
        "version": 2,
        "sleeves": {"btc-trend": 2},
        "direction": "tightens",
        "actor": actor,
        "journal_id": "p-9",
    }


def _halted(fake: Fake, reason: str) -> dict[str, Any]:
    fake.desk["halt"] |= {"halted": bool(reason), "reason": reason, "by": "vera", "since_ms": NOW_MS, "where": ["file"]}
    return dict(fake.desk["halt"])


def _cancelled(fake: Fake, ident: str) -> dict[str, Any]:
    fake.turns[ident] |= {"state": "cancelled", "answer": answer("Cancelled before the answer.")}
    return fake.turns[ident]


def _acked(fake: Fake, ident: str) -> dict[str, Any]:
    found = next(a for a in fake.alerts if a["id"] == ident)
    found |= {"acked_by": {"name": "vera", "assurance": "claimed", "channel": "page"}, "acked_ms": NOW_MS}
    return found


def _pull(fake: Fake) -> tuple[int, Any]:
    job = {
        "id": "j-1",
        "kind": "pull",
        "args": {},
        "state": "running",
        "progress": 0.25,
        "thread": "",
        "turn": "",
        "run_id": "",
        "error": "",
        "created_ms": NOW_MS,
        "started_ms": NOW_MS,
        "ended_ms": None,
        "result": None,
    }
    fake.jobs["j-1"] = job
    return 202, job


def _begun(fake: Fake) -> tuple[int, Any]:
    status, job = _pull(fake)
    return status, job | {"kind": "backtest", "state": "queued"}


def _threads(fake: Fake) -> list[dict[str, Any]]:
    held = {
        "id": "t-1",
        "role": "developer",
        "person": "vera",
        "created_ms": NOW_MS,
        "touched_ms": NOW_MS,
        "turns": 1,
        "running": None,
    }
    return [{**held, "id": f"t-{n}", "title": title} for n, title in enumerate(fake.titles, 1)]


ROLES = [{"name": n, "about": "answers", "tools": [], "examples": [f"ask {n}"]} for n in ("developer", "operator", "advisor")]
VERSIONS = [
    {
        "version": v,
        "sleeves": {"btc-trend": v, "eth-trend": 1},
        "created_ms": NOW_MS,
        "made_by": "vera",
        "reason": "first",
        "proposal_id": None,
        "rollback_of": None,
        "active": v == 2,
    }
    for v in (2, 1)
]
ROUTES: dict[tuple[str, str], Any] = {
    ("GET", "/api/outside"): lambda f, q, b: {"items": f.outside},
    ("GET", "/api/audit"): lambda f, q, b: f.audit,
    ("GET", "/api/makers"): lambda f, q, b: {"items": list(f.makers.values())},
    ("GET", r"/api/makers/([\w-]+)"): lambda f, q, b, i: f.makers[i],
    ("GET", "/api/silences"): lambda f, q, b: f.silences,
    ("GET", "/api/monitor"): lambda f, q, b: f.monitor,
    ("GET", "/api/upkeep"): lambda f, q, b: f.upkeep,
    ("GET", "/api/trained-models"): lambda f, q, b: {"items": f.trained},
    ("GET", "/api/research"): lambda f, q, b: {"items": [f.research_view(i) for i in f.research]},
    ("GET", r"/api/research/([\w-]+)"): lambda f, q, b, i: f.research_view(i),
    ("GET", "/api/session"): lambda f, q, b: f.session,
    ("POST", "/api/session"): lambda f, q, b: f.session.update(name=b["name"]) or f.session,
    ("GET", "/api/desk"): lambda f, q, b: f.desk,
    ("GET", "/api/desk/equity"): lambda f, q, b: curve(),
    ("GET", "/api/desk/benchmark"): lambda f, q, b: hold_line(),
    ("GET", "/api/desk/exposure"): lambda f, q, b: exposure(),
    ("GET", "/api/desk/shock"): lambda f, q, b: shocks(),
    ("GET", "/api/desk/lately/sleeves"): lambda f, q, b: lately([None, *(s["name"] for s in f.sleeves)]),
    ("GET", "/api/desk/periods"): lambda f, q, b: periods(q["unit"]),
    ("GET", "/api/desk/trips"): lambda f, q, b: trips(),
    ("GET", "/api/desk/candles"): lambda f, q, b: market_chart(f.candle_trips),
    ("GET", "/api/desk/lately"): lambda f, q, b: stretches(),
    ("GET", r"/api/desk/trips/(t\d+)"): lambda f, q, b, t: {"text": "the target was reached", "trip": desk_trip(t)},
    ("GET", r"/api/sleeves/([^/]+)"): lambda f, q, b, i: sleeve_page(i, f.evil),
    ("GET", r"/api/sleeves/([^/]+)/trips"): lambda f, q, b, i: trip_table(f.candle_trips, f.evil),
    ("POST", "/api/proposals"): lambda f, q, b: f.proposing(b),
    ("GET", "/api/proposing"): lambda f, q, b: {"items": f.under_way},
    ("GET", "/api/sleeves"): lambda f, q, b: {"items": f.sleeves, "basket": f.basket, "version": 1, "desk_ms": NOW_MS},
    ("GET", "/api/journal"): lambda f, q, b: {"items": f.events, "next": None},
    ("GET", r"/api/journal/([dp]-\d+)"): lambda f, q, b, i: {"event": f.events[0], "before": f.events[1:2], "followed": []},
    ("GET", "/api/runs"): lambda f, q, b: {"items": f.runs},
    ("POST", "/api/runs"): lambda f, q, b: _begun(f),
    ("GET", "/api/runs/compare"): lambda f, q, b: run_pair(f.runs, q["one"], q["other"]),
    ("GET", "/api/strategies"): lambda f, q, b: {"items": STRATEGIES},
    ("GET", r"/api/strategies/(\w+)"): lambda f, q, b, i: next(s for s in STRATEGIES if s["name"] == i),
    ("GET", r"/api/runs/([\w-]+)"): lambda f, q, b, i: f.runs[0] | {"id": i},
    ("GET", r"/api/runs/([\w-]+)/figures"): lambda f, q, b, i: run_figures(f.runs[0]),
    ("POST", r"/api/runs/([\w-]+)/name"): lambda f, q, b, i: f.runs[0].update(name=b["name"]) or {"run_id": i, "name": b["name"]},
    ("GET", r"/api/runs/([\w-]+)/equity"): lambda f, q, b, i: {"run_id": i, **curve()},
    ("GET", r"/api/runs/([\w-]+)/candles"): lambda f, q, b, i: market_chart(f.candle_trips),
    ("GET", r"/api/runs/([\w-]+)/trips/(t\d+)"): lambda f, q, b, i, t: {"text": "entered, left", "trip": {"net": 1.0}},
    ("GET", "/api/proposals"): lambda f, q, b: {
        "items": [with_rows(p) for p in f.proposals.values() if q.get("state") in (None, p["state"])]
    },
    ("GET", "/api/proposals/rollback"): lambda f, q, b: {
        "target": q["target"],
        "sleeve": q.get("sleeve", ""),
        "diff_sha256": "cd" * 32,
        "verdict": "TIGHTENS",
        "rows": with_rows(card("prop-9", "tightens"))["rows"][1:4],
    },
    ("GET", r"/api/proposals/([\w-]+)"): lambda f, q, b, i: with_rows(f.proposals[i]),
    ("POST", r"/api/proposals/([\w-]+)/(approve|reject)"): lambda f, q, b, i, w: _decided(f, i, w),
    ("POST", "/api/proposals/rollback"): lambda f, q, b: {
        "proposal": "prop-3",
        "state": "applied",
        "version": 3,
        "sleeves": {},
        "actor": {},
    },
    ("GET", "/api/versions"): lambda f, q, b: {"items": VERSIONS},
    ("GET", "/api/roles"): lambda f, q, b: {"items": ROLES},
    ("GET", "/api/threads"): lambda f, q, b: {
        "items": [t for t in _threads(f) if q.get("text", "").lower() in t["title"].lower()]
    },
    ("GET", r"/api/threads/t-1"): lambda f, q, b: _thread(f),
    ("POST", r"/api/threads/([\w-]+)/name"): lambda f, q, b, i: {"id": i, "name": b["name"], "hidden": False},
    ("DELETE", r"/api/threads/([\w-]+)"): lambda f, q, b, i: {"id": i, "name": "", "hidden": True},
    ("POST", "/api/turns"): lambda f, q, b: _begin_turn(f, b),
    ("GET", r"/api/turns/([\w-]+)"): lambda f, q, b, i: f.turns[i],
    ("GET", r"/api/turns/([\w-]+)/events.json"): lambda f, q, b, i: {"items": f.turn_events, "state": f.turns[i]["state"]},
    ("POST", r"/api/turns/([\w-]+)/cancel"): lambda f, q, b, i: _cancelled(f, i),
    ("GET", "/api/jobs"): lambda f, q, b: {"items": list(f.jobs.values())},
    ("GET", r"/api/jobs/([\w-]+)"): lambda f, q, b, i: f.jobs[i],
    ("GET", "/api/halt"): lambda f, q, b: f.desk["halt"],
    ("GET", "/api/halt/progress"): lambda f, q, b: f.halt_progress,
    ("GET", "/api/account"): lambda f, q, b: no_account(),
    ("GET", "/api/account/stages"): lambda f, q, b: {
        "items": [{"sleeve": s["name"], "stage": "paper", "next": "paper_live", "lacking": []} for s in f.sleeves]
    },
    ("GET", "/api/orders"): lambda f, q, b: {"items": []},
    ("POST", "/api/halt"): lambda f, q, b: _halted(f, b["reason"]),
    ("DELETE", "/api/halt"): lambda f, q, b: {"released": _halted(f, ""), "actor": {"name": "vera", "assurance": "claimed"}},
    ("GET", "/api/alerts"): lambda f, q, b: {"items": f.alerts, "reason": f.no_watch, "undelivered": [], "ways": f.ways},
    ("POST", r"/api/watches/([\w-]+)/(confirm|remove)"): lambda f, q, b, i, w: f.watches[0],
    ("GET", "/api/checklists"): lambda f, q, b: {
        "items": [one for one in f.checklists if q.get("about") in (None, one["about"])]
    },
    ("POST", "/api/checklists"): lambda f, q, b: (201, {}),
    ("POST", r"/api/checklists/(cl-\d+)/(look|done|refuse|end)"): lambda f, q, b, i, w: f.checklists[0],
    ("GET", "/api/watches"): lambda f, q, b: {"items": f.watches},
    ("POST", r"/api/alerts/([\w-]+)/ack"): lambda f, q, b, i: _acked(f, i),
    ("GET", r"/api/runbooks/([\w-]+)"): lambda f, q, b, i: {"name": i, "text": f"# {i}\n\n1. Look at `nightdesk status`.\n"},
    ("GET", "/api/handovers"): lambda f, q, b: {"items": f.handovers, "at": "06:00"},
    ("GET", "/api/model"): lambda f, q, b: model(),
    ("GET", "/api/data"): lambda f, q, b: {
        "items": f.series,
        "unknown": [],
        "source": "recorded",
        "walks": "",
        "empty": f.empty,
    },
    ("POST", "/api/data/pull"): lambda f, q, b: _pull(f),
}


@contextmanager
def serving(fake: Fake) -> Iterator[str]:
    """The fake on a free port of loopback; yields its address."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            where = urlsplit(self.path)
            status, said = fake.answer(self.command, where.path, dict(parse_qsl(where.query)), body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *words: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
