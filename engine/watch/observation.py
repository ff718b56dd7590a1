"""What the detectors read and what they yield: DeskObservation -> Finding, and how a position is written.

Made by engine.watch.observer, read by engine.watch.detectors and engine.watch.alert_rows. Values only.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from engine.amounts import quantity_text
from engine.book.bodies import GONE
from engine.control.limits import HardLimits
from engine.store.chain import Event
from engine.watch.health import HealthCheck
from engine.watch.incidents import IncidentWindow

Severity = Literal["page", "warn", "note"]
RUNBOOKS = {
    "worker": "worker-down",
    "bars": "bars-stale",
    "rejected": "orders-rejected",
    "refused": "orders-refused",
    "breaker": "breaker-tripped",
    "protective": "protective-missing",
    "stop": "stop-not-moved",
    "difference": "reconcile-difference",
    "executions": "unknown-order",
    "drawdown": "drawdown",
    "liquidation": "liquidation",
    "journal": "journal-broken",
    "disk": "disk-low",
    "proposal": "proposal-expired",
    "halt": "halted",
    "incident": "incident",
    "delivery": "alerts-not-delivered",
    "watch": "watch-blind",
    "level": "level-reached",
    "parity": "parity",
    "deadguard": "guard-never-fires",
    "outside": "outside-data",
    "drift": "model-drift",
    "desk_drift": "desk-drift",
    "identity": "identity",
    "unclosed": "incident",
    "features": "features-missing",
    "strategy": "strategy-failing",
    "canary": "canary-rolled-back",
    "audit": "audit-failing",
    "silence": "silence",
    "maker": "maker",
}
RELEASE = "find out why; nightdesk release --reason WHY --as NAME"
ONE_OFF_KINDS = ("proposal", "incident")  # events rather than conditions: no recovery message


class ProcessExit(NamedTuple):
    """A child of the supervisor that exited unasked: `code` as subprocess gives it, None when unknown."""

    process: str
    code: int | None
    wall_ms: int
    why: str = ""  # its supervisor killed it, because of this

    @property
    def stays_down(self) -> bool:
        """Whether it was given up: nothing starts it again."""
        return "stays down" in self.why


class Finding(NamedTuple):
    """One thing that is wrong. `fingerprint` identifies it while it lasts; `level` rises when it gets worse."""

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
        """Path of the runbook for this kind."""
        return f"docs/runbooks/{RUNBOOKS[self.kind]}.md"


class WatchedLevel(NamedTuple):
    """A level that people watch, with its value at desk time; None where it is not known."""

    id: str
    text: str
    subject: str
    beyond: str  # below | above
    level: float
    value: float | None
    extreme: float | None  # what counts: of a price the last bar's low or high
    rearm: float  # where the value has to come back to before the alert is over
    rearms: str  # the same in words
    alerted: bool = False  # an alert on it is open


class DeskObservation(NamedTuple):
    """Everything the detectors read, gathered at one moment; times are wall times unless the name says desk."""

    now_ms: int
    checks: Mapping[str, HealthCheck]
    mark: Event | None
    config: Mapping[str, Any]  # body of the first config event: its sleeves
    heartbeat: Mapping[str, Any]  # the worker's last heartbeat
    pid: int | None  # of the process that holds the worker lock
    absent_ms: int | None  # since when no process holds it
    phase_ms: int  # since when the worker is in its phase
    exits: tuple[ProcessExit, ...]
    limits: HardLimits
    recent: tuple[Event, ...] = ()  # decisions and orders of the last bars
    tripped: tuple[Event, ...] = ()  # breakers whose pause or block may still be in force
    incidents: tuple[Event, ...] = ()
    away: Mapping[str, Event] = {}  # `venue of ...` -> the health event that last began it
    silent_instruments: tuple[str, ...] = ()  # instruments without prices
    expired: tuple[Mapping[str, Any], ...] = ()  # proposals that expired undecided
    undelivered: tuple[Mapping[str, Any], ...] = ()  # of each way that lost messages: sink, failed, since_ms, error
    watched: tuple[WatchedLevel, ...] = ()  # levels that people watch
    parity: Mapping[str, Any] = {}  # the last comparison with the backtest (parity_result.py)
    halt: Any = None  # engine.control.halt.Latch
    outside: Mapping[str, Mapping[str, Any]] = {}  # the last questions of declared outside series (outside_status.py)
    drift: Mapping[str, Any] = {}  # the last look at the inputs of models in use (drift_status.py)
    audit: Mapping[str, Any] = {}  # the last audit of the sleeves (audit_status.py)
    silences: Mapping[str, Any] = {}  # the last look at what fell silent (silence/status.py)
    failing: Mapping[str, str] = {}  # sleeves whose strategy says nothing, and why (failing_strategies.py)
    lacking: Mapping[str, list[str]] = {}  # sleeves that enter nothing for want of features (null_features.py)
    canaries: tuple[Any, ...] = ()  # engine.control.canary.CanaryRun, the latest of each sleeve
    windows: tuple[IncidentWindow, ...] = ()  # incident windows that are open
    identity: Mapping[str, Any] | None = None  # the last accounting identity (identity.py)
    makers: tuple[Mapping[str, Any], ...] = ()  # market makers at accounts (makers.py)
    dead: tuple[Any, ...] | None = ()  # engine.watch.deadguards.Rate of those that should have fired; None: not looked yet


def blind_finding(what: str, why: str, now_ms: int) -> Finding:
    """The finding for a check that could not run: unknown is never healthy."""
    text = f"{what} could not be checked: {why[:200]}"
    return Finding(
        f"watch:{what}", "watch", "page", text, what, now_ms, "run nightdesk doctor; an unknown state counts as unhealthy"
    )


def instrument_of(desk: DeskObservation, sleeve: str) -> str:
    """The sleeve's instrument, `binance:BTC-USDT:perp`; the sleeve's own name when the journal does not say."""
    for entry in desk.config.get("sleeves", ()):
        if entry["name"] == sleeve:
            return str(entry["instrument"])
    return sleeve


def position_text(desk: DeskObservation, sleeve: str) -> str:
    """`long 0.02 binance:BTC-USDT:perp (btc-trend)`, or that it is flat."""
    position = {} if desk.mark is None else desk.mark.body["sleeves"].get(sleeve, {}).get("position")
    if not position:
        return f"flat in {instrument_of(desk, sleeve)} ({sleeve})"
    return f"{position['side']} {quantity_text(position['quantity'])} {instrument_of(desk, sleeve)} ({sleeve})"


def open_positions(desk: DeskObservation) -> list[str]:
    """Every open position as text."""
    sleeves = {} if desk.mark is None else desk.mark.body["sleeves"]
    return [position_text(desk, name) for name, sleeve in sleeves.items() if sleeve.get("position")]


def is_gone(desk: DeskObservation, instrument: str) -> bool:
    """Whether the venue does not list an instrument any more: nothing that it says of it can be waited for."""
    off = {} if desk.mark is None else desk.mark.body.get("off", {})
    return str(off.get(instrument, "")).startswith(GONE)


def has_to_close(desk: DeskObservation, sleeve: str) -> bool:
    """Whether an exit of a sleeve that is refused matters: it holds something, and where it trades something can be closed."""
    position = desk.mark is not None and desk.mark.body["sleeves"].get(sleeve, {}).get("position")
    return bool(position) and not is_gone(desk, instrument_of(desk, sleeve))


def data_trouble(desk: DeskObservation, instrument: str) -> str:
    """Why an instrument, or its column of a longer timeframe, had no bar at a live feed's last close; "" where it had one."""
    blocked: Mapping[str, str] = {} if desk.mark is None else desk.mark.body.get("blocked", {})
    return str(blocked.get(f"data bar {instrument}", ""))


def is_trading(desk: DeskObservation) -> bool:
    """Whether the last mark is current, not of a replayed past."""
    return desk.mark is not None and desk.heartbeat.get("phase") != "replaying" and desk.mark.body.get("stamp") != "REPLAYED"
