"""Gathers what the rules of engine.watch.anomalies look at: home, database, clock -> a scene. Called by app.processes.scheduler.

It remembers three things between two looks: since when no worker holds the journal, since when the worker has been in its
phase, and which incidents the journal has told. Everything else is read anew, from the ends of files.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import col, func, select

from engine.clock import DAY_MS
from engine.control import halt
from engine.control.limits import HardLimits
from engine.control.proposals import expire_due
from engine.store import db
from engine.store.chain import Event
from engine.store.journal import tail
from engine.store.tables import Delivery, Proposal
from engine.watch import health
from engine.watch.anomalies import REFUSED_ROW
from engine.watch.heartbeat import heartbeat_of
from engine.watch.observation import ProcessExit, Scene
from engine.watch.window import FAR_MS, between, journal_of, mark_at

INCIDENT_MS = 600_000  # how long an incident of the journal stands as an alert
EXPIRED_MS = 3_600_000  # the same for a proposal nobody decided
FAILED_MS = 3_600_000  # the same for a message that was given up
TAIL = 150  # events at the journal's end in which incidents are looked for
ROWS_BACK = 3 * REFUSED_ROW  # bars of decisions and orders that are looked at


class Lookout:
    """The eyes of one home."""

    def __init__(self, home: Path, engine: Engine, limits: HardLimits) -> None:
        self.home, self.engine, self.limits = home, engine, limits
        self.deaths: deque[ProcessExit] = deque(maxlen=50)
        self.verified: health.Check | None = None  # the last walk along both whole journals
        self._whole_ms = -DAY_MS  # when they were last walked from end to end
        self._absent_ms: int | None = None
        self._phase: tuple[Any, ...] = ()
        self._phase_ms = 0
        self._incidents: deque[tuple[int, Event]] = deque(maxlen=20)
        self._told = -1  # the newest event in which incidents were looked for
        self._config: Mapping[str, Any] = {}

    def look(self, now_ms: int) -> Scene:
        """The scene at wall time `now_ms`. Raises DeskError when the journal's end or the database cannot be read at all."""
        path = journal_of(self.home)
        mark = mark_at(path)
        beat, pid = heartbeat_of(self.home), health.holder(self.home / "journal" / "desk.lock")
        self._remember(now_ms, pid, beat)
        return Scene(
            now_ms=now_ms,
            checks=self._checks(now_ms, mark),
            mark=mark,
            config=self._configured(path),
            beat=beat,
            pid=pid,
            absent_ms=self._absent_ms,
            phase_ms=self._phase_ms,
            deaths=tuple(self.deaths),
            limits=self.limits,
            recent=self._recent(path, mark),
            tripped=self._tripped(path, mark),
            incidents=self._told_incidents(path, now_ms),
            silent=tuple(health.silent(self.home, mark)[0]) if mark is not None else (),
            expired=self._expired(now_ms),
            undelivered=self._undelivered(now_ms),
            halt=halt.read(self.home, self.engine),
        )

    def walk(self, now_ms: int) -> None:
        """Verify both journals; the next looks tell what was found. `now_ms`: wall time.

        From end to end once a day: a year of journal takes the better part of a minute. What was added, and the bytes before,
        in between.
        """
        since = now_ms - self._whole_ms < DAY_MS
        if not since:
            self._whole_ms = now_ms
        self.verified = health.looked_at("journals", lambda: health.journals(self.home, self.engine, since=since, note_ms=now_ms))

    def _checks(self, now_ms: int, mark: Event | None) -> dict[str, health.Check]:
        """What health says, without its walk along the whole journal: that is `walk`."""
        looks = {
            "worker": lambda: health.worker(self.home, now_ms),
            "protective orders": lambda: health.positions(mark),
            "journals": lambda: health.ends(self.home),
            "disk": lambda: health.disk(self.home),
        }
        found = {name: health.looked_at(name, look) for name, look in looks.items()}
        if found["journals"].state != "ok":
            found["journals"] = found["journals"]._replace(state="bad")  # an end that carries no hash is damage
        elif self.verified is not None and self.verified.state != "ok":
            found["journals"] = self.verified
        return found

    def _remember(self, now_ms: int, pid: int | None, beat: Mapping[str, Any]) -> None:
        """Since when the worker is away, and since when it does what it does."""
        self._absent_ms = (self._absent_ms if self._absent_ms is not None else now_ms) if pid is None else None
        phase = (pid, beat.get("pid"), beat.get("phase"))
        if phase != self._phase:
            self._phase, self._phase_ms = phase, now_ms

    def _configured(self, path: Path) -> Mapping[str, Any]:
        """Body of the first config event: a home keeps its sleeves and their instruments for good."""
        if not self._config:
            first = next(between(path, -1, FAR_MS, {"config"}), None)
            self._config = first.body if first is not None else {}
        return self._config

    def _recent(self, path: Path, mark: Event | None) -> tuple[Event, ...]:
        """Decisions and orders of the last bars."""
        if mark is None:
            return ()
        step = int(self._configured(path)["start"]["timeframe_ms"])
        return tuple(between(path, mark.t_event_ms - ROWS_BACK * step - 1, mark.t_event_ms, {"decision", "order"}))

    def _tripped(self, path: Path, mark: Event | None) -> tuple[Event, ...]:
        """Breaker events that may still hold something back; looked for only when something is."""
        sleeves = {} if mark is None else mark.body["sleeves"]
        if mark is None or not any(s.get("blocked_until_ms") or s.get("paused_until_ms") for s in sleeves.values()):
            return ()
        back = int(self.limits.pause_hours * 3_600_000) + 2 * DAY_MS
        return tuple(e for e in between(path, mark.t_event_ms - back, mark.t_event_ms, {"breaker"}) if e.body["sleeve"])

    def _told_incidents(self, path: Path, now_ms: int) -> tuple[Event, ...]:
        """Incidents that the journal has told since the first look, and lately."""
        events = tail(path, TAIL)
        if self._told >= 0:
            self._incidents.extend((now_ms, e) for e in events if e.kind == "incident" and e.seq > self._told)
        self._told = max([self._told, 0, *(e.seq for e in events[-1:])])
        while self._incidents and now_ms - self._incidents[0][0] >= INCIDENT_MS:
            self._incidents.popleft()
        return tuple(event for _, event in self._incidents)

    def _expired(self, now_ms: int) -> tuple[Mapping[str, Any], ...]:
        """Proposals that ran out of time lately."""
        expire_due(self.engine, now_ms)
        lately = (col(Proposal.state) == "expired", col(Proposal.expires_ms) > now_ms - EXPIRED_MS)
        with db.read(self.engine) as session:
            rows = session.exec(select(Proposal).where(*lately)).all()
            return tuple({"id": r.id, "sleeve": r.sleeve, "direction": r.direction, "expires_ms": r.expires_ms} for r in rows)

    def _undelivered(self, now_ms: int) -> Mapping[str, Any]:
        """Messages that a sink did not take, and were given up lately, with nothing delivered since."""
        lost = (col(Delivery.state) == "failed", col(Delivery.due_ms) > now_ms - FAILED_MS)
        with db.read(self.engine) as session:
            rows = session.exec(select(Delivery).where(*lost).order_by(col(Delivery.due_ms))).all()
            if not rows:
                return {}
            sent = session.exec(select(func.max(Delivery.sent_ms)).where(Delivery.sink == rows[-1].sink)).one()
            if sent is not None and sent > rows[-1].due_ms:
                return {}
            return {"sink": rows[-1].sink, "failed": len(rows), "since_ms": rows[0].due_ms, "error": rows[-1].error}
