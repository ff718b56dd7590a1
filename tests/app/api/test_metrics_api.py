"""Prometheus: every metric that the shipped dashboard and rules name exists, labels are few and fixed, a token is needed."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.watch.alert_rows import AlertPolicy, apply_findings
from engine.watch.observation import Finding

yaml = importlib.import_module("yaml")  # it has no types
FOLDER = Path(__file__).resolve().parents[3] / "docs" / "grafana"
NAME = re.compile(r"\bnightdesk_[a-z_]+")
FIXED = {
    "severity": {"page", "warn", "note"},
    "state": {"sent", "waiting", "failed", "dropped"},
    "method": {"GET", "POST", "DELETE"},
    "how": {"cached", "offline", "model", "failed"},
}
ONLY_WITH_A_MARK = {
    "desk_time_seconds",
    "equity",
    "drawdown_frac",
    "breaker_drawdown_frac",
    "gross_frac",
    "bars",
    "incident_windows",
}
ONLY_WITH_A_MARK |= {"incident_pnl", "sleeves_open", "worker_silent_seconds"}


@pytest.fixture
def text(served: Any, api: Any) -> str:
    """The metrics of a desk with an open alert whose words are somebody else's."""
    found = [Finding("bars", "bars", "page", 'evil "label"\n# HELP', "BTC", 1, "look")]
    apply_findings(served.home.engine, found, frozenset(), 1, AlertPolicy(), ["slack"])
    api.get("/api/desk")
    api.get("/api/runs/r-20261120-0a1b2c3d")
    return str(api.get("/metrics").text)


def _shipped() -> list[str]:
    """Every expression of the dashboard and the rules."""
    board = json.loads((FOLDER / "dashboard.json").read_text())
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    exprs = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return exprs + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_every_metric_that_is_shipped_exists(served: Any, text: str) -> None:
    """By its name in the text, or, of a desk that has not begun, among the gauges that need a mark."""
    from app.api.metrics import _DeskGauges

    there = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    gauges = {f"nightdesk_{name}" for name in _DeskGauges(served.desk)._gauges()}
    assert gauges - there <= {f"nightdesk_{name}" for name in ONLY_WITH_A_MARK}
    histograms = {"nightdesk_turn_seconds_bucket"}  # no turn has run
    named = {name for expr in _shipped() for name in NAME.findall(expr)}
    assert len(named) > 15
    assert named - there - gauges - histograms == set()


def test_labels_are_few_and_none_is_somebodys_text(text: str) -> None:
    """A route is its pattern, never an id; nothing of an alert's words is here."""
    labels = [
        (key, value) for family in text_string_to_metric_families(text) for s in family.samples for key, value in s.labels.items()
    ]
    assert {key for key, _ in labels} <= {*FIXED, "route", "status", "le"}
    for key, value in labels:
        if key in ("severity", "state"):
            assert value in FIXED[key]
    routes = {value for key, value in labels if key == "route"}
    assert "/api/runs/{run_id}" in routes
    assert not any("r-2026" in value for _, value in labels)
    assert "evil" not in text
    assert 'nightdesk_alerts_open{severity="page"} 1.0' in text
    assert 'nightdesk_deliveries_day{state="waiting"} 0.0' in text  # it was queued long ago


def test_it_needs_a_token(served: Any) -> None:
    """A read-only one is enough; none is not."""
    with httpx.Client(base_url=served.url) as nobody:
        assert nobody.get("/metrics").status_code == 401
    with served.client("prometheus", "read") as client:
        assert client.get("/metrics").status_code == 200


def test_the_shipped_files_are_whole() -> None:
    """Unique panels that do not overlap; each rule has a severity and a sentence; the scrape job names what the rules ask for."""
    board = json.loads((FOLDER / "dashboard.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    rules = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    assert all(rule["labels"]["severity"] in ("page", "warn") and rule["annotations"]["summary"] for rule in rules)
    scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert [job["job_name"] for job in scrape["scrape_configs"]] == ["nightdesk"]
    for found in re.findall(r"docs/runbooks/[a-z-]+\.md", (FOLDER / "alerts.yml").read_text()):
        assert (FOLDER.parents[1] / found).is_file()
