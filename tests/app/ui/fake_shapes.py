"""Small made-up answers of the API, in the shapes of app/api/__init__.py. Used by fake_api.py and the page's tests."""

import time
from typing import Any

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000

BARS = [
    {"venue": "binance", "symbol": symbol, "market": "perp", "series": timeframe, "tag": "", "source": "recorded"}
    | {"rows": 100, "first_ms": NOW_MS - 400 * DAY_MS, "last_ms": NOW_MS, "path": "x"}
    for symbol in ("AVAX-USDT", "BTC-USDT")
    for timeframe in ("1h", "15m")
]
STOP = {
    "key": "stop_atr",
    "default": 2.0,
    "low": 0.0,
    "high": 20.0,
    "unit": "ATR",
    "choices": [],
    "zero": "",
    "about": "the stop",
}
FAST = STOP | {"key": "fast_bars", "default": 40, "low": 5, "high": 400, "unit": "bars", "about": "the fast average"}
STRATEGIES = [
    {"name": "trend", "shipped": True, "about": "follows", "params": [FAST, STOP]},
    {"name": "pairs", "shipped": True, "about": "spreads of a basket", "params": [STOP], "basket": True},
    {"name": "mine", "shipped": False, "about": "my own", "params": [FAST | {"key": "depth", "default": 0.5}]},
]


def desk() -> dict[str, Any]:
    """/api/desk of a healthy paper desk."""
    latch = {"halted": False, "reason": "", "by": "", "since_ms": None, "where": [], "unreadable": ""}
    guards = [
        ("drawdown", 0.034, 0.15),
        ("gross exposure", 1.2, 3.0),
        ("btc-trend day loss", 0.028, 0.03),
        ("eth-trend entries", 2, 20),
    ]
    return {
        "mode": "paper",
        "stamp": "REPLAYED",
        "source": "recorded",
        "walks": "recorded bars of binance BTC-USDT",
        "desk_ms": NOW_MS,
        "event": "d-4",
        "state": "running",
        "halt": latch,
        "equity": 29_650.12,
        "peak": 30_500.0,
        "worker": {
            "running": True,
            "pid": 7,
            "phase": "running",
            "note": "",
            "beat_ms": NOW_MS,
            "bars_per_second": 1.0,
            "replay_until_ms": None,
        },
        "drawdown_frac": 0.034,
        "breaker_peak": 30_000.0,
        "breaker_drawdown_frac": 0.0117,
        "release_effect": "A release moves the reference." if latch.get("halted") else "",
        "gross": 9000.0,
        "gross_frac": 0.3,
        "breakers": [],
        "bars": 2880,
        "version": 1,
        "active_version": 1,
        "limits": {"drawdown_frac_max": 0.15, "gross_frac_max": 3.0},
        "guards": [
            {"name": n, "value": v, "limit": x, "used_frac": v / x, "unit": "count" if x == 20 else "frac"} for n, v, x in guards
        ],
        "model": model(),
        "checks": [{"name": "worker", "state": "ok", "text": "beats", "event": ""}],
        "pending": 2,
        "running_turns": 0,
        "live_jobs": 0,
        "now_ms": NOW_MS,
    }


def model() -> dict[str, Any]:
    """No language model."""
    return {"name": "offline", "api_format": "none", "offline": True, "host": None, "privacy": "Nothing leaves.", "sends": []}


def sleeve(name: str, *, with_position: bool = False) -> dict[str, Any]:
    """A sleeve, flat or long."""
    layer = {"lots": 100, "entry": 64_000.0, "protective": 62_900.0, "protective_kind": "stop", "protective_state": "working"}
    layer |= {"covered": True}
    held = {"side": "long", "lots": 100, "quantity": 0.1, "opened_ms": NOW_MS - DAY_MS, "notional": 6450.0}
    return {
        "name": name,
        "strategy": "trend",
        "venue": "binance",
        "symbol": "BTC-USDT",
        "market": "perp",
        "timeframe": "15m",
        "side": "both",
        "cash_start": 10_000.0,
        "params": {},
        "paused": False,
        "stage": "paper",
        "stage_reached": None,
        "equity": 9876.5,
        "cash": 9800.0,
        "fees": 12.0,
        "funding": -1.0,
        "slippage": 5.0,
        "trips": 12,
        "version": 1,
        "waiting_version": None,
        "order": None,
        "mark": 64_500.0 if with_position else None,
        "unrealised": 76.5 if with_position else None,
        "position": {**held, "layers": [{**layer, "target": 67_000.0, "due": None}]} if with_position else None,
        "blocked_until_ms": None,
        "paused_until_ms": None,
    }


def event(seq: int, kind: str) -> dict[str, Any]:
    """A journal event."""
    return {
        "id": f"d-{seq}",
        "seq": seq,
        "kind": kind,
        "t_event_ms": NOW_MS - seq * 900_000,
        "t_recv_ms": NOW_MS,
        "config_version": 1,
        "run_id": "",
        "cause_id": "",
        "writer": "worker",
        "body": {"sleeve": "btc-trend", "price": 64_000},
        "told": f"{kind} of btc-trend",
    }


