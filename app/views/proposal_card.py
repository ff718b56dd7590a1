"""A proposal's card as plain JSON: everything a person needs before deciding. Called by the command line, the API and Slack.

The row, its evidence runs read from the store, and the warnings that refuse nothing.
"""

from collections.abc import Mapping
from typing import Any

from app.home.home import Home
from engine.control.config import version_of
from engine.control.proposals import view
from engine.errors import DeskError
from engine.store.runs import Runs
from engine.store.tables import Proposal

FIGURES = (
    ("total return", "total_return_frac", "frac"),
    ("Sharpe", "sharpe", "number"),
    ("max drawdown", "max_drawdown_frac", "frac"),
    ("round trips", "trades", "count"),
    ("win rate", "win_rate", "frac"),
    ("fees", "fees", "number"),
    ("funding", "funding", "number"),
)
REWARD_MIN = 1.5  # DEFINITIONS D13: less is a warning, not a refusal


def card(home: Home, row: Proposal, now_ms: int) -> dict[str, Any]:
    """The proposal with its evidence read and its warnings, as plain JSON."""
    value = view(row)
    runs = {str(e["role"]): _run(home, str(e["run_id"])) for e in value["evidence"] if {"role", "run_id"} <= set(e)}
    alike = any(e.get("told_apart") is False or "cannot be told apart" in str(e) for e in value["evidence"])
    return {
        **value,
        "expires_in_s": max(0, row.expires_ms - now_ms) / 1000 if row.state == "pending" else None,
        "expires": left(row.expires_ms, now_ms) if row.state == "pending" else None,
        "evidence_runs": runs,
        "told_apart": False if alike else None,
        "warnings": [str(e.get("text")) for e in value["evidence"] if e.get("role") == "warning"] or _warnings(home, value),
    }


def _run(home: Home, run_id: str) -> dict[str, Any]:
    """A run's figures, span and stamp; or why it cannot be read."""
    try:
        run = Runs(home.runs).load(run_id)
    except DeskError as error:
        return {"run_id": run_id, "error": str(error)}
    data = run.get("data", {})
    figures = {key: run.get("metrics", {}).get(key) for _, key, _ in FIGURES}
    return {"run_id": run_id, "metrics": figures, **{k: data.get(k) for k in ("source", "bars", "first_ms", "last_ms")}}


def _warnings(home: Home, value: Mapping[str, Any]) -> list[str]:
    """What a person should have seen, though it refuses nothing."""
    if value["kind"] != "change":
        return []
    try:
        params = dict(version_of(home.engine, value["base_version"]).sleeve(value["sleeve"]).params)
    except DeskError as error:
        return [str(error)]
    params |= {c["key"]: c["value"] for c in value["diff"]["changes"]}
    stop, target = params.get("stop_atr"), params.get("target_atr")
    plain = not params.get("stop_frac") and not params.get("target_frac")
    if plain and stop and target and target / stop < REWARD_MIN:
        return [f"reward to risk is {target / stop:.2f}: the target is {target:g} ATR away, the stop {stop:g}"]
    return []


def left(expires_ms: int, now_ms: int) -> str:
    """Time until expiry: `expires in 3 h 12 min`."""
    minutes = max(0, expires_ms - now_ms) // 60_000
    return f"expires in {minutes // 60} h {minutes % 60} min" if expires_ms > now_ms else "expired"
