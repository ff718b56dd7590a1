"""Who may do what, on the page: people, roles, what this person may not; a link from the name in the head leads there."""

import re

import pytest

from app.people.authority import ACTS
from tests.app.ui.fake_api import ROUTES, Fake
from tests.app.ui.looking import page, texts_of

ACT_LINES = [{"act": name, "least": act.least, "about": act.about} for name, act in ACTS.items()]
PEOPLE = [{"name": "ana", "role": "admin"}, {"name": "<b>tom", "role": "operator"}]


@pytest.fixture
def listed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Two registered people; the page is tom's."""
    found = {"items": PEOPLE, "acts": ACT_LINES, "two_people": True}
    monkeypatch.setitem(ROUTES, ("GET", "/api/people"), lambda f, q, b: found)
    fake.session = (fake.session or {}) | {"name": "tom", "role": "operator", "refused": {"release": "needs an approver: ana"}}
    return fake


def test_people_roles_and_what_is_not_mine(listed: Fake) -> None:
    """Names are text; every act stands under its least role."""
    text = texts_of(page(tab="desk", view="people"))
    for words in ("You are tom, operator.", "Not yours: release.", "&lt;b&gt;tom", "2 registered", "Two people"):
        assert words in text, words
    assert all(act.about.replace("'", "&#x27;") in text for act in ACTS.values())


def test_one_person_alone_is_told_that_nothing_is_checked(listed: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No role is claimed where none was given."""
    alone = {"items": [], "acts": ACT_LINES, "two_people": False}
    monkeypatch.setitem(ROUTES, ("GET", "/api/people"), lambda f, q, b: alone)
    text = texts_of(page(tab="desk", view="people"))
    assert "every name is believed" in text
    assert "You are tom" not in text


def test_a_name_without_a_token_is_asked_for_it(listed: Fake) -> None:
    """Until then it looks and halts."""
    listed.session = (listed.session or {}) | {"proof_needed": True}
    assert "Your name is not proven" in texts_of(page(tab="desk", view="people"))


def test_the_name_in_the_head_leads_there(listed: Fake) -> None:
    """One click from every view."""
    at = page(tab="runs")
    at.button(key="who_may").click().run()
    assert at.query_params["view"] == ["people"] or at.query_params["view"] == "people"
    assert "Who may do what" in texts_of(at)


def test_what_people_did_is_dated_by_the_wall_clock(fake: Fake) -> None:
    """The desk's events are of desk time: on a replayed market the two are years apart."""
    assert "desk time, UTC" in texts_of(page(tab="desk", view="journal"))
    fake.events = [event | {"id": f"p-{n}", "kind": "approve"} for n, event in enumerate(fake.events, 1)]
    text = texts_of(page(tab="desk", view="journal"))
    assert "wall clock, UTC" in text
    assert "desk time, UTC" not in text
    assert re.search(r"wall clock \d{1,2} [A-Z][a-z]{2} ", texts_of(page(tab="desk", view="journal", event="p-1")))