def card(ident: str, direction: str) -> dict[str, Any]:
    """A pending proposal."""
    change = {
        "key": "stop_atr",
        "old": 2.0,
        "value": 1.5 if direction == "tightens" else 3.0,
        "low": 0.0,
        "high": 20.0,
        "unit": "ATR",
    }
    worst = {"risk_frac": 0.0025, "gross_frac": 1.5, "leverage": 3.0}
    runs = {
        role: {
            "run_id": r,
            "metrics": run(r)["metrics"],
            "source": "recorded",
            "bars": 35_000,
            "first_ms": NOW_MS - 365 * DAY_MS,
            "last_ms": NOW_MS,
        }
        for role, r in (("base", "r-1"), ("changed", "r-2"))
    }
    return {
        "id": ident,
        "kind": "change",
        "sleeve": "btc-trend",
        "base_version": 1,
        "parts": [{"sleeve": "btc-trend", "from_version": 1, "to_version": None, "changes": [change]}],
        "diff": {"changes": [change]},
        "diff_sha256": "ab" * 32,
        "direction": direction,
        "act": "tighten" if direction == "tightens" else "loosen",
        "verdict": direction.upper(),
        "runs_now": None,
        "exposure": {"before": worst, "after": {**worst, "risk_frac": 0.004}, "keys": {"stop_atr": "?"}, "why": "code"},
        "rationale": "less lost at the stop",
        "evidence": [],
        "evidence_runs": runs,
        "told_apart": False,
        "warnings": [],
        "requester": {"role": "developer", "person": "vera", "thread": "t-1"},
        "created_ms": int(time.time() * 1000) - 3_600_000,
        "expires_ms": int(time.time() * 1000) + 20 * 3_600_000,
        "expires_in_s": 72_000.0,
        "state": "pending",
        "state_reason": "",
        "decided_by": None,
        "decided_ms": None,
        "applied_version": None,
        "rollback_of": None,
        "journal_id": "p-3",
        "adoption": None,
    }


def run(ident: str) -> dict[str, Any]:
    """A stored run."""
    metrics = {
        "total_return_frac": -0.1446,
        "sharpe": -4.58,
        "max_drawdown_frac": 0.15,
        "trades": 1138,
        "win_rate": 0.4,
        "fees": 1532.0,
    }
    return {
        "id": ident,
        "run_id": ident,
        "created_ms": NOW_MS,
        "strategy": "trend",
        "symbol": "BTC-USDT",
        "timeframe": "15m",
        "state": "done",
        "source": "recorded",
        "total_return_frac": -0.1446,
        "sharpe": -4.58,
        "max_drawdown_frac": 0.15,
        "trades": 1138,
        "metrics": metrics,
        "params": {},
        "sleeves": [{"name": "trend"}],
        "data": {"source": "recorded", "bars": 35_000, "first_ms": NOW_MS - 365 * DAY_MS, "last_ms": NOW_MS},
        "scenarios": {"pessimistic": -0.1446, "optimistic": -0.1445, "ambiguous_bars": 12},
        "journal_hash": "cd" * 32,
    }


def turn(ident: str, state: str, text: str, answer: dict[str, Any] | None = None) -> dict[str, Any]:
    """A turn of thread t-1."""
    return {
        "id": ident,
        "thread": "t-1",
        "role": "developer",
        "state": state,
        "text": text,
        "model": "offline",
        "answer": answer,
        "created_ms": int(time.time() * 1000),
        "ended_ms": None,
        "last_n": 0,
        "progress": None,
        "posts": None,
    }


def answer(markdown: str, **more: Any) -> dict[str, Any]:
    """An answer with the keys of `chat --json`."""
    held = {"answer_md": markdown, "facts": [], "struck": [], "tool_calls": [], "jobs": [], "proposals": [], "usage": {}}
    return {**held, "model": {"name": "offline", "api_format": "none", "offline": True}, **more}


def curve() -> dict[str, Any]:
    """Ten days of equity."""
    equity = [10_000 + 40 * ((n * 7) % 11) - 25 * n for n in range(60)]
    peak = [max(equity[: n + 1]) for n in range(60)]
    drawn = [1 - e / p for e, p in zip(equity, peak, strict=True)]
    return {
        "close_ms": [NOW_MS - (60 - n) * DAY_MS // 6 for n in range(60)],
        "equity": equity,
        "optimistic": equity,
        "drawdown_frac": drawn,
    }


def alert(ident: str, severity: str = "page") -> dict[str, Any]:
    """An open alert whose message Slack did not take."""
    lost = {"step": "opened", "sink": "slack", "state": "failed", "attempts": 8, "sent_ms": None, "error": "channel_not_found"}
    return {
        "id": ident,
        "kind": "bars",
        "severity": severity,
        "state": "open",
        "what": "No bar for 3 minutes; long 0.1 in binance:BTC-USDT:perp (btc-trend)",
        "place": "binance:BTC-USDT:perp",
        "action": "look at the venue's status page, then `nightdesk doctor`",
        "runbook": "docs/runbooks/bars-stale.md",
        "event": "d-4",
        "numbers": {"age_s": 180, "desk_ms": NOW_MS, "drawdown_frac": 0.0345, "equity": 9916.768124718168, "level": 0},
        "since_ms": NOW_MS,
        "opened_ms": NOW_MS,
        "seen_ms": NOW_MS,
        "repeats": 3,
        "escalations": 1,
        "acked_by": None,
        "acked_ms": None,
        "resolved_ms": None,
        "deliveries": [lost],
    }
