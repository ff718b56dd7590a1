"""What the journal's last bars say of each sleeve: the body of its last close, and whether its strategy said anything there.

Called by engine.watch.observer, health, null_features and detectors. `config`: body of the first config event.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.clock import timeframe_ms
from engine.store.chain import Event
from engine.watch.window import between

MISSED = "it closed while nobody was there to decide"  # a bar's reason for every strategy, of closes while no worker ran


def steps_of(config: Mapping[str, Any]) -> dict[str, int]:
    """Milliseconds between the closes at which each sleeve decides: of its own timeframe, else of the desk's clock."""
    clock = int(config["start"]["timeframe_ms"])
    return {s["name"]: timeframe_ms(s["timeframe"]) if s.get("timeframe") else clock for s in config.get("sleeves", ())}


def closes_of(path: Path, mark: Event | None, config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Sleeve -> the `bar` body of the last close of its own timeframe."""
    if mark is None or not config.get("sleeves"):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for bar in between(path, mark.t_event_ms - max(steps_of(config).values()), mark.t_event_ms, {"bar"}):
        found |= dict.fromkeys(bar.body.get("signals", ()), bar.body)
    return found


def failing_now(path: Path, mark: Event | None, config: Mapping[str, Any]) -> dict[str, str]:
    """Sleeve -> why its strategy said nothing at the last close of its own timeframe; only those that were asked and said
    nothing: while no worker ran none was asked, and the next close does."""
    said = {name: str(body.get("silent", {}).get(name, "")) for name, body in closes_of(path, mark, config).items()}
    return {name: why for name, why in said.items() if why and why != MISSED}
