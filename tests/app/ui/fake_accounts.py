"""Made-up answers about an account: of /api/account, its stages, its orders. Used by fake_api.py and test_account_page.py."""

from typing import Any

from tests.app.ui.fake_shapes import NOW_MS

CID = "ndbtct00000001E00"


def no_account() -> dict[str, Any]:
    """/api/account of a paper desk."""
    lists: dict[str, Any] = {name: [] for name in ("instruments", "spells", "latency", "probes")}
    return {"name": None, "mode": "paper", "venue": None, "beat_ms": NOW_MS, "pulse": None, "gate": None} | lists


def account() -> dict[str, Any]:
    """Of an account whose gate waits for a person, and whose stream was silent for a while."""
    names = ("fold", "account", "code", "reconcile", "probe", "round_trip")
    rows = [{"name": name, "ok": n < 2 or None, "why": "", "tries": 0, "consent": ""} for n, name in enumerate(names)]
    rows[2] |= {"ok": False, "why": "the code of engine is another <b>", "tries": 3, "consent": "code 1"}
    spell = {"what": "gate", "why": "not through yet", "since_ms": NOW_MS - 60_000, "over_ms": None, "event": "d-9"}
    over = {"what": "stream okx", "why": "silent", "since_ms": NOW_MS - 90_000, "over_ms": NOW_MS - 78_000, "event": "d-8"}
    legs = [
        {"name": "limit placed", "result": "ok", "ms": 32, "why": ""},
        {"name": "limit on stream", "result": "failed", "ms": 5_000, "why": "not named for 5 s"},
    ]
    probe = {"instrument": "okx:BTC-USDT:perp", "kind": "far", "ok": False, "cost": 0.0, "legs": legs, "left": [], "t_ms": NOW_MS}
    return {
        "name": "main",
        "mode": "testnet",
        "venue": "okx",
        "margin": "isolated",
        "leverage": 3,
        "instruments": ["okx:BTC-USDT:perp"],
        "beat_ms": NOW_MS,
        "pulse": {
            "streams": [{"name": "okx", "open_ms": NOW_MS - 600_000, "alive_ms": NOW_MS - 20_000, "connections": 2}],
            "polls": [{"instrument": "okx:BTC-USDT:perp", "read_ms": NOW_MS - 4_000, "failures": 3, "waiting": 1}],
            "compared_ms": NOW_MS - 42_000,
            "clock_offset_ms": -12,
        },
        "gate": {"open": False, "t_ms": NOW_MS - 60_000, "event": "d-7", "rows": rows},
        "spells": [spell, over],
        "latency": [{"what": "placed", "count": 8, "median_ms": 72, "p95_ms": 1_430, "worst_ms": 61_000, "slowest": CID}],
        "probes": [probe | {"event": "d-6"}],
    }


def states(*steps: tuple[str, int], why: str = "") -> list[dict[str, Any]]:
    """States of a life: (name, ms after the first)."""
    return [
        {"state": name, "t_ms": NOW_MS - 60_000, "received_ms": NOW_MS - 60_000 + ms, "why": why, "event": f"d-{n + 1}"}
        for n, (name, ms) in enumerate(steps)
    ]


def order(**more: Any) -> dict[str, Any]:
    """An entry of which a part has filled."""
    fill = {"trade": "t1", "lots": 4, "price": 58_000.5, "fee": 0.16, "liquidity": "taker", "event": "d-4"}
    fill |= {"t_ms": NOW_MS - 59_500, "received_ms": NOW_MS - 59_372}
    about = {"cid": CID, "venue_id": "77", "sleeve": "btc-trend", "instrument": "okx:BTC-USDT:perp", "leg": 0, "layer": 1}
    size = {"slot": "entry", "side": "buy", "type": "market", "price": None, "lots": 10, "lot_size": 0.0001, "filled_lots": 4}
    life = states(("intended", 0), ("sent", 0), ("working", 104), ("partial", 628))
    return {**about, **size, "state": "partial", "open": True, "states": life, "fills": [fill], **more}
