"""What runs by itself in the supervisor: checks every few seconds, deliveries, cards, handover and parity, Slack's line.

Started by app.processes.watch_thread in the supervisor, reports of dead children come in through `Schedules.died`. APScheduler
runs each job on its own thread, one at a time: a slow Slack delays no check, a blocked API nothing at all. No model, no agent.
"""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from app.home.home import Home
from app.home.settings import AlertsEntry
from app.notify import deliveries, on_call, ways
from app.notify.by_apprise import AppriseSink
from app.notify.deliveries import Notification, Sink, Undelivered
from app.people.rota import rota_of
from app.processes.canary_watch import CanaryWatch
from app.processes.children import allowed, allowed_fetch, begun_beside, outside_command, parity_command, shadows_command
from app.processes.monitoring import Monitoring
from app.slack import sink
from app.slack.socket_mode import SocketConnection
from app.telegram.line import TelegramLine, line_of
from app.upkeep.retention import apply_retention
from app.views.incident_pages import write_pages
from engine.clock import DAY_MS, utc, utc_day
from engine.errors import DeskError
from engine.store import db
from engine.store.tables import Handover
from engine.watch import alert_rows, handover, watch_beat
from engine.watch.alert_rows import AlertChange, AlertPolicy
from engine.watch.detectors import evaluate
from engine.watch.flows import refresh_day_sums
from engine.watch.kept_lines import keep_lines
from engine.watch.observation import Finding, ProcessExit
from engine.watch.observer import Observer
from engine.watch.rota import shift_started
from engine.watch.shadow_journal import any_runs
from memory.decisions import write_decisions
from memory.shelf import Shelf, ShelfError

DELIVER_S = 1.0
CARDS_S = 3.0
FETCH_S = 300.0  # between two looks at which outside series are due
CANARIES_S = 60.0  # the same while a canary has a model
RETENTION_S = 6 * 3_600.0  # between two looks at what is older than desk.toml keeps it
SHADOWS_S = 3_600.0  # between two looks at what shadows of models say
HANDOVER_AT = "06:00"  # UTC, unless desk.toml says otherwise
MONITOR_S = 15.0  # between two looks at whether the monitor is due
SHIFT_S = 60.0  # between two looks at who is on call
LATE_MS = 6 * 3_600_000  # a handover that was missed is still made so much later
BLIND = 3  # checks in a row that failed: told without the database


