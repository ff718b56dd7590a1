"""A desk with a canary, by hand: evidence with known worst stretches, an approved card, a journal that says what a test wants."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from app.home.home import Home
from app.people import approvals
from app.people.identity import Actor
from engine.control import proposals
from engine.control.canary import CanaryPlan, CanaryRun, canaries
from engine.control.config import active
from engine.store.chain import Event
from engine.store.journal import Journal
from engine.store.tables import Proposal

NOW = 1_700_000_000_000
BAR = 900_000
START = 1_699_920_000_000  # of the evidence
BEGAN = 1_700_006_400_000  # desk time at which the canary governs
SLEEVE = "btc-trend"
ANN = Actor("ann", "claimed", "tester", "cli")
PLAN = CanaryPlan(0.25, 4, None)
EVERY = 10  # bars between two entries of the evidence
TRIPS = 40


def frames() -> dict[str, pl.DataFrame]:
    """A run of 40 round trips, one each 10 bars of which 4 are held: 2 bps of slippage each, 4 in two neighbours of the middle; a
    fall of 2 % in one stretch; a refusal at every 20th bar; one wait of 30 bars.
    """
    entry = [START + n * EVERY * BAR + (20 * BAR if n >= 30 else 0) for n in range(TRIPS)]
    slip = [4.0 if n in (20, 21) else 2.0 for n in range(TRIPS)]
    trips = {
        "entry_ms": entry,
        "exit_ms": [ms + 4 * BAR for ms in entry],
        "units": [1.0] * TRIPS,
        "entry_price": [100.0] * TRIPS,
        "slippage": [100.0 * bps / 1e4 for bps in slip],
    }
    closes = [START + n * BAR for n in range(TRIPS * EVERY + 30)]
    equity = [10_000.0 - (200.0 if 105 <= n < 120 else 0.0) for n in range(len(closes))]
    refused = closes[::20]
    decisions = {"close_ms": refused, "refused_by": ["gross_frac_max"] * len(refused)}
    frame = {"trips": pl.DataFrame(trips), "equity": pl.DataFrame({"close_ms": closes, "equity": equity})}
    return {**frame, "decisions": pl.DataFrame(decisions)}


def evidence(home: Home, changes: Mapping[str, Any], sleeve: str = SLEEVE, place: str = "0") -> list[dict[str, Any]]:
    """Stored runs of the configuration in force and of the changed one, the latter with its frames."""
    config, found = active(home.engine, home.path).config.sleeve(sleeve), []
    for n, (role, params) in enumerate((("base", {}), ("changed", changes))):
        run_id = f"r-20231114-{place}{n:07x}"
        folder = home.runs / run_id
        folder.mkdir(exist_ok=True, parents=True)
        ran = {"strategy": config.strategy, "symbol": config.symbol, "params": {**config.params, **params}}
        (folder / "run.json").write_text(json.dumps({"sleeves": [ran], "data": {}, "code_hash": "c"}))
        for name, frame in frames().items():
            frame.write_parquet(folder / f"{name}.parquet")
        found.append({"role": role, "run_id": run_id})
    return found


def proposed(home: Home, changes: Mapping[str, Any], plan: CanaryPlan | None = PLAN, now_ms: int = NOW) -> Proposal:
    """A pending card with a canary."""
    who = {"role": "developer", "thread": "t-1", "person": "ann"}
    more: dict[str, Any] = {"rationale": "why not", "requester": who, "now_ms": now_ms, "canary": plan}
    runs = evidence(home, changes)
    return proposals.create(home.engine, home.path, sleeve=SLEEVE, changes=dict(changes), evidence=runs, **more)


def approved(home: Home, changes: Mapping[str, Any], plan: CanaryPlan | None = PLAN) -> CanaryRun:
    """The canary of a card that ann approved."""
    row = proposed(home, changes, plan)
    approvals.approve(home, row.id, row.diff_sha256, ANN, NOW + 1)
    return the_canary(home)


def the_canary(home: Home, sleeve: str = SLEEVE) -> CanaryRun:
    """The one of the sleeve, as it is now."""
    return next(run for run in canaries(home.engine) if run.sleeve == sleeve)


def spanning(home: Home, changes: Mapping[str, Mapping[str, Any]], plan: CanaryPlan | None, now_ms: int = NOW) -> Proposal:
    """A pending card of several sleeves."""
    who = {"role": "developer", "thread": "t-1", "person": "ann"}
    more: dict[str, Any] = {"rationale": "both", "requester": who, "now_ms": now_ms, "canary": plan}
    runs = {sleeve: evidence(home, own, sleeve, f"{n}") for n, (sleeve, own) in enumerate(changes.items())}
    return proposals.create_spanning(
        home.engine, home.path, changes={s: dict(own) for s, own in changes.items()}, evidence=runs, **more
    )


class TriedDesk:
    """Writes the desk journal of a canary, bar by bar."""

    def __init__(self, home: Home, version: int = 2, sleeve: str = SLEEVE) -> None:
        self.home, self.version, self.bar, self.equity, self.sleeve = home, version, 0, 10_000.0, sleeve
        self.append("config", {"sleeve": sleeve, "version": version, "state": "governs"})

    @property
    def now_ms(self) -> int:
        """Desk time."""
        return BEGAN + self.bar * BAR

    def append(self, kind: str, body: Mapping[str, Any]) -> None:
        """One event at desk time."""
        journal = Journal(self.home.desk_journal, "worker")
        try:
            journal.append([Event(kind, self.now_ms, body)])
        finally:
            journal.close()

    def closes(self, count: int = 1, desk: Mapping[str, Any] | None = None, **sleeve: Any) -> "TriedDesk":
        """So many bars, each with its mark; `desk`: more of the mark, `sleeve`: of the sleeve."""
        journal, events = Journal(self.home.desk_journal, "worker"), []
        for _ in range(count):
            self.bar += 1
            own = {"equity": self.equity, "version": self.version, "trips": 0} | sleeve
            events.append(Event("mark", self.now_ms, {"sleeves": {self.sleeve: own}, "version": self.version, **(desk or {})}))
        try:
            journal.append(events)
        finally:
            journal.close()
        return self

    def trip(self, bps: float = 2.0, bars: int = 4) -> "TriedDesk":
        """A round trip of 100 lots that pays so much slippage both ways, and its bars."""
        half = 100.0 * bps / 2e4
        for slot, side, sign in (("entry", "buy", 1), ("protective", "sell", -1)):
            price = 100.0 + sign * half
            fill = {"sleeve": self.sleeve, "slot": slot, "side": side, "lots": 100, "price": price, "reference_price": 100.0}
            self.append("fill", fill)
            self.closes(bars // 2)
        return self
