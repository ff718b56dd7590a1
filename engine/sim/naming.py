"""What a run is called. Called by whatever shows one; it loads nothing."""

from collections.abc import Mapping
from typing import Any

NAMED_MAX = 3


def run_name(run: Mapping[str, Any]) -> str:
    """`trend on binance BTC-USDT 15m`; several sleeves with a plus, the legs of a basket with commas."""
    sleeves, clock = run["sleeves"], run["timeframe"]
    if run.get("pairs"):
        return f"{run['strategy']} on {run['venue']} {', '.join(run['symbols'])} {clock}"
    named = [f"{s['strategy']} on {s['venue']} {s['symbol']} {s.get('timeframe') or clock}" for s in sleeves[:NAMED_MAX]]
    return " + ".join(named) + (f" and {len(sleeves) - NAMED_MAX} more" if len(sleeves) > NAMED_MAX else "")