class Schedules:
    """Everything that runs by itself over one home; `start` and `stop` from any thread."""

    def __init__(self, home: Home, sinks: list[Sink] | None = None, clock: Callable[[], int] = deliveries.now_ms) -> None:
        self.home, self.clock = home, clock
        self.slack = sink.connect(home) if sinks is None else None
        self.sinks: list[Sink] = sinks if sinks is not None else [*([self.slack] if self.slack else []), *ways.sinks_of(home)]
        self.telegram = telegram_line(home, self.sinks) if sinks is None else None
        self.observer = Observer(home.path, home.engine, home.desk.limits)
        self.canaries = CanaryWatch(home, clock)
        self.alert_policy = alert_policy_of(home.desk.alerts)
        self.monitor = Monitoring(home, clock)
        self.line = SocketConnection(home, self.slack) if self.slack and self.slack.app_token else None
        self._failed, self._blind = 0, False
        self._noted_ms = 0  # when the last look was written down
        self._jobs: Any = None
        self._comparing: Any = None  # the process of the last comparison
        self._fetching: Any = None  # the process of the last fetch of outside series
        self._recording: Any = None  # the process that records shadows of models
        self.observer.reads_outside = bool(home.desk.outside.series)

    def start(self) -> None:
        """Begin. Returns at once; nothing here waits for a network."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        entry = self.home.desk.alerts
        names = ("check", "deliver", "cards", "walk", "handover", "canaries", "monitor")
        pools = {name: ThreadPoolExecutor(1) for name in names} | {"default": ThreadPoolExecutor(1)}
        quiet = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._jobs = BackgroundScheduler(executors=pools, job_defaults=quiet, timezone=UTC, logger=sink.LOG)
        now = datetime.now(UTC)
        every = {
            "canaries": entry.check_s,
            "check": entry.check_s,
            "deliver": DELIVER_S,
            "cards": CARDS_S,
            "walk": entry.verify_minutes * 60,
        }
        work = {
            "canaries": self.canaries.look,
            "check": self.check,
            "deliver": self.deliver,
            "cards": self.cards,
            "walk": self.walk,
        }
        for name, seconds in every.items():
            self._jobs.add_job(kept(work[name]), "interval", seconds=seconds, executor=name, next_run_time=now, id=name)
        hour, _, minute = handover_at(self.home).partition(":")
        self._jobs.add_job(
            kept(self.compared_after(self.hand_over)),
            "cron",
            hour=int(hour),
            minute=int(minute),
            executor="handover",
            id="handover",
        )
        self._jobs.add_job(kept(self.compared_after(self.missed)), executor="handover", id="missed")
        self._jobs.add_job(kept(self.change_shift), "interval", seconds=SHIFT_S, executor="handover", id="shift")
        if self.home.desk.outside.series:  # nothing is fetched that desk.toml does not declare
            self._jobs.add_job(kept(self.fetch_outside), "interval", seconds=FETCH_S, next_run_time=now, id="outside")
        self._jobs.add_job(kept(self.record_shadows), "interval", seconds=SHADOWS_S, next_run_time=now, id="shadows")
        self._jobs.add_job(kept(self.compare_canaries), "interval", seconds=CANARIES_S, id="canary models")
        if self.home.desk.monitor.every_minutes:
            self._jobs.add_job(kept(self.monitor.look_when_due), "interval", seconds=MONITOR_S, executor="monitor", id="monitor")
        self._jobs.add_job(kept(self.let_go), "interval", seconds=RETENTION_S, next_run_time=now, id="retention")
        self._jobs.start()
        for line in (self.line, self.telegram):
            if line is not None:
                line.start()

    def walk(self) -> None:
        """Verify the journals, sum and keep the days that have become whole, check that the money adds up, write what people
        decided and what incidents were into the memory, and look for guards that never fire."""
        self.observer.verify_journals(self.clock())
        refresh_day_sums(self.home.path)
        keep_lines(self.home.path)
        with suppress(ShelfError):  # a person edits the page at this moment: the next time
            write_decisions(Shelf(self.home.path / "memory"), self.home.people_journal)
        self.observer.check_identity()
        write_pages(self.home.path)
        self.observer.look_for_dead_guards()
        self.observer.look_for_silences(self.clock())

    def let_go(self) -> None:
        """Remove, pack and turn over what [retention] of desk.toml says."""
        apply_retention(self.home, self.clock())

    def stop(self) -> None:
        """End; what is being delivered is left to the next start."""
        for line in (self.line, self.telegram):
            if line is not None:
                line.close()
        if self._jobs is not None:
            self._jobs.shutdown(wait=False)
        if self._comparing is not None and self._comparing.poll() is None:
            self._comparing.terminate()  # its job goes on by itself
        if self._fetching is not None and self._fetching.poll() is None:
            self._fetching.terminate()  # a file is replaced whole or not at all
        if self._recording is not None and self._recording.poll() is None:
            self._recording.terminate()  # a group of closes is appended whole or not at all
        self.monitor.stop()

    def died(self, process: str, code: int | None, why: str = "") -> None:
        """A child of the supervisor ended without being asked to."""
        self.observer.exits.append(ProcessExit(process, code, self.clock(), why))

    def check(self) -> list[AlertChange]:
        """Look once: findings -> alert rows and deliveries. A database that cannot be asked is told without it."""
        now_ms = self.clock()
        try:
            findings, unsure = evaluate(self.observer.observe(now_ms))
            policy, blind = on_call.with_rota(self.home, self.alert_policy, now_ms)
            names = [sink.name for sink in self.sinks]
            changes = alert_rows.apply_findings(self.home.engine, [*findings, *blind], unsure, now_ms, policy, names)
        except Exception as error:  # noqa: BLE001 - whatever stops the watch is itself the thing to tell
            self._failed += 1
            if self._failed >= BLIND and not self._blind:
                self._blind = self.shout(blind_row(f"{type(error).__name__}: {error}", now_ms), "opened")
            return []
        if self._blind:
            self._blind = not self.shout(
                {**blind_row("", now_ms), "what": "The watch sees again.", "resolved_ms": now_ms}, "resolved"
            )
        self._failed = 0
        if abs(now_ms - self._noted_ms) >= watch_beat.BEAT_MS:
            watch_beat.note_look(self.home.path, now_ms)
            self._noted_ms = now_ms
        self.monitor.alerted(changes)
        for change in changes:
            with suppress(DeskError):
                say(alert_rows.get(self.home.engine, change.alert), change.step)
        return changes

    def shout(self, row: Mapping[str, Any], step: str) -> bool:
        """Tell the terminal and every sink at once, past the database. True: it was told somewhere."""
        sys.stdout.write(f"ALERT {row['severity']} {step}: {row['what']}\n")
        sys.stdout.flush()
        for target in self.sinks:
            with suppress(Undelivered):
                target.send(Notification("alert", step, "watch", dict(row)))
        return True

    def deliver(self) -> int:
        """Bring what is due."""
        return deliveries.deliver(self.home, self.sinks, self.clock())

    def cards(self) -> None:
        """Cards of proposals that wait, and of those that were decided; whose workspace this is, while that is unknown."""
        deliveries.cards(self.home, [sink.name for sink in self.sinks], self.clock())
        if self.slack is not None:
            with suppress(Undelivered):
                self.slack.learn_team()

    def missed(self) -> bool:
        """A handover whose hour went by while nothing ran; False when none was made."""
        hour, _, minute = handover_at(self.home).partition(":")
        due_ms = self.clock() // DAY_MS * DAY_MS + (int(hour) * 60 + int(minute)) * 60_000
        return 0 <= self.clock() - due_ms <= LATE_MS and self.hand_over()

    def compared_after(self, made: Callable[[], bool]) -> Callable[[], None]:
        """A handover that is followed by the desk's comparison with its backtest, where it was made."""

        def hand_over_and_compare() -> None:
            if made():
                self.compare()

        return hand_over_and_compare

    def compare(self) -> None:
        """Begin the comparison with the backtest, in a process of its own: a job of the queue, not waited for here."""
        self._comparing = begun_beside(parity_command(), allowed(os.environ), self.home.path)

    def record_shadows(self) -> None:
        """Begin to record what shadows of stored models say, where one runs; the process before may still be at it."""
        if not (any_runs(self.home.path) or self.canaries.compares) or (
            self._recording is not None and self._recording.poll() is None
        ):
            return
        self._recording = begun_beside(shadows_command(), allowed(os.environ), self.home.path)

    def compare_canaries(self) -> None:
        """The same more often while a canary has a model."""
        if self.canaries.compares:
            self.record_shadows()

    def fetch_outside(self) -> None:
        """Begin a fetch of the outside series that are due, in a process of its own; the one before may still be at it."""
        if self._fetching is not None and self._fetching.poll() is None:
            return
        self._fetching = begun_beside(outside_command(), allowed_fetch(os.environ), self.home.path)

    def hand_over(self) -> bool:
        """Make today's handover and owe it to every sink; False when it was made already."""
        return self._keep_handover(utc_day(self.clock()))

    def change_shift(self) -> bool:
        """A handover to whoever is first on call now, once a shift; False where it is the same person, or it was made already."""
        started = shift_started(rota_of(self.home.path), self.clock())
        if started is None or self.clock() - started.since_ms > LATE_MS:
            return False
        key = f"{utc(started.since_ms)[:16]} {started.name}"
        return self._keep_handover(key, f"Shift: {started.before} hands over to {started.name}, {utc(started.since_ms)}.")

    def _keep_handover(self, key: str, first: str = "") -> bool:
        now_ms = self.clock()
        with db.read(self.home.engine) as session:
            if session.get(Handover, key) is not None:
                return False
        text, body = handover.make_handover(self.home.path, self.home.engine, now_ms)
        with db.write(self.home.engine) as session:
            if session.get(Handover, key) is not None:
                return False
            session.add(Handover(day=key, created_ms=now_ms, text=f"{first}\n{text}" if first else text, body=dumped(body)))
        deliveries.owe(self.home, f"handover {key}", "handover", [sink.name for sink in self.sinks], now_ms)
        return True


