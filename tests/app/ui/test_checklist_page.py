"""A runbook on the page: beside its alert and its incident, with buttons for whom may press them; what others wrote is text."""

import re
from typing import Any

import pytest

from app.people.authority import refusals
from app.people.identity import Actor, add_person
from app.ui import checklist as runbook_page
from tests.app.ui.fake_api import ROUTES, Fake
from tests.app.ui.fake_checklists import checklist, reading
from tests.app.ui.fake_shapes import alert
from tests.app.ui.looking import page, texts_of
from tests.app.ui.test_incidents_page import ONE

ALERTS = {"tab": "desk", "view": "alerts"}


def bare(text: str) -> str:
    """Text as it is read: without escapes and joiners."""
    return text.replace("\\", "").replace("\u2060", "")


def keys_of(at: Any) -> set[str]:
    """The keys of the buttons of checklists."""
    return {str(b.key) for b in at.button if str(b.key).startswith("checklist_")}


def test_a_runbook_is_begun_beside_its_alert(fake: Fake) -> None:
    """One click asks once, with the alert and its page; a resolved alert has no button."""
    fake.alerts = [alert("al-7"), alert("al-8") | {"state": "resolved", "resolved_ms": 1}]
    at = page(**ALERTS)
    assert keys_of(at) == {"checklist_begin_al-7"}
    at.button(key="checklist_begin_al-7").click().run()
    assert fake.asked == [("POST", "/api/checklists", {"runbook": "bars-stale", "about": "al-7"})]


def test_the_current_step_stands_with_what_its_check_reads_and_cannot_be_done_against_it(fake: Fake) -> None:
    """No: done is off and says why; refusing takes the person's words; the steps before it say who."""
    fake.alerts, fake.checklists = [alert("al-7")], [checklist()]
    at = page(**ALERTS)
    text = bare(texts_of(at))
    for part in (
        "Step 2 of 3.",
        "gate-open says no:",
        "the gate is closed: probe",
        "cl-1 · runbook bars-stale · al-7",
        "all flat",
    ):
        assert part in text, (part, text)
    assert at.button(key="checklist_done_cl-1_2").disabled
    assert "gate-open says no" in bare(at.button(key="checklist_done_cl-1_2").help)
    assert "checklist_begin_al-7" not in keys_of(at)
    at.text_input(key="checklist_words_cl-1_2").set_value("it stays shut").run()
    at.button(key="checklist_refuse_cl-1_2").click().run()
    at.button(key="checklist_look_cl-1_2").click().run()
    assert fake.asked == [
        ("POST", "/api/checklists/cl-1/refuse", {"step": 2, "reason": "it stays shut"}),
        ("POST", "/api/checklists/cl-1/look", {}),
    ]


def test_a_step_without_a_check_takes_the_persons_words(fake: Fake) -> None:
    """With the number of the step that they saw; one whose check says yes needs none."""
    fake.alerts, fake.checklists = [alert("al-7")], [checklist(at=1)]
    at = page(**ALERTS)
    assert "needed: no check decides this step" in bare(at.text_input(key="checklist_words_cl-1_1").label)
    assert "checklist_look_cl-1_1" not in keys_of(at)
    at.text_input(key="checklist_words_cl-1_1").set_value("flat, d-4").run()
    at.button(key="checklist_done_cl-1_1").click().run()
    fake.checklists = [checklist(at=2, says="yes")]
    at = page(**ALERTS)
    at.button(key="checklist_done_cl-1_2").click().run()
    at.text_input(key="checklist_words_cl-1_2").set_value("over").run()
    at.button(key="checklist_end_cl-1_2").click().run()
    assert fake.asked == [
        ("POST", "/api/checklists/cl-1/done", {"step": 1, "evidence": "flat, d-4"}),
        ("POST", "/api/checklists/cl-1/done", {"step": 2, "evidence": ""}),
        ("POST", "/api/checklists/cl-1/end", {"reason": "over"}),
    ]


