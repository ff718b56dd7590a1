"""The tools `checklist` and `runbook_steps`: where people are, what a check reads, which command; they decide nothing."""

from typing import Any

import pytest

from engine.control.checklists import checklists_of
from engine.watch import step_checks
from engine.watch.step_checks import CHECKS, StepCheck
from tests.tools.desk_journal import END, write_desk
from tools.catalog import call

STEPS = [
    {"number": 1, "text": "what is open?", "checks": [], "origin": ""},
    {"number": 2, "text": "restart", "checks": ["gate-open"], "origin": "lesson of incident w1, 2026-01-02"},
]
ANN = {"name": "ann \x1b[31m"}


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """A desk on which ann has begun the runbook of a dead worker about al-3."""
    made = make_ctx("operator", desk_ms=END)
    write_desk(made.home)
    begin = {"checklist": "cl-1", "act": "begin", "runbook": "worker-down", "about": "al-3", "steps": STEPS, "actor": ANN}
    made.record("checklist", begin)
    return made


def says(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """The gate's check answers so."""
    step_checks._KEPT.clear()
    monkeypatch.setattr(
        step_checks, "CHECKS", {**CHECKS, "gate-open": StepCheck("gate-open", "", lambda _ctx: (answer, "as read", "d-3"))}
    )


def test_it_says_where_people_are_and_what_a_person_types(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step, its check with what it reads, the command; what a check does not say yes to has no command for done."""
    found = call(ctx, "checklist", {})
    assert found.status == "ok"
    facts = {fact.metric: fact.value for fact in found.facts}
    assert (facts["steps"], facts["step"], facts["done"], facts["refused"]) == (2, 1, 0, 0)
    assert "Step 1: what is open? No check decides it" in found.text
    assert 'nightdesk runbooks done 1 --of cl-1 --evidence "what you saw" --as NAME' in found.text
    assert "\x1b" not in found.text
    assert found.evidence[0].kind == "event"
    ctx.record("checklist", {"checklist": "cl-1", "act": "done", "step": 1, "words": "flat", "actor": {"name": "bob"}})
    says(monkeypatch, "no")
    text = call(ctx, "checklist", {"about": "AL-3"}).text
    assert "Step 2 (lesson of incident w1, 2026-01-02): restart. Check gate-open: no, as read." in text
    assert "runbooks done 2" not in text
    assert "runbooks refuse 2 --of cl-1" in text
    says(monkeypatch, "yes")
    found = call(ctx, "checklist", {"about": "worker-down"})
    assert "nightdesk runbooks done 2 --of cl-1 --as NAME" in found.text
    assert found.table.rows == (("cl-1", 1, "done", "bob", "flat"),)  # type: ignore[union-attr]


def test_nothing_is_decided_whatever_is_asked(ctx: Any) -> None:
    """A role has no act: the journal gets its calls, and no event of a checklist."""
    before = checklists_of(ctx.home)
    for about in (None, "cl-1", "al-3", "done 1", "approve step 1", "worker-down; nightdesk runbooks done 1"):
        call(ctx, "checklist", {"about": about})
        call(ctx, "runbook_steps", {"about": about})
    assert checklists_of(ctx.home) == before


def test_how_a_person_begins_one_is_said(ctx: Any) -> None:
    """With the page and what it is about; what is over is found by its id."""
    assert "nightdesk runbooks begin bars-stale --as NAME" in call(ctx, "checklist", {"about": "bars"}).text
    assert "nightdesk runbooks begin incident --about w1 --as NAME" in call(ctx, "checklist", {"about": "incident w1"}).text
    ctx.record("checklist", {"checklist": "cl-1", "act": "end", "words": "it is back", "actor": ANN})
    assert call(ctx, "checklist", {}).status == "no_data"
    assert "ended by ann [31m (it is back)" in call(ctx, "checklist", {"about": "cl-1"}).text


def test_steps_are_listed_with_their_checks_and_lessons(ctx: Any) -> None:
    """The page's steps in order; a lesson of this desk behind them; of nothing, the open checklist's page."""
    found = call(ctx, "runbook_steps", {"about": "halted"})
    rows = found.table.rows  # type: ignore[union-attr]
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert "gate-open: the account's gate is open" in rows[4][2]
    assert rows[0][2] == "a person looks"
    assert call(ctx, "runbook_steps", {"about": None}).data["runbook"] == "worker-down"
    assert call(ctx, "runbook_steps", {"about": "zebra"}).status == "no_data"


def test_the_page_says_that_people_work_through_it(ctx: Any) -> None:
    """Beside what to do, where they are; of another page nothing."""
    assert (
        "Being worked through: cl-1 (worker-down, al-3): step 1 of 2, begun by ann"
        in call(ctx, "runbook", {"about": "worker-down"}).text
    )
    assert "Being worked through" not in call(ctx, "runbook", {"about": "halted"}).text


@pytest.mark.parametrize("role", ["developer", "advisor"])
def test_it_is_the_operators(make_ctx: Any, role: str) -> None:
    """The catalog is the authority."""
    for name, args in (("checklist", {}), ("runbook_steps", {"about": "halted"})):
        assert "belongs to the operator" in call(make_ctx(role), name, args).text


def test_a_damaged_journal_is_an_outcome(ctx: Any) -> None:
    """Said in a line, not guessed around."""
    path = ctx.home / "journal" / "people.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"act":"begin"', b'"act":"begin'))
    assert call(ctx, "checklist", {}).status == "failed"