def telegram_line(home: Home, sinks: list[Sink]) -> TelegramLine | None:
    """The line of the chat in which buttons are pressed; None without Telegram."""
    entry, found = (
        home.desk.telegram,
        next((one for one in sinks if isinstance(one, AppriseSink) and one.name == "telegram"), None),
    )
    return None if entry is None or found is None else line_of(home, found, os.environ.get(entry.token_env, ""))


def dumped(body: Mapping[str, Any]) -> str:
    """JSON text of a body."""
    import json

    return json.dumps(body, sort_keys=True)


def alert_policy_of(entry: AlertsEntry) -> AlertPolicy:
    """How insistent desk.toml wants alerts to be."""
    quiet = [int(clock[:2]) * 60 + int(clock[3:]) for clock in (entry.quiet_from, entry.quiet_to)]
    escalate_ms = int(entry.escalate_minutes * 60_000)
    digest_ms = entry.digest_minutes * 60_000
    more: dict[str, Any] = {"quiet_from": quiet[0], "quiet_to": quiet[1], "digest_ms": digest_ms}
    return AlertPolicy(escalate_ms=escalate_ms, escalations_max=entry.escalations_max, **more)


def handover_at(home: Home) -> str:
    """The hour of the handover, UTC."""
    return home.desk.schedules.get("handover", HANDOVER_AT)


def blind_row(why: str, now_ms: int) -> dict[str, Any]:
    """The watch's own alert, when it cannot even write it down."""
    finding = Finding("watch", "watch", "page", f"The watch cannot see: {why[:300]}", "watch", now_ms, "run nightdesk doctor")
    return {**finding._asdict(), "id": "watch", "runbook": finding.runbook, "acked_ms": now_ms, "resolved_ms": None}


def say(row: Any, step: str) -> None:
    """One line on the terminal of `nightdesk up`, of what wakes somebody."""
    if row.severity == "page":
        sign = "over" if step == "resolved" else step
        sys.stdout.write(f"ALERT {row.severity} {row.id} {sign}: {visible(row.what)}\n")
        sys.stdout.flush()


def visible(text: str) -> str:
    """Outside text on one line of a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def kept(work: Callable[[], Any]) -> Callable[[], None]:
    """A job that fails is tried again at its next turn; what failed is seen by the checks."""

    def once() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - one failing job must not end the others
            sink.LOG.error("%s failed: %s", getattr(work, "__name__", "job"), type(error).__name__)

    return once