def test_a_refusal_of_the_api_is_said_at_its_checklist(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody was faster: the reason stands there, and the page goes on."""
    fake.alerts, fake.checklists = [alert("al-7")], [checklist(at=1)]
    taken = (409, {"error": {"kind": "Refused", "what": "step 1 of cl-1 was done by bob", "hint": ""}})
    monkeypatch.setitem(ROUTES, ("POST", r"/api/checklists/(cl-\d+)/(look|done|refuse|end)"), lambda f, q, b, i, w: taken)
    at = page(**ALERTS)
    at.button(key="checklist_done_cl-1_1").click().run()
    assert "step 1 of cl-1 was done by bob" in bare(texts_of(at))
    assert not at.exception


@pytest.mark.parametrize("act", ["refuse", "end"])
def test_what_needs_a_reason_asks_for_the_field_and_not_for_an_option(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--reason WHY` is nothing that a page has."""
    kept, api = dict[str, Any](), object()  # which is not asked
    monkeypatch.setattr(runbook_page.st, "session_state", kept)
    runbook_page._act(
        api,  # type: ignore[arg-type]
        "cl-1",
        2,
        act,
    )
    assert kept["checklist_error_cl-1"] == "Nothing was done: write why into the field above, then press again."


def test_a_step_has_no_link_that_leads_nowhere() -> None:
    """A runbook's own links are to files of the docs."""
    assert runbook_page.bare("since when. See [outside-data](outside-data.md).", 100) == "since when. See outside-data."


def test_what_is_about_no_alert_of_the_page_has_a_place_of_its_own(fake: Fake) -> None:
    """A sleeve's, an incident's, one of an alert that is over; the handover names each."""
    fake.alerts, fake.checklists = [alert("al-7")], [checklist("btc-trend"), checklist("al-2") | {"id": "cl-2"}]
    at = page(**ALERTS)
    assert "Runbooks being worked through" in texts_of(at)
    assert {"checklist_done_cl-1_2", "checklist_done_cl-2_2", "checklist_begin_al-7"} <= keys_of(at)
    text = bare(texts_of(page(tab="desk", view="handover")))
    assert "Runbook bars-stale about btc-trend:" in text
    assert "step 2 of 3, begun by ann." in text


def test_an_open_incident_has_its_runbook_and_a_closed_one_none(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun about the window; worked through on its own page."""
    monkeypatch.setitem(ROUTES, ("GET", r"/api/incidents/(w\d+)"), lambda f, q, b, i: ONE)
    at = page(**ALERTS, window="w1")
    at.button(key="checklist_begin_w1").click().run()
    assert fake.asked == [("POST", "/api/checklists", {"runbook": "incident", "about": "w1"})]
    fake.checklists = [checklist("w1", runbook="incident")]
    at = page(**ALERTS, window="w1")
    assert "Step 2 of 3." in texts_of(at)
    assert "checklist_refuse_cl-1_2" in keys_of(at)
    assert "checklist_begin_w1" not in keys_of(at)
    monkeypatch.setitem(ROUTES, ("GET", r"/api/incidents/(w\d+)"), lambda f, q, b, i: ONE | {"closed_ms": 1, "closed_by": "ann"})
    assert keys_of(page(**ALERTS, window="w1")) == set()


def test_an_incident_of_a_cause_with_its_own_page_offers_both(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference from the venue: the runbook of incidents, and that of differences; the one that is begun is no button."""
    both = ONE | {"runbooks": ["incident", "reconcile-difference"]}
    monkeypatch.setitem(ROUTES, ("GET", r"/api/incidents/(w\d+)"), lambda f, q, b, i: both)
    fake.checklists = [checklist("w1", runbook="incident")]
    at = page(**ALERTS, window="w1")
    assert {key for key in keys_of(at) if "begin" in key} == {"checklist_begin_w1_reconcile-difference"}
    at.button(key="checklist_begin_w1_reconcile-difference").click().run()
    assert fake.asked == [("POST", "/api/checklists", {"runbook": "reconcile-difference", "about": "w1"})]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_may_not_decide_sees_everything_and_presses_nothing(fake: Fake, tmp_path: Any, role: Any) -> None:
    """Off with the names of who may, and said in words for a phone."""
    add_person(tmp_path, "ann")
    add_person(tmp_path, role, role=role)
    fake.session = (fake.session or {}) | {"name": role, "refused": refusals(tmp_path, Actor(role, "session", "os", "page"))}
    fake.alerts, fake.checklists = [alert("al-7"), alert("al-8")], [checklist(says="yes")]
    at = page(**ALERTS)
    assert len(keys_of(at)) == 5
    assert {b.disabled for b in at.button if str(b.key) in keys_of(at)} == {role == "viewer"}
    assert ("Deciding a step of a runbook needs an operator: ann." in bare(texts_of(at))) is (role == "viewer")


EVIL = "<img src=x onerror=alert(1)> ![x](http://evil) [y](javascript:z) \u202e**b**"


def test_what_others_wrote_is_text(fake: Fake) -> None:
    """Evidence, reasons, names, readings and lessons: no image, link or markup of theirs reaches the browser."""
    fake.alerts, fake.checklists = [alert("al-7")], [checklist(title=EVIL, by={"name": EVIL})]
    for step in fake.checklists[0]["steps"]:
        step |= {"text": EVIL, "words": EVIL, "origin": EVIL}
    fake.checklists[0]["steps"][1]["readings"] = [reading("no", EVIL) | {"check": EVIL, "event": EVIL}]
    fake.checklists[0]["steps"][0]["by"] = {"name": EVIL}
    for where in (ALERTS, {"tab": "desk", "view": "handover"}):
        at = page(**where)
        text = texts_of(at)
        assert "onerror" in text
        assert re.search(r"(?<!\\)<img|\u202e", text) is None, where
        written = [str(e.value) for kind in ("markdown", "caption") for e in at.get(kind) if "evil" in str(e.value)]
        assert not [one for one in written if re.search(r"(?<!\\)\]\(", one)], where
        assert not [body for e in at.get("html") if 'href="http' in (body := str(e.proto.body)) or 'href="java' in body], where


def test_an_api_that_does_not_answer_takes_nothing_else_from_the_page(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert stands; that runbooks could not be read is said."""
    fake.alerts = [alert("al-7")]
    broken = (503, {"error": {"kind": "DataError", "what": "the people journal cannot be read", "hint": ""}})
    monkeypatch.setitem(ROUTES, ("GET", "/api/checklists"), lambda f, q, b: broken)
    text = bare(texts_of(page(**ALERTS)))
    assert "No bar for 3 minutes" in text
    assert "Runbooks: the people journal cannot be read" in text
