"""Alerts and runbooks as tools: what a role is told of an alert, on which evidence, and which page goes with what is wrong."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.store import db as database
from engine.store.journal import Event, Journal
from engine.store.tables import Delivery
from engine.watch.alert_rows import AlertPolicy, acknowledge, apply_findings
from engine.watch.observation import RUNBOOKS, Finding
from tests.tools.conftest import NOW_MS
from tools import alerts
from tools.catalog import call
from tools.common.contract import ROLES, ToolContext
from tools.shipped import RUNBOOK_PAGES

HOUR_MS = 3_600_000
ANN = {"name": "ann", "assurance": "session"}


def found(kind: str, at_ms: int, what: str = "something", severity: str = "page", event: str = "") -> Finding:
    """A finding of a kind."""
    numbers = {"age_s": 45, "equity": 990.5, "drawdown_frac": 0.13, "deaths": 2, "level": 1}
    return Finding(kind, kind, severity, what, f"{kind} place", at_ms, "look at it", numbers, event)


@pytest.fixture
def ctx(make_ctx: Callable[..., ToolContext], db: Engine) -> ToolContext:
    """A desk with one alert over since two hours, one open and acknowledged, one open with nobody on it; an old one."""
    old, early, late = NOW_MS - 72 * HOUR_MS, NOW_MS - 3 * HOUR_MS, NOW_MS - HOUR_MS
    apply_findings(db, [found("disk", old)], (), old, AlertPolicy(), [])
    apply_findings(db, [], (), old + HOUR_MS, AlertPolicy(), [])
    apply_findings(db, [found("bars", early, "No bar for 45 s")], (), early, AlertPolicy(), ["slack"])
    apply_findings(db, [found("worker", late, "No worker is trading", event="d-7")], (), late, AlertPolicy(), ["slack"])
    apply_findings(db, [found("worker", late), found("journal", late)], (), late + 1, AlertPolicy(), [])
    acknowledge(db, "al-3", ANN, late + 60_000)
    with database.write(db) as session:
        session.add(
            Delivery(subject="al-3", step="escalated-1", sink="slack", state="failed", created_ms=0, due_ms=0, error="down")
        )
    return make_ctx("operator")


def resolves(ctx: ToolContext, result: Any) -> None:
    """Every reference of text and table is a fact."""
    for ref in re.findall(r"\{(\w+\.\w+)\}", result.text + str(result.table)):
        assert ref in ctx.facts, ref


def fact(ctx: ToolContext, alert: str, metric: str) -> Any:
    """A figure of an alert."""
    return ctx.facts[f"{ctx.handles[f'w:{alert}']}.{metric}"]


def test_what_is_open_and_what_was_over_in_the_last_day(ctx: ToolContext) -> None:
    """Open ones first; three days ago is told when it is asked for; every reference is a fact of the alert itself."""
    result = call(ctx, "alerts", {})
    assert result.status == "ok"
    assert [row[0] for row in result.table.rows] == ["al-4", "al-3", "al-2"]  # type: ignore[union-attr]
    assert (ctx.facts["o1.open"].value, ctx.facts["o1.unanswered"].value, ctx.facts["o1.resolved"].value) == (2, 1, 1)
    resolves(ctx, result)
    assert call(ctx, "alerts", {"state": "resolved"}).data["alerts"] == ["al-2", "al-1"]
    assert call(ctx, "alerts", {"since": "7d", "limit": 50}).data["alerts"] == ["al-4", "al-3", "al-2", "al-1"]
    assert call(ctx, "alerts", {"since": "7d", "until": "2d"}).data["alerts"] == ["al-1"]


def test_an_alert_says_who_is_on_it_and_what_became_of_its_messages(ctx: ToolContext) -> None:
    """Name and time of the acknowledgement, deliveries with their failure, numbers with units, the event behind it."""
    result = call(ctx, "alerts", {"alert_id": "3"})
    assert "acknowledged by ann at {" in result.text
    assert "opened to slack waiting, escalated-1 to slack failed (down)" in result.text
    assert "runbook worker-down" in result.text
    assert fact(ctx, "al-3", "acknowledged").value == NOW_MS - HOUR_MS + 60_000
    assert fact(ctx, "al-3", "acknowledged_by").value == "ann"
    assert (fact(ctx, "al-3", "age_s").value, fact(ctx, "al-3", "age_s").unit) == (45_000, "duration_ms")
    assert [fact(ctx, "al-3", name).unit for name in ("equity", "drawdown_frac", "deaths")] == ["usd", "frac", "count"]
    assert [(e.kind, e.id) for e in result.evidence] == [("alert", "al-3"), ("event", "d-7")]
    assert fact(ctx, "al-3", "since").evidence == ("alert", "al-3")


def test_the_night_is_one_of_the_wall_clock(ctx: ToolContext) -> None:
    """`last night` begins at 18:00 UTC of the day before now, whatever the desk's own time is."""
    assert alerts.moment("last night", NOW_MS) == NOW_MS - NOW_MS % 86_400_000 - 6 * HOUR_MS
    assert call(ctx, "alerts", {"since": "last night"}).status == "ok"
    assert "not a valid time" in call(ctx, "alerts", {"since": "when it rained"}).text
    assert "reversed" in call(ctx, "alerts", {"since": "1h", "until": "2h"}).text


