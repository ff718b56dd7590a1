"""Gathers what the detectors read: home, database, clock -> DeskObservation. Called by app.processes.scheduler.

It remembers three things between observations: since when no worker holds the journal, since when the worker is in its phase,
and the last journaled incident it saw. Everything else is read anew, from the ends of files.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import col, func, select

from engine.clock import DAY_MS
from engine.control import halt
from engine.control.canary import canaries
from engine.control.limits import HardLimits
from engine.control.proposals import expire_due
from engine.control.watches import in_force
from engine.errors import DeskError
from engine.store import db
from engine.store.chain import Event
from engine.store.journal import tail
from engine.store.tables import Delivery, Proposal
from engine.watch import deadguards, health, identity
from engine.watch.audit_status import last_audit
from engine.watch.detectors import REFUSED_ROW_MAX
from engine.watch.drift_status import last_drift
from engine.watch.heartbeat import heartbeat_of
from engine.watch.incidents import IncidentWindow, windows_of
from engine.watch.last_closes import failing_now, steps_of
from engine.watch.levels import alerted, watched
from engine.watch.makers import at_accounts
from engine.watch.null_features import lacking_now
from engine.watch.observation import DeskObservation, ProcessExit
from engine.watch.outside_status import read_status
from engine.watch.parity_result import last_result
from engine.watch.silence.status import last_silences, look_for_silences
from engine.watch.tripped import tripped_events
from engine.watch.window import FAR_MS, between, instruments_of, journal_of, mark_at

AWAY = "venue of "  # how engine.live.health names a venue that does not say what was executed
INCIDENT_MS = 600_000  # how long a journaled incident stays open as an alert
EXPIRED_MS = 3_600_000  # the same for an expired proposal
FAILED_MS = 3_600_000  # the same for an undelivered message
UNSEEN_MAX = 100_000  # events since the last look that are searched for incidents, at most
WRITTEN_MEANWHILE = 1_000  # room for what is journaled between two readings of its end
ROWS_BACK = 3 * REFUSED_ROW_MAX  # bars of decisions, orders and fills in an observation


class Observer:
    """Observes one home, again and again; `exits` is filled by the supervisor."""

    def __init__(self, home: Path, engine: Engine, limits: HardLimits) -> None:
        self.home, self.engine, self.limits = home, engine, limits
        self.exits: deque[ProcessExit] = deque(maxlen=50)
        self.reads_outside = False  # whether desk.toml declares outside series
        self.verified: health.HealthCheck | None = None  # result of the last `verify_journals`
        self._full_verify_ms = -DAY_MS  # when they were last verified from end to end
        self._absent_ms: int | None = None
        self._phase: tuple[Any, ...] = ()
        self._phase_ms = 0
        self._incidents: deque[tuple[int, Event]] = deque(maxlen=20)
        self._away: dict[str, Event] = {}  # `venue of ...` -> the health event that last began it
        self._searched_seq = -1  # the newest event already searched for incidents
        self._config: Mapping[str, Any] = {}
        self._windows: tuple[IncidentWindow, ...] = ()  # those that are open
        self._identity: Mapping[str, Any] | None = None  # result of the last `check_identity`
        self._dead: tuple[deadguards.Rate, ...] | None = None  # result of the last `look_for_dead_guards`

    def observe(self, now_ms: int) -> DeskObservation:
        """The desk at wall time `now_ms`. Raises DeskError when the journal's end or the database cannot be read at all."""
        path = journal_of(self.home)
        mark = mark_at(path)
        heartbeat, pid = heartbeat_of(self.home), health.worker_pid(self.home)
        self._track_worker(now_ms, pid, heartbeat)
        return DeskObservation(
            now_ms=now_ms,
            checks=self._checks(now_ms, mark),
            mark=mark,
            config=self._first_config(path),
            heartbeat=heartbeat,
            pid=pid,
            absent_ms=self._absent_ms,
            phase_ms=self._phase_ms,
            exits=tuple(self.exits),
            limits=self.limits,
            recent=self._recent(path, mark),
            tripped=tripped_events(path, mark, self.limits.pause_hours),
            incidents=self._recent_incidents(path, now_ms),
            away=dict(self._away),
            silent_instruments=tuple(health.silent_instruments(self.home, mark)[0]) if mark is not None else (),
            expired=self._expired(now_ms),
            undelivered=self._undelivered(now_ms),
            watched=watched(path, mark, in_force(self.engine), alerted(self.engine)),
            parity=last_result(self.home),
            outside=read_status(self.home) if self.reads_outside else {},
            drift=last_drift(self.home),
            audit=last_audit(self.home),
            silences=last_silences(self.home),
            failing=failing_now(path, mark, self._first_config(path)),
            lacking=lacking_now(path, mark, self._first_config(path)),
            halt=halt.read(self.home, self.engine),
            dead=self._dead,
            makers=at_accounts(self.home),
            canaries=tuple(canaries(self.engine)),
            identity=self._identity,
            windows=self._open_windows(path, mark),
        )

    def verify_journals(self, now_ms: int) -> None:
        """Verify both journals; later observations carry the result. `now_ms`: wall time.

        Once a day from end to end (a year of journal takes most of a minute); in between only the new records are walked and
        the bytes before them compared with their digest.
        """
        since = now_ms - self._full_verify_ms < DAY_MS
        if not since:
            self._full_verify_ms = now_ms
        self.verified = health.run_check("journals", lambda: health.journals(self.home, self.engine, since=since, note_ms=now_ms))

    def look_for_dead_guards(self) -> None:
        """Compare firing rates with the baseline, if there is one; later observations carry the result. What cannot be compared
        leaves the alerts as they are.
        """
        self._dead = None
        found = deadguards.compared(self.home, self.limits)
        self._dead = () if found is None else found.dead

    def look_for_silences(self, now_ms: int) -> None:
        """Look what stopped happening; later observations read what is kept. `now_ms`: wall time."""
        look_for_silences(self.home, self.limits, now_ms)

    def check_identity(self) -> None:
        """Sum the desk's money from its events and compare it with its equity; later observations carry the result."""
        try:
            identity.refresh(self.home)
            self._identity = identity.identity_json(identity.identity(self.home))
        except (DeskError, KeyError, TypeError, ValueError) as error:
            self._identity = {"failed": f"{type(error).__name__}: {error}"}

    def _checks(self, now_ms: int, mark: Event | None) -> dict[str, health.HealthCheck]:
        """The quick health checks; the journals' is the last result of `verify_journals`."""
        checks = {
            "worker": lambda: health.worker(self.home, now_ms),
            "protective orders": lambda: health.positions(mark, instruments_of(journal_of(self.home))),
            "journals": lambda: health.journal_ends(self.home),
            "disk": lambda: health.disk(self.home),
        }
        found = {name: health.run_check(name, check) for name, check in checks.items()}
        if found["journals"].state != "ok":
            found["journals"] = found["journals"]._replace(state="bad")  # an end without a valid hash is damage
        elif self.verified is not None and self.verified.state != "ok":
            found["journals"] = self.verified
        return found

    def _track_worker(self, now_ms: int, pid: int | None, heartbeat: Mapping[str, Any]) -> None:
        """Update since when the worker is absent, and since when it is in its phase."""
        self._absent_ms = (self._absent_ms if self._absent_ms is not None else now_ms) if pid is None else None
        phase = (pid, heartbeat.get("pid"), heartbeat.get("phase"))
        if phase != self._phase:
            self._phase, self._phase_ms = phase, now_ms

    def _first_config(self, path: Path) -> Mapping[str, Any]:
        """Body of the first config event: the sleeves of a home and their instruments never change."""
        if not self._config:
            first = next(between(path, -1, FAR_MS, {"config"}), None)
            self._config = first.body if first is not None else {}
        return self._config

    def _open_windows(self, path: Path, mark: Event | None) -> tuple[IncidentWindow, ...]:
        """Incident windows that are open; the journal is searched where others are than the last time."""
        names = [] if mark is None else list(mark.body.get("windows") or ())
        if names != [window.id for window in self._windows]:
            self._windows = tuple(window for window in windows_of(path) if window.id in names)
        return self._windows

    def _recent(self, path: Path, mark: Event | None) -> tuple[Event, ...]:
        """Decisions, orders and fills of the last bars, and the decisions that refusals in force began with."""
        if mark is None:
            return ()
        config = self._first_config(path)
        slowest = max(steps_of(config).values(), default=0) * max(REFUSED_ROW_MAX, self.limits.rejections_row_max)
        since_ms = mark.t_event_ms - max(ROWS_BACK * int(config["start"]["timeframe_ms"]), slowest)
        began = {s["guard"]["refused_ms"] for s in mark.body["sleeves"].values() if s["guard"]["refused_ms"] is not None}
        older = [e for ms in sorted(began) if ms < since_ms for e in between(path, ms - 1, ms, {"decision"})]
        return (*older, *between(path, since_ms - 1, mark.t_event_ms, {"decision", "order", "fill"}))

    def _recent_incidents(self, path: Path, now_ms: int) -> tuple[Event, ...]:
        """Incidents journaled since the first observation and within INCIDENT_MS."""
        newest = max([self._searched_seq, 0, *(e.seq for e in tail(path, 1))])
        if self._searched_seq >= 0:
            count = min(newest - self._searched_seq, UNSEEN_MAX)
            found = tail(path, count + WRITTEN_MEANWHILE, {"incident", "health"}) if count else []
            unseen = [e for e in found if self._searched_seq < e.seq <= newest]
            self._incidents.extend((now_ms, e) for e in unseen if e.kind == "incident")
            begun = (e for e in unseen if e.kind == "health" and e.body["state"] == "begun")
            self._away |= {what: e for e in begun if (what := str(e.body["what"])).startswith(AWAY)}
        self._searched_seq = newest
        while self._incidents and now_ms - self._incidents[0][0] >= INCIDENT_MS:
            self._incidents.popleft()
        return tuple(event for _, event in self._incidents)

    def _expired(self, now_ms: int) -> tuple[Mapping[str, Any], ...]:
        """Recently expired proposals."""
        expire_due(self.engine, now_ms)
        lately = (col(Proposal.state) == "expired", col(Proposal.expires_ms) > now_ms - EXPIRED_MS)
        with db.read(self.engine) as session:
            rows = session.exec(select(Proposal).where(*lately)).all()
            return tuple({"id": r.id, "sleeve": r.sleeve, "direction": r.direction, "expires_ms": r.expires_ms} for r in rows)

    def _undelivered(self, now_ms: int) -> tuple[Mapping[str, Any], ...]:
        """Messages recently given up, of each way by itself that has brought nothing since."""
        lost = (col(Delivery.state) == "failed", col(Delivery.due_ms) > now_ms - FAILED_MS)
        sent = select(Delivery.sink, func.max(Delivery.sent_ms)).group_by(Delivery.sink)
        ways: dict[str, list[Delivery]] = {}
        with db.read(self.engine) as session:
            for row in session.exec(select(Delivery).where(*lost).order_by(col(Delivery.due_ms))).all():
                ways.setdefault(row.sink, []).append(row)
            at = dict(session.exec(sent).all()) if ways else {}
        silent = {sink: rows for sink, rows in ways.items() if (at[sink] or 0) <= rows[-1].due_ms}
        return tuple(
            {"sink": sink, "failed": len(rows), "since_ms": rows[0].due_ms, "error": rows[-1].error}
            for sink, rows in silent.items()
        )
