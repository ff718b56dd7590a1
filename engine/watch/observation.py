"""What the rules of engine.watch.anomalies look at, and what they say: Scene -> Finding, and the words for what is held.

Made by engine.watch.observer, read by anomalies and incidents. Values only.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from engine.control.limits import HardLimits
from engine.store.chain import Event
from engine.watch.health import Check

Severity = Literal["page", "warn", "note"]
RUNBOOKS = {
    "worker": "worker-down",
    "bars": "bars-stale",
    "rejected": "orders-rejected",
    "refused": "orders-refused",
    "breaker": "breaker-tripped",
    "protective": "protective-missing",
    "drawdown": "drawdown",
    "journal": "journal-broken",
    "disk": "disk-low",
    "proposal": "proposal-expired",
    "halt": "halted",
    "incident": "incident",
    "delivery": "alerts-not-delivered",
    "watch": "watch-blind",
}
PASSING = ("proposal", "incident")  # kinds that happen and are over by themselves: no recovery is told


class ProcessExit(NamedTuple):
    """A child of the supervisor that ended without being asked to: `code` as subprocess gives it, None: not known."""

    process: str
    code: int | None
    wall_ms: int


class Finding(NamedTuple):
    """One thing that is wrong. `fingerprint` names it as long as it lasts; `level` grows when it gets worse."""

    fingerprint: str
    kind: str
    severity: Severity
    what: str
    place: str
    since_ms: int  # wall time
    action: str
    numbers: Mapping[str, Any] = {}
    event: str = ""
    level: int = 0

    @property
    def runbook(self) -> str:
        """The page for three in the morning."""
        return f"docs/runbooks/{RUNBOOKS[self.kind]}.md"


class Scene(NamedTuple):
    """Everything the rules look at, gathered at one moment; times are wall times unless the name says desk."""

    now_ms: int
    checks: Mapping[str, Check]
    mark: Event | None
    config: Mapping[str, Any]  # body of the first config event: its sleeves
    beat: Mapping[str, Any]  # what the worker last said about itself
    pid: int | None  # who holds the worker's place
    absent_ms: int | None  # since when nobody does
    phase_ms: int  # since when the worker has been in its phase
    deaths: tuple[ProcessExit, ...]
    limits: HardLimits
    recent: tuple[Event, ...] = ()  # decisions and orders of the last bars
    tripped: tuple[Event, ...] = ()  # breakers whose pause or block may still stand
    incidents: tuple[Event, ...] = ()
    silent: tuple[str, ...] = ()  # instruments without prices
    expired: tuple[Mapping[str, Any], ...] = ()  # proposals nobody decided in time
    undelivered: Mapping[str, Any] = {}  # sink, failed, since_ms, error
    halt: Any = None  # engine.control.halt.Latch


def blind(what: str, why: str, now_ms: int) -> Finding:
    """Something that could not be looked at is never healthy."""
    text = f"{what} could not be looked at: {why[:200]}"
    return Finding(
        f"watch:{what}", "watch", "page", text, what, now_ms, "run nightdesk doctor; what cannot be seen is not healthy"
    )


def instrument_of(scene: Scene, sleeve: str) -> str:
    """The sleeve's instrument, `binance:BTC-USDT:perp`; the sleeve's own name when the journal does not say."""
    for entry in scene.config.get("sleeves", ()):
        if entry["name"] == sleeve:
            return str(entry["instrument"])
    return sleeve


def holding(scene: Scene, sleeve: str) -> str:
    """`long 0.02 binance:BTC-USDT:perp (btc-trend)`, or that it is flat."""
    position = {} if scene.mark is None else scene.mark.body["sleeves"].get(sleeve, {}).get("position")
    if not position:
        return f"flat in {instrument_of(scene, sleeve)} ({sleeve})"
    return f"{position['side']} {position['quantity']:g} {instrument_of(scene, sleeve)} ({sleeve})"


def open_positions(scene: Scene) -> list[str]:
    """Every open position in words."""
    sleeves = {} if scene.mark is None else scene.mark.body["sleeves"]
    return [holding(scene, name) for name, sleeve in sleeves.items() if sleeve.get("position")]


def trading(scene: Scene) -> bool:
    """Whether the last mark is of the desk's present, and not of a replayed past."""
    return scene.mark is not None and scene.beat.get("phase") != "replaying" and scene.mark.body.get("stamp") != "REPLAYED"