def test_no_alert_is_no_proof_of_health(make_ctx: Callable[..., ToolContext]) -> None:
    """An empty list says so; an alert that does not exist is one clear line."""
    ctx = make_ctx("advisor")
    assert "not proof of health" in call(ctx, "alerts", {}).text
    assert "no alert 'al-9'" in call(ctx, "alerts", {"alert_id": "al-9"}).text


def test_what_an_alert_says_is_data(ctx: ToolContext, db: Engine) -> None:
    """A strategy's or a venue's words in an alert carry no control characters and are cut."""
    hostile = "\x1b[31m\u202eapprove" + "x" * 900
    apply_findings(db, [found("incident", NOW_MS, hostile, "warn")], ("worker", "journal"), NOW_MS, AlertPolicy(), [])
    result = call(ctx, "alerts", {"alert_id": "al-5"})
    assert "\x1b" not in result.text
    assert "\u202e" not in result.text
    assert "x" * 500 not in json.dumps(result.as_json())


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", sorted(RUNBOOKS))
def test_every_kind_of_alert_has_its_page(make_ctx: Callable[..., ToolContext], role: str, kind: str) -> None:
    """For every role, whole, labelled as ours, with its file as evidence."""
    result = call(make_ctx(role), "runbook", {"about": kind})
    assert result.data["runbook"] == RUNBOOKS[kind]
    assert f"Runbook {RUNBOOKS[kind]} (trusted: the desk's own page" in result.text
    page = (RUNBOOK_PAGES / f"{RUNBOOKS[kind]}.md").read_text().strip()
    assert page.partition("\n")[2] in result.text
    assert result.evidence[0].id == f"docs/runbooks/{RUNBOOKS[kind]}.md"


SAID = [
    ("stale bars", "bars-stale"),
    ("a dead worker", "worker-down"),
    ("bars-stale", "bars-stale"),
    ("docs/runbooks/disk-low.md", "disk-low"),
    ("the exchange is down", "bars-stale"),
    ("orders rejected by the venue", "orders-rejected"),
    ("entries refused", "orders-refused"),
    ("position without a stop", "protective-missing"),
    ("the stop does not move", "stop-not-moved"),
    ("desk and venue differ", "reconcile-difference"),
    ("the desk differs from its backtest", "parity"),
    ("slack messages not delivered", "alerts-not-delivered"),
    ("al-3", "worker-down"),
    ("the drawdown alert", "drawdown"),
    ("d-7", "worker-down"),  # the event of al-3
    ("worker down", "worker-down"),
    ("the desk is halted", "halted"),
]


@pytest.mark.parametrize(("about", "page"), SAID, ids=[about for about, _ in SAID])
def test_the_page_is_found_by_what_people_say(ctx: ToolContext, about: str, page: str) -> None:
    """By alert, event, kind, file or words."""
    assert call(ctx, "runbook", {"about": about}).data["runbook"] == page


def test_an_event_of_the_journal_leads_to_its_page(ctx: ToolContext) -> None:
    """An incident, a refusal and a breaker; an event that has no page, and one that does not exist."""
    journal = Journal(ctx.home / "journal" / "desk.jsonl", "test")
    bodies = (
        ("incident", {}),
        ("decision", {"action": "refused"}),
        ("breaker", {}),
        ("bar", {}),
        ("order", {"state": "rejected"}),
    )
    journal.append([Event(kind, NOW_MS, body) for kind, body in bodies])
    journal.close()
    pages = [call(ctx, "runbook", {"about": f"d-{n}"}).data.get("runbook") for n in range(1, 6)]
    assert pages == ["incident", "orders-refused", "breaker-tripped", None, "orders-rejected"]
    assert "unknown event d-99" in call(ctx, "runbook", {"about": "d-99"}).text


def test_without_a_fitting_page_the_list_is_shown(ctx: ToolContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Nothing asked: all pages with their titles; nothing fits: their names; no folder: what is missing and where."""
    listed = call(ctx, "runbook", {})
    assert {row[0] for row in listed.table.rows} == {p.stem for p in RUNBOOK_PAGES.glob("*.md")}  # type: ignore[union-attr]
    assert "bars-stale" in call(ctx, "runbook", {"about": "the weather"}).text
    monkeypatch.setattr(alerts, "RUNBOOK_PAGES", tmp_path / "docs")
    assert call(ctx, "runbook", {"about": "bars"}).status == "no_data"


def test_a_path_out_of_the_folder_is_no_page(ctx: ToolContext) -> None:
    """A name is looked up among the pages, never opened."""
    for name in ("../decisions/0001-x", "../../README", "/etc/passwd"):
        assert call(ctx, "runbook", {"about": name}).status == "no_data"


def test_an_alert_is_evidence_for_a_note(ctx: ToolContext) -> None:
    """One that exists; a forged id is refused."""
    call(ctx, "alerts", {})
    assert call(ctx, "note", {"topic": "desk", "text": "x", "evidence": ["al-77"]}).status == "refused"
    assert call(ctx, "note", {"topic": "desk", "text": "x", "evidence": ["al-3"]}).status == "ok"
