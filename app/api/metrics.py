"""`/metrics` for Prometheus: the API's request counts and times, and gauges of the desk read at each scrape. Registered by
app.api.factory."""

import os
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from sqlmodel import col, func, select

from app.api.context import ApiContext, At, Who, now_ms
from app.processes.children import MEASURED
from engine.clock import DAY_MS
from engine.store import db
from engine.store.tables import Alert, Delivery, Job, Proposal, Turn
from engine.watch.desk_view import desk_view
from engine.watch.heartbeat import age_of, heartbeat_of

router = APIRouter(tags=["metrics"])
SEVERITIES = ("page", "warn", "note")
DELIVERY_STATES = ("sent", "waiting", "failed", "dropped")


class Meters:
    """The metrics of an API process; where several share a port, each adds to files that all of them read."""

    def __init__(self, desk: ApiContext) -> None:
        self.registry = CollectorRegistry()
        self.gauges = _DeskGauges(desk)
        names = ("method", "route", "status")
        self.requests = Counter("nightdesk_http_requests", "Requests answered.", names, registry=self.registry)
        self.seconds = Histogram("nightdesk_http_seconds", "Time to an answer.", ["route"], registry=self.registry)
        spans = (0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
        self.turns = Histogram("nightdesk_turn_seconds", "Length of a turn.", ["how"], buckets=spans, registry=self.registry)
        self.registry.register(self.gauges)

    def text(self) -> str:
        """All metrics, of all processes."""
        if MEASURED not in os.environ:
            return generate_latest(self.registry).decode()
        added_up = CollectorRegistry()
        MultiProcessCollector(added_up)  # type: ignore[no-untyped-call]  # prometheus_client says nothing of its arguments
        added_up.register(self.gauges)
        return generate_latest(added_up).decode()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)


class _DeskGauges:
    """Gauges read at each scrape."""

    def __init__(self, desk: ApiContext) -> None:
        self.desk = desk

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for name, (value, text) in self._gauges().items():
            if value is not None:
                gauge = GaugeMetricFamily(f"nightdesk_{name}", text)
                gauge.add_metric([], float(value))
                yield gauge
        for name, label, text, values in self._counted():
            family = GaugeMetricFamily(f"nightdesk_{name}", text, labels=[label])
            for word, value in values.items():
                family.add_metric([word], float(value))
            yield family

    def _counted(self) -> Iterator[tuple[str, str, str, dict[str, int]]]:
        """Counts by one word of a fixed list: the labels do not grow with what people write."""
        with db.read(self.desk.home.engine) as session:
            open_ = session.exec(select(Alert.severity, func.count()).where(Alert.state == "open").group_by(Alert.severity)).all()
            day_ms = now_ms() - DAY_MS
            sent = select(Delivery.state, func.count()).where(col(Delivery.created_ms) > day_ms).group_by(Delivery.state)
            deliveries = session.exec(sent).all()
        alerts, brought = dict(open_), dict(deliveries)
        yield "alerts_open", "severity", "Alerts that are open.", {word: alerts.get(word, 0) for word in SEVERITIES}
        yield (
            "deliveries_day",
            "state",
            "Messages of the last 24 hours.",
            {word: brought.get(word, 0) for word in DELIVERY_STATES},
        )

    def _gauges(self) -> dict[str, tuple[Any, str]]:
        home = self.desk.home
        view = desk_view(home.path, home.engine)
        with db.read(home.engine) as session:
            pending = session.exec(select(func.count()).where(Proposal.state == "pending")).one()
            turns = session.exec(select(func.count()).where(Turn.state == "running")).one()
            jobs = session.exec(select(func.count()).where(col(Job.state).in_(("queued", "running")))).one()
        beat = heartbeat_of(home.path) if view.worker.beat_ms else {}
        return {
            "halted": (int(view.halt.halted), "1 while the desk is halted."),
            "worker_up": (int(view.worker.running), "1 while a worker holds the desk."),
            "worker_silent_seconds": (
                age_of(beat, now_ms()).silent_ms / 1000 if beat else None,
                "Since the worker's last heartbeat.",
            ),
            "desk_time_seconds": (view.desk_ms / 1000 if view.desk_ms else None, "Desk time, as Unix time."),
            "equity": (view.equity, "Equity of the desk."),
            "drawdown_frac": (view.drawdown_frac, "Below the highest equity ever."),
            "breaker_drawdown_frac": (view.breaker_drawdown_frac, "Below the drawdown breaker's reference."),
            "gross_frac": (view.gross_frac, "Open notional, times equity."),
            "bars": (view.bars if view.mark else None, "Bars decided on."),
            "incident_windows": (len(view.windows) if view.mark else None, "Incident windows that are open."),
            "incident_pnl": (view.incident, "P&L made in incident windows, of the equity; no strategy's."),
            "proposals_pending": (pending, "Proposals that wait for a person."),
            "turns_running": (turns, "Turns that run."),
            "sleeves_open": (
                sum(1 for s in view.sleeves.values() if s.get("position")) if view.mark else None,
                "Sleeves in a position.",
            ),
            "jobs_live": (jobs, "Jobs that run or wait."),
        }


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(at: At, _: Who) -> PlainTextResponse:
    """Metrics in Prometheus' text format."""
    return PlainTextResponse(at.meters.text(), media_type="text/plain; version=0.0.4")
